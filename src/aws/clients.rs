//! The SDK's clients, configured once: one TLS stack, a deadline on every call.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_ecs::config::retry::RetryPartition;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime::client::retries::TokenBucket;
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};

use crate::aws::Clock;

/// The longest one attempt of a call may take. The SDK itself sets no such limit.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest a call may take with all its retries.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);

/// One client per AWS service, all from one configuration.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The time that calls are signed with.
    pub clock: Clock,
    /// Elastic Container Service, for reads: the SDK tries them again.
    pub ecs: aws_sdk_ecs::Client,
    /// Elastic Container Service, for writes: one attempt each, so that a lost reply is never a second write. The loop
    /// observes again and decides anew.
    pub ecs_writes: aws_sdk_ecs::Client,
    /// Elastic Load Balancing v2.
    pub elbv2: aws_sdk_elasticloadbalancingv2::Client,
    /// CloudWatch Logs, for reads.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// CloudWatch Logs, for writes: one attempt each.
    pub logs_writes: aws_sdk_cloudwatchlogs::Client,
    /// Elastic Container Registry.
    pub ecr: aws_sdk_ecr::Client,
    /// Simple Storage Service, for reads.
    pub s3: aws_sdk_s3::Client,
    /// Simple Storage Service, for writes: one attempt each.
    pub s3_writes: aws_sdk_s3::Client,
}

impl Clients {
    /// Clients configured as every AWS tool is: by environment, profile, or the container's role.
    pub async fn from_env() -> Self {
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(
                Builder::new()
                    .tls_provider(Provider::Rustls(CryptoMode::Ring))
                    .build_https(),
            )
            .load()
            .await;
        Self::new(&config)
    }

    /// Clients from a configuration made elsewhere, with our deadlines. They share retries with no others.
    pub fn new(config: &SdkConfig) -> Self {
        let mut timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        if let Some(others) = config.timeout_config() {
            timeouts.take_defaults_from(others);
        }
        let reads = config.to_builder().timeout_config(timeouts).build();
        let once = reads
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .build();
        Self {
            clock: config.time_source().map_or_else(Clock::default, Clock::new),
            ecs: client!(aws_sdk_ecs, &reads),
            ecs_writes: client!(aws_sdk_ecs, &once),
            elbv2: client!(aws_sdk_elasticloadbalancingv2, &reads),
            logs: client!(aws_sdk_cloudwatchlogs, &reads),
            logs_writes: client!(aws_sdk_cloudwatchlogs, &once),
            ecr: client!(aws_sdk_ecr, &reads),
            s3: s3(&reads),
            s3_writes: s3(&once),
        }
    }
}

/// How many reads may be tried again at once, when all has been well before.
const RETRIES: u32 = 10;
/// What a retry costs, and what a call that succeeds earns: retries are a tenth of the calls at most, for longer.
const COST: u32 = 10;
const EARNS: f32 = 1.0;

/// A budget of retries. The SDK's own is one for all clients of a process, and allows 100 before it is spent.
fn budget() -> RetryPartition {
    let bucket = TokenBucket::builder()
        .capacity(RETRIES as usize * COST as usize)
        .retry_cost(COST)
        .throttling_retry_cost(COST)
        .timeout_retry_cost(COST)
        .success_reward(EARNS);
    RetryPartition::custom("own")
        .token_bucket(bucket.build())
        .build()
}

/// A client with a budget of retries of its own.
macro_rules! client {
    ($sdk:ident, $config:expr) => {{
        let config = $sdk::config::Builder::from($config).retry_partition(budget());
        $sdk::Client::from_conf(config.build())
    }};
}
use client;

/// At an endpoint of one's own, buckets have no names in DNS.
fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let has_no_names =
        config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
    let config = aws_sdk_s3::config::Builder::from(config)
        .retry_partition(budget())
        .force_path_style(has_no_names);
    aws_sdk_s3::Client::from_conf(config.build())
}
