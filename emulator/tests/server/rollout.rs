//! One service from nothing to its second version, over the wire and with real processes.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fs,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use emulator::core::LocalImage;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, Uri, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tokio_util::task::TaskTracker;

use super::*;

const ECS: &str = "AmazonEC2ContainerServiceV20141113";
const VERSION: &str = "SERVED_VERSION";

/// Not a test of its own: with its variable set, this very executable is the service that a task runs.
#[tokio::test]
async fn served_process() {
    let Ok(version) = std::env::var(VERSION) else {
        return;
    };
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let socket = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let mut stop = signal(SignalKind::terminate()).unwrap();
    let (ending, running) = (CancellationToken::new(), TaskTracker::new());
    println!("listening, version {version}");
    loop {
        let stream = tokio::select! {
            stream = socket.accept() => stream.unwrap().0,
            _ = stop.recv() => break,
        };
        let (version, ending) = (version.clone(), ending.clone());
        running.spawn(async move {
            let service = service_fn(move |_| {
                let body = Full::new(Bytes::from(version.clone()));
                async move { Ok::<_, Infallible>(Response::new(body)) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            if ending
                .run_until_cancelled(connection.as_mut())
                .await
                .is_none()
            {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        });
    }
    drop(socket);
    ending.cancel();
    running.close();
    running.wait().await;
}

/// This executable as the layer of an image.
fn store_executable(blobs: &Path) -> String {
    let executable = fs::read(std::env::current_exe().unwrap()).unwrap();
    let digest = hex::encode(Sha256::digest(&executable));
    let path = blobs.join("sha256").join(&digest);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, executable).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("sha256:{digest}")
}

impl Running {
    async fn ok(&self, target: &str, input: Value) -> Value {
        let (status, _, answer) = self.json(target, &input.to_string()).await;
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }

    async fn ecs(&self, operation: &str, input: Value) -> Value {
        self.ok(&format!("{ECS}.{operation}"), input).await
    }

    /// A Query call; the text of one element of the answer.
    pub(crate) async fn elb(&self, query: &str, element: &str) -> String {
        let body = format!("Version=2015-12-01&{query}");
        let (status, _, answer) = self.http("POST", "/", &[], &body).await;
        assert_eq!(status, 200, "{query}: {answer}");
        let text = answer
            .split_once(&format!("<{element}>"))
            .and_then(|(_, rest)| rest.split_once(&format!("</{element}>")));
        text.unwrap_or_else(|| panic!("no {element}: {answer}"))
            .0
            .to_owned()
    }

    async fn push(&self, executable: &str, version: &str) {
        let manifest = LocalImage {
            schema_version: 2,
            media_type: LocalImage::MEDIA_TYPE.into(),
            executable: executable.into(),
            env: BTreeMap::from([(VERSION.into(), version.into())]),
            args: ["rollout::served_process", "--exact", "--nocapture"]
                .map(Into::into)
                .to_vec(),
        };
        let input = json!({
            "repositoryName": "api",
            "imageTag": version,
            "imageManifest": serde_json::to_string(&manifest).unwrap(),
            "imageManifestMediaType": LocalImage::MEDIA_TYPE,
        });
        self.ok("AmazonEC2ContainerRegistry_V20150921.PutImage", input)
            .await;
    }

    async fn register(&self, repository: &str, version: &str) -> String {
        let definition = json!({
            "family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512", "executionRoleArn": "arn:aws:iam::000000000000:role/execution",
            "containerDefinitions": [{
                "name": "api", "image": format!("{repository}:{version}"), "essential": true,
                "portMappings": [{"containerPort": 80, "name": "http"}, {"containerPort": 9100, "name": "metrics"}],
                "logConfiguration": {"logDriver": "awslogs", "options": {
                    "awslogs-group": "/ecs/api", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs",
                }},
            }],
        });
        let answer = self.ecs("RegisterTaskDefinition", definition).await;
        answer["taskDefinition"]["taskDefinitionArn"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn until_completed(&self, definition: &str) {
        let before = Instant::now();
        loop {
            let answer = self
                .ecs(
                    "DescribeServices",
                    json!({"cluster": "main", "services": ["api"]}),
                )
                .await;
            let deployments = answer["services"][0]["deployments"].as_array().unwrap();
            if let [only] = &deployments[..]
                && only["taskDefinition"] == definition
                && only["rolloutState"] == "COMPLETED"
            {
                return;
            }
            assert!(before.elapsed() < Duration::from_secs(90), "{answer:#}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A service of two tasks behind the load balancer's port 80.
pub(crate) struct Served {
    pub(crate) emulator: Running,
    pub(crate) repository: String,
    pub(crate) group: String,
    pub(crate) listener: String,
}

impl Served {
    pub(crate) async fn start() -> Self {
        let emulator = Running::start().await;
        let executable = store_executable(&emulator.state.path().join("images"));
        let ecr = "AmazonEC2ContainerRegistry_V20150921.CreateRepository";
        let answer = emulator.ok(ecr, json!({"repositoryName": "api"})).await;
        let repository = answer["repository"]["repositoryUri"]
            .as_str()
            .unwrap()
            .to_owned();
        emulator.push(&executable, "1").await;
        emulator.push(&executable, "2").await;
        let group = json!({"logGroupName": "/ecs/api"});
        emulator.ok("Logs_20140328.CreateLogGroup", group).await;
        emulator
            .ecs("CreateCluster", json!({"clusterName": "main"}))
            .await;

        let balancer = emulator
            .elb(
                "Action=CreateLoadBalancer&Name=main&Subnets.member.1=subnet-1&Subnets.member.2=subnet-2",
                "LoadBalancerArn",
            )
            .await;
        let group = emulator
            .elb(
                "Action=CreateTargetGroup&Name=api&Protocol=HTTP&Port=80&VpcId=vpc-1&TargetType=ip&HealthCheckPath=%2Fhealth\
                 &HealthCheckIntervalSeconds=5&HealthCheckTimeoutSeconds=2&HealthyThresholdCount=2&UnhealthyThresholdCount=2",
                "TargetGroupArn",
            )
            .await;
        emulator
            .elb(
                &format!(
                    "Action=ModifyTargetGroupAttributes&TargetGroupArn={group}\
                     &Attributes.member.1.Key=deregistration_delay.timeout_seconds&Attributes.member.1.Value=1"
                ),
                "Key",
            )
            .await;
        let listener = emulator
            .elb(
                &format!(
                    "Action=CreateListener&LoadBalancerArn={balancer}&Protocol=HTTP&Port=80\
                     &DefaultActions.member.1.Type=forward&DefaultActions.member.1.TargetGroupArn={group}"
                ),
                "ListenerArn",
            )
            .await;

        let first = emulator.register(&repository, "1").await;
        let service = json!({
            "cluster": "main", "serviceName": "api", "taskDefinition": first, "desiredCount": 2, "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}},
            "loadBalancers": [{"targetGroupArn": group, "containerName": "api", "containerPort": 80}],
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
        });
        emulator.ecs("CreateService", service).await;
        emulator.until_completed(&first).await;
        Self {
            emulator,
            repository,
            group,
            listener,
        }
    }
}

type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// Asks without a pause until it is done: every status and body that came back.
async fn ask(
    client: HttpClient,
    method: &'static str,
    uri: Uri,
    done: Arc<AtomicBool>,
) -> BTreeSet<(u16, String)> {
    let mut seen = BTreeSet::new();
    while !done.load(Ordering::SeqCst) {
        let request = Request::builder().method(method).uri(uri.clone());
        let request = request.body(Full::default()).unwrap();
        let response = client.request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        seen.insert((status, String::from_utf8(body.to_vec()).unwrap()));
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_created_serves_and_is_rolled_without_a_failed_request() {
    let Served {
        emulator,
        repository,
        ..
    } = Served::start().await;
    let client: HttpClient = Client::builder(TokioExecutor::new()).build_http();
    let uri: Uri = format!("http://{}/", emulator.listeners[&80])
        .parse()
        .unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = ["GET", "POST", "GET", "POST"]
        .map(|method| tokio::spawn(ask(client.clone(), method, uri.clone(), Arc::clone(&done))))
        .into_iter()
        .collect();
    let second = emulator.register(&repository, "2").await;
    let update = json!({"cluster": "main", "service": "api", "taskDefinition": second});
    emulator.ecs("UpdateService", update).await;
    emulator.until_completed(&second).await;
    done.store(true, Ordering::SeqCst);
    let both = BTreeSet::from(["1", "2"].map(|version| (200, version.to_owned())));
    for client in clients {
        assert_eq!(client.await.unwrap(), both);
    }
    for _ in 0..4 {
        let response = client.get(uri.clone()).await.unwrap();
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            "2"
        );
    }

    let filter = json!({"logGroupName": "/ecs/api", "filterPattern": "listening"});
    let logged = emulator.ok("Logs_20140328.FilterLogEvents", filter).await;
    assert_eq!(logged["events"].as_array().unwrap().len(), 4, "{logged:#}");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(emulator.state.path().join(name)).unwrap()).unwrap()
    };
    assert_eq!(read("tasks.json").as_array().unwrap().len(), 2);
    let pids: Vec<i64> = read("tasks.pids")
        .as_array()
        .unwrap()
        .iter()
        .map(|process| process["pid"].as_i64().unwrap())
        .collect();
    assert_eq!(pids.len(), 2);
    emulator.shutdown.cancel();
    emulator.task.await.unwrap();
    for pid in pids {
        assert!(
            !Path::new(&format!("/proc/{pid}")).exists(),
            "{pid} still runs"
        );
    }
}
