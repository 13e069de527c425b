//! An emulated AWS in the test's own process, with a cluster and nothing in it: services are made by another hand, and
//! looked at by `evenkeel` as a process.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use aws_config::SdkConfig;
use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, ProtocolEnum, TargetTypeEnum};
use bytes::Bytes;
use emulator::{
    core::Settings,
    server::{Config, start},
};
use evenkeel::aws::Clients;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The longest that a command may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The cluster's name.
pub const CLUSTER: &str = "prod";
/// The account.
pub const ACCOUNT: &str = "123456789012";

/// A running emulator.
pub struct Bare {
    /// The AWS endpoint.
    aws: String,
    /// The SDK's clients, as another hand uses them.
    pub clients: Clients,
    directory: TempDir,
    shutdown: CancellationToken,
}

impl Bare {
    /// Starts one, with an active cluster.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = Config {
            aws: any,
            listeners: BTreeMap::new(),
            state: directory.path().join("state"),
            blobs: directory.path().join("blobs"),
            settings: Settings {
                account: ACCOUNT.to_owned(),
                region: "us-east-1".to_owned(),
                speed: 50.0,
                seed: 1,
                secrets: BTreeMap::new(),
            },
        };
        let emulator = start(config).await.unwrap();
        let aws = format!("http://{}", emulator.aws);
        let shutdown = CancellationToken::new();
        tokio::spawn(emulator.run(shutdown.clone()));
        let bare = Self {
            clients: clients(&aws),
            aws,
            directory,
            shutdown,
        };
        bare.ecs("CreateCluster", json!({"clusterName": CLUSTER}))
            .await;
        bare
    }

    /// The AWS endpoint.
    pub fn url(&self) -> &str {
        &self.aws
    }

    /// A POST of JSON, which must succeed.
    pub async fn post(&self, url: &str, body: &Value) {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let request = hyper::Request::post(url).body(Full::from(body.to_string()));
        let answer = client.request(request.unwrap()).await.unwrap();
        assert!(answer.status().is_success(), "{url}: {}", answer.status());
    }

    /// A call of ECS with a document, as any tool makes it; it must succeed.
    pub async fn ecs(&self, operation: &str, input: Value) -> Value {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let request = hyper::Request::post(&self.aws)
            .header("content-type", "application/x-amz-json-1.1")
            .header(
                "x-amz-target",
                format!("AmazonEC2ContainerServiceV20141113.{operation}"),
            )
            .body(Full::from(input.to_string()))
            .unwrap();
        let answer = client.request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(
            status.is_success(),
            "{operation}: {}\n{input:#}",
            String::from_utf8_lossy(&body)
        );
        serde_json::from_slice(&body).unwrap()
    }

    /// Pushes an image with these tags, and returns its digest. Nothing ever runs it.
    pub async fn push(&self, repository: &str, content: &str, tags: &[&str]) -> String {
        // It may be there from the image before.
        let _ = self
            .clients
            .ecr
            .create_repository()
            .repository_name(repository)
            .send()
            .await;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.evenkeel.local-image.v1+json",
            "executable": format!("sha256:{}", hex_of(content)), "environment": {}, "arguments": [content],
        });
        let mut digest = None;
        let untagged = [None];
        let tags: Vec<_> = tags.iter().map(|tag| Some((*tag).to_owned())).collect();
        let wanted = if tags.is_empty() {
            &untagged[..]
        } else {
            &tags
        };
        for tag in wanted {
            let pushed = self
                .clients
                .ecr
                .put_image()
                .repository_name(repository)
                .image_manifest(manifest.to_string())
                .image_manifest_media_type("application/vnd.evenkeel.local-image.v1+json")
                .set_image_tag(tag.clone())
                .send()
                .await
                .unwrap();
            let id = pushed.image.unwrap().image_id.unwrap();
            digest = id.image_digest;
        }
        digest.unwrap()
    }

    /// A target group of type `ip` behind a listener of its own, on this declared port.
    pub async fn target_group(&self, name: &str, port: i32) -> String {
        let elb = &self.clients.elbv2;
        let balancer = elb
            .create_load_balancer()
            .name(name)
            .subnets("subnet-00000001")
            .subnets("subnet-00000002")
            .send()
            .await
            .unwrap();
        let group = elb
            .create_target_group()
            .name(name)
            .target_type(TargetTypeEnum::Ip)
            .protocol(ProtocolEnum::Http)
            .port(80)
            .vpc_id("vpc-00000001")
            .send()
            .await
            .unwrap();
        let group = group.target_groups()[0].target_group_arn().unwrap();
        let forward = Action::builder()
            .r#type(ActionTypeEnum::Forward)
            .target_group_arn(group);
        elb.create_listener()
            .load_balancer_arn(balancer.load_balancers()[0].load_balancer_arn().unwrap())
            .protocol(ProtocolEnum::Http)
            .port(port)
            .default_actions(forward.build())
            .send()
            .await
            .unwrap();
        group.to_owned()
    }

    /// A directory of manifests of its own.
    pub fn manifests(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join("manifests").join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// `evenkeel` with these arguments, with these manifests, and without a terminal.
    pub async fn evenkeel(&self, manifests: &Path, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command
            .args(arguments)
            .env("AWS_ENDPOINT_URL", &self.aws)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "by-hand")
            .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
            .env("EVENKEEL_MANIFESTS", manifests)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        tokio::time::timeout(PATIENCE, command.output())
            .await
            .expect("the command did not end")
            .unwrap()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn clients(aws: &str) -> Clients {
    let credentials = Credentials::new("another-hand", "not-a-secret", None, None, "test");
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(aws)
        .http_client(http)
        .build();
    Clients::new(&config)
}

fn hex_of(content: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(content.as_bytes()))
}
