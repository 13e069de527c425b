//! What Terraform would have made: cluster, load balancer, target group, listener, repository, secrets.
//!
//! Every call goes through the SDK to the emulator and finds what is there already. The names of the outputs are those
//! of the Terraform configuration, so a manifest cannot tell the two apart.

use std::collections::BTreeMap;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, LoadBalancer, ProtocolEnum, TargetGroup, TargetGroupAttribute,
    TargetTypeEnum,
};
use aws_smithy_types::timeout::TimeoutConfig;
use serde_json::{Value, json};

use super::store_url::StoreUrl;
use crate::{aws::Clients, manifest::OUTPUTS_SCHEMA};
use std::time::Duration;

/// The account that the laptop's AWS belongs to.
pub(super) const ACCOUNT: &str = "123456789012";
/// Its region.
pub(super) const REGION: &str = "us-east-1";
/// The access key of the calls made under `evenkeel local`; the journal tells them from the daemon's by it.
pub(super) const ACCESS_KEY: &str = "evenkeel-local";
/// The emulator checks no signature, but the SDK must sign.
pub(super) const SECRET_KEY: &str = "not-a-secret";
/// The listener's port as AWS knows it.
pub(super) const LISTENER_PORT: u16 = 80;

const CLUSTER: &str = "evenkeel";
const SERVICE: &str = "api";
const SUBNETS: [&str; 2] = ["subnet-0a4f1c2e9b7d35a61", "subnet-0d82b6e41f9c07a5e"];
const SECURITY_GROUP: &str = "sg-0c3a9e5d7f1b28460";
const VPC: &str = "vpc-0b1d6f3a8e2c94750";
const CALL_WITHIN: Duration = Duration::from_secs(15);

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} at the local AWS failed: {message}")]
pub(super) struct CloudError {
    operation: &'static str,
    message: String,
}

impl CloudError {
    /// The failure of an SDK call, with its whole chain.
    pub(super) fn new(operation: &'static str, error: impl std::error::Error) -> Self {
        let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
            error.source()
        });
        let words: Vec<String> = chain.map(ToString::to_string).collect();
        Self {
            operation,
            message: words.join(": "),
        }
    }

    /// An answer without what it must hold.
    pub(super) fn incomplete(operation: &'static str, member: &str) -> Self {
        Self {
            operation,
            message: format!("the answer has no {member}"),
        }
    }
}

/// Clients of the emulator at `endpoint`. Nothing of the environment or of the user's AWS files is read.
pub(super) fn clients(endpoint: &str) -> Clients {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "evenkeel local");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(endpoint)
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .timeout_config(
            TimeoutConfig::builder()
                .operation_timeout(CALL_WITHIN)
                .build(),
        )
        .build();
    Clients::new(&config)
}

/// The secrets' ARNs. They are decided before the emulator starts, which is told their values.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    database: String,
    password: String,
    redis: String,
}

impl Secrets {
    /// Those that the API reads.
    pub(super) fn new() -> Self {
        let arn = |name: &str| format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}");
        Self {
            database: arn("evenkeel/database-url-4Xk9Qz"),
            // RDS names its own.
            password: arn("rds!db-6f0c2b9e-8d41-4c57-9a3e-2b7d5e1f8a04-9Lc3Wd"),
            redis: arn("evenkeel/redis-url-7Tm2Vb"),
        }
    }

    /// What the emulator is told: value by ARN. Not for any log.
    pub(super) fn values(&self, database: &StoreUrl, redis: &StoreUrl) -> BTreeMap<String, String> {
        let (url, password) = database.apart();
        BTreeMap::from([
            (self.database.clone(), url),
            (
                self.password.clone(),
                json!({ "password": password }).to_string(),
            ),
            (self.redis.clone(), redis.expose().to_owned()),
        ])
    }
}

/// What was laid down.
#[derive(Debug)]
pub(super) struct Cloud {
    target_group: String,
    dns_name: String,
    repository: String,
}

impl Cloud {
    /// Makes what is missing.
    pub(super) async fn lay_down(clients: &Clients) -> Result<Self, CloudError> {
        create_cluster(clients).await?;
        let balancer = create_load_balancer(clients).await?;
        let target_group = create_target_group(clients).await?;
        create_listener(clients, &balancer.arn, &target_group).await?;
        let repository = create_repository(clients, SERVICE).await?;
        Ok(Self {
            target_group,
            dns_name: balancer.dns_name,
            repository,
        })
    }

    /// The same form as `terraform output -json`.
    /// <https://developer.hashicorp.com/terraform/cli/commands/output>
    pub(super) fn outputs(&self, secrets: &Secrets) -> Value {
        let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        let text = |value: &str| json!({"sensitive": false, "type": "string", "value": value});
        json!({
            "account_id": text(ACCOUNT),
            "api_execution_role_arn": text(&role("evenkeel-api-execution")),
            "api_task_role_arn": text(&role("evenkeel-api-task")),
            "cluster_name": text(CLUSTER),
            // The member of the secret, as ECS reads it.
            "database_password_secret_arn": text(&format!("{}:password::", secrets.password)),
            "database_url_secret_arn": text(&secrets.database),
            "ecr_repository_url": text(&self.repository),
            "ecs_security_group_id": text(SECURITY_GROUP),
            "load_balancer_dns_name": text(&self.dns_name),
            "private_subnet_ids": {"sensitive": false, "type": ["list", "string"], "value": SUBNETS},
            "redis_url_secret_arn": text(&secrets.redis),
            "region": text(REGION),
            "schema_version": {"sensitive": false, "type": "number", "value": OUTPUTS_SCHEMA},
            "target_group_arn": text(&self.target_group),
        })
    }
}

struct Balancer {
    arn: String,
    dns_name: String,
}

async fn create_cluster(clients: &Clients) -> Result<(), CloudError> {
    let created = clients
        .ecs
        .create_cluster()
        .cluster_name(CLUSTER)
        .send()
        .await;
    created
        .map(drop)
        .map_err(|error| CloudError::new("CreateCluster", error))
}

async fn create_load_balancer(clients: &Clients) -> Result<Balancer, CloudError> {
    const CREATE: &str = "CreateLoadBalancer";
    let created = clients
        .elbv2
        .create_load_balancer()
        .name(CLUSTER)
        .set_subnets(Some(SUBNETS.map(str::to_owned).into()))
        .security_groups(SECURITY_GROUP)
        .send()
        .await;
    let found: Vec<LoadBalancer> = match created {
        Ok(answer) => answer.load_balancers.unwrap_or_default(),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_duplicate_load_balancer_name_exception()) =>
        {
            let answer = clients
                .elbv2
                .describe_load_balancers()
                .names(CLUSTER)
                .send()
                .await;
            answer
                .map_err(|error| CloudError::new("DescribeLoadBalancers", error))?
                .load_balancers
                .unwrap_or_default()
        }
        Err(error) => return Err(CloudError::new(CREATE, error)),
    };
    let balancer = found
        .into_iter()
        .next()
        .ok_or_else(|| CloudError::incomplete(CREATE, "load balancer"))?;
    Ok(Balancer {
        arn: balancer
            .load_balancer_arn
            .ok_or_else(|| CloudError::incomplete(CREATE, "LoadBalancerArn"))?,
        dns_name: balancer
            .dns_name
            .ok_or_else(|| CloudError::incomplete(CREATE, "DNSName"))?,
    })
}

/// Health checks are as quick as ELB allows, so that a rollout on a laptop takes seconds:
/// interval 5 to 300 s, timeout 2 to 120 s, thresholds 2 to 10.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>
async fn create_target_group(clients: &Clients) -> Result<String, CloudError> {
    const CREATE: &str = "CreateTargetGroup";
    let created = clients
        .elbv2
        .create_target_group()
        .name(SERVICE)
        .target_type(TargetTypeEnum::Ip)
        .protocol(ProtocolEnum::Http)
        .port(80)
        .vpc_id(VPC)
        .health_check_path("/health")
        .health_check_interval_seconds(5)
        .health_check_timeout_seconds(2)
        .healthy_threshold_count(2)
        .unhealthy_threshold_count(2)
        .send()
        .await;
    let found: Vec<TargetGroup> = match created {
        Ok(answer) => answer.target_groups.unwrap_or_default(),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_duplicate_target_group_name_exception()) =>
        {
            let answer = clients
                .elbv2
                .describe_target_groups()
                .names(SERVICE)
                .send()
                .await;
            answer
                .map_err(|error| CloudError::new("DescribeTargetGroups", error))?
                .target_groups
                .unwrap_or_default()
        }
        Err(error) => return Err(CloudError::new(CREATE, error)),
    };
    let arn = found
        .into_iter()
        .find_map(|group| group.target_group_arn)
        .ok_or_else(|| CloudError::incomplete(CREATE, "TargetGroupArn"))?;
    let delay = TargetGroupAttribute::builder()
        .key("deregistration_delay.timeout_seconds")
        .value("5")
        .build();
    clients
        .elbv2
        .modify_target_group_attributes()
        .target_group_arn(&arn)
        .attributes(delay)
        .send()
        .await
        .map_err(|error| CloudError::new("ModifyTargetGroupAttributes", error))?;
    Ok(arn)
}

async fn create_listener(
    clients: &Clients,
    balancer: &str,
    target_group: &str,
) -> Result<(), CloudError> {
    let forward = Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .target_group_arn(target_group)
        .build();
    let created = clients
        .elbv2
        .create_listener()
        .load_balancer_arn(balancer)
        .protocol(ProtocolEnum::Http)
        .port(LISTENER_PORT.into())
        .default_actions(forward)
        .send()
        .await;
    match created {
        Ok(_) => Ok(()),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_duplicate_listener_exception()) =>
        {
            Ok(())
        }
        Err(error) => Err(CloudError::new("CreateListener", error)),
    }
}

/// Makes a repository if it is missing and returns its URI.
pub(super) async fn create_repository(clients: &Clients, name: &str) -> Result<String, CloudError> {
    const CREATE: &str = "CreateRepository";
    let created = clients
        .ecr
        .create_repository()
        .repository_name(name)
        .send()
        .await;
    let repository = match created {
        Ok(answer) => answer.repository,
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_repository_already_exists_exception()) =>
        {
            let answer = clients
                .ecr
                .describe_repositories()
                .repository_names(name)
                .send()
                .await;
            let found = answer
                .map_err(|error| CloudError::new("DescribeRepositories", error))?
                .repositories;
            found.unwrap_or_default().into_iter().next()
        }
        Err(error) => return Err(CloudError::new(CREATE, error)),
    };
    repository
        .and_then(|repository| repository.repository_uri)
        .ok_or_else(|| CloudError::incomplete(CREATE, "repositoryUri"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_have_terraforms_form_and_hold_no_secret() {
        let cloud = Cloud {
            target_group: "arn:tg".into(),
            dns_name: "evenkeel.example".into(),
            repository: "repo".into(),
        };
        let secrets = Secrets::new();
        let outputs = cloud.outputs(&secrets);
        for (name, output) in outputs.as_object().unwrap() {
            assert_eq!(output["sensitive"], false, "{name}");
            assert!(!output["value"].is_null(), "{name}");
        }
        let url = StoreUrl::new("postgres://me:hunter2@db/x".into());
        let values = secrets.values(&url, &url);
        let value = |output: &str| {
            let arn = outputs[output]["value"].as_str().unwrap();
            values[arn.trim_end_matches(":password::")].as_str()
        };
        assert_eq!(value("database_url_secret_arn"), "postgres://me@db/x");
        assert_eq!(
            value("database_password_secret_arn"),
            r#"{"password":"hunter2"}"#
        );
        assert_eq!(value("redis_url_secret_arn"), url.expose());
        assert!(!outputs.to_string().contains("hunter2"));
    }
}
