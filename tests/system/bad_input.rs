//! What is wrong is said: what, where, and what to do. The rest goes on, and nothing that runs is lost.

use std::{collections::BTreeMap, fs, net::SocketAddr, time::Duration};

use evenkeel::status::{Phase, ServiceStatus};
use hyper::StatusCode;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

use crate::{
    daemon::{Daemon, until},
    world::{World, copy_manifests, get},
};

fn is_synced(status: &ServiceStatus) -> bool {
    status.phase == Phase::Synced
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_manifest_isolates_itself_and_its_last_good_version_stays() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    let before = world.daemon_writes().await.len();
    let good = fs::read_to_string(world.manifest()).unwrap();

    world.edit("desiredCount:", "desiredCuont:");
    let line = good
        .lines()
        .position(|line| line.contains("desiredCount:"))
        .unwrap()
        + 1;
    let place = format!("api.yaml:{line}:5: unknown field `desiredCuont`");
    let told = world
        .until("told", |status| status.message.contains(&place))
        .await;
    assert!(
        told.message.contains("did you mean `desiredCount`?"),
        "{}",
        told.message
    );
    assert_eq!((told.phase, told.tasks.running), (Phase::Degraded, 2));
    assert!(
        metrics(&world)
            .await
            .contains("\nevenkeel_manifest_errors 1\n")
    );
    assert!(world.daemon_log().contains(&place));
    let status = world.evenkeel("by-hand", &["status"]).await;
    assert!(String::from_utf8(status.stderr).unwrap().contains(&place));

    // Drift is still repaired as the last good manifest says, and another file is not concerned.
    let change = world
        .ecs()
        .update_service()
        .cluster("evenkeel")
        .service("api")
        .desired_count(3);
    change.send().await.unwrap();
    fs::write(world.manifest().with_file_name("other.yaml"), other(&good)).unwrap();
    let ecs = world.ecs();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let described = ecs
            .describe_services()
            .cluster("evenkeel")
            .services("api")
            .services("other");
        let described = described.send().await.unwrap();
        let counts = described
            .services()
            .iter()
            .map(|s| (s.service_name().unwrap(), s.desired_count()));
        let counts: Vec<_> = counts.collect();
        if counts == [("api", 2), ("other", 1)] {
            break;
        }
        assert!(Instant::now() < deadline, "{counts:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    fs::write(world.manifest(), &good).unwrap();
    world.until("in sync", is_synced).await;
    assert!(
        metrics(&world)
            .await
            .contains("\nevenkeel_manifest_errors 0\n")
    );
    let of_api = |writes: Vec<crate::world::Call>| {
        writes
            .iter()
            .skip(before)
            .filter(|call| call.input["service"] == "api")
            .count()
    };
    assert_eq!(of_api(world.daemon_writes().await), 1, "only the drift");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_tag_or_reference_or_target_group_is_named_and_nothing_is_deployed() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    let before = world.daemon_writes().await.len();
    let good = fs::read_to_string(world.manifest()).unwrap();

    world.set_tag("9.9.9");
    let told = world
        .until("told", |status| status.message.contains("api:9.9.9"))
        .await;
    assert_eq!(told.phase, Phase::Degraded);
    assert!(
        told.message.contains("no such tag; push it"),
        "{}",
        told.message
    );

    fs::write(world.manifest(), &good).unwrap();
    world.until("in sync", is_synced).await;
    world.edit("${terraform.cluster_name}", "${terraform.cluster_nmae}");
    let told = world
        .until("told", |status| status.message.contains("cluster_nmae"))
        .await;
    assert!(
        told.message.contains("did you mean") && told.message.contains("cluster_name"),
        "{}",
        told.message
    );

    fs::write(world.manifest(), &good).unwrap();
    world.until("in sync", is_synced).await;
    let gone =
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gone/0123456789abcdef";
    world.edit("${terraform.target_group_arn}", gone);
    let told = world
        .until("told", |status| {
            status.message.contains("TargetGroupNotFound")
        })
        .await;
    assert_eq!(told.phase, Phase::Unknown);
    assert!(
        told.message.contains("create the target group or correct"),
        "{}",
        told.message
    );

    fs::write(world.manifest(), &good).unwrap();
    world.until("in sync", is_synced).await;
    let writes = world.daemon_writes().await;
    assert_eq!(writes.len(), before, "{:#?}", &writes[before..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_directory_changes_nothing() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    let before = world.daemon_writes().await.len();
    fs::rename(world.manifest(), world.manifest().with_extension("away")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let ready = get(&format!("{}/readyz", world.endpoints.daemon)).await;
        if ready.status() == StatusCode::SERVICE_UNAVAILABLE {
            let why = String::from_utf8(ready.body().to_vec()).unwrap();
            assert!(why.contains("there are no manifests any more"), "{why}");
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the daemon still says that it is ready"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.resyncs(2).await;
    assert_eq!(
        world.status().await.unwrap().phase,
        Phase::Synced,
        "it goes on with the last good set"
    );
    assert_eq!(world.daemon_writes().await.len(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_aws_everything_is_unknown_and_says_so() {
    // A port that nobody listens on: taken, and given back.
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let (daemon, _manifests) = daemon_before(nobody).await;
    let told = until_told(&daemon, "AWS cannot be reached").await;
    assert_eq!(told.phase, Phase::Unknown);
    assert!(
        told.message
            .contains("check the network, AWS_REGION and AWS_ENDPOINT_URL"),
        "{}",
        told.message
    );
    assert!(!daemon.page("/readyz").await.unwrap().0);
    assert!(daemon.page("/livez").await.unwrap().0);
    daemon.stop_within(ENDS_WITHIN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_call_is_unknown_and_says_what_to_check() {
    let denier = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = denier.local_addr().unwrap();
    let denying = tokio::spawn(deny_everything(denier));
    let (daemon, _manifests) = daemon_before(address).await;
    let told = until_told(&daemon, "AccessDeniedException").await;
    assert_eq!(told.phase, Phase::Unknown);
    assert!(
        told.message
            .starts_with("ecs:DescribeServices: AccessDeniedException"),
        "{}",
        told.message
    );
    assert!(
        told.message.contains("check the role's policy"),
        "{}",
        told.message
    );
    let (_, metrics) = daemon.page("/metrics").await.unwrap();
    assert!(
        metrics.contains(
            r#"evenkeel_aws_requests_total{code="AccessDeniedException",operation="DescribeServices",service="ecs"}"#
        ),
        "{metrics}"
    );
    daemon.stop_within(ENDS_WITHIN).await;
    denying.abort();
}

/// Answers every request as AWS answers a caller without rights.
async fn deny_everything(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut request = vec![0; 64 * 1024];
            let mut length = 0;
            // The SDK's requests are small: head and body, which ends at the declared length.
            while !is_whole(&request[..length]) {
                match stream.read(&mut request[length..]).await {
                    Ok(0) | Err(_) => return,
                    Ok(read) => length += read,
                }
            }
            let body =
                r#"{"__type":"AccessDeniedException","message":"not authorized to perform this"}"#;
            let answer = format!(
                "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        });
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    length.is_none_or(|length| body.len() >= length.trim().parse().unwrap())
}

/// A daemon before an AWS at this address, and its manifests.
async fn daemon_before(aws: SocketAddr) -> (Daemon, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let manifests = directory.path().join("manifests");
    fs::create_dir(&manifests).unwrap();
    copy_manifests(&manifests, |text| *text = without_references(text));
    let environment = BTreeMap::from([
        ("AWS_ENDPOINT_URL", format!("http://{aws}")),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret".to_owned()),
        ("EVENKEEL_MANIFESTS", manifests.display().to_string()),
    ]);
    let log = directory.path().join("daemon.log");
    (Daemon::start(&[], environment, &log).await, directory)
}

/// Waits until a status says this, and returns it.
async fn until_told(daemon: &Daemon, what: &str) -> ServiceStatus {
    until(what, async || {
        let services = daemon.json("/api/v1/services").await?;
        let services: Vec<ServiceStatus> = serde_json::from_value(services).unwrap();
        services
            .into_iter()
            .find(|status| status.message.contains(what))
    })
    .await
}

/// How long the daemon may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Every reference replaced by something of the right shape.
fn without_references(manifest: &str) -> String {
    let mut text = String::new();
    let mut rest = manifest;
    while let Some((before, after)) = rest.split_once("${terraform.") {
        let (name, after) = after.split_once('}').unwrap();
        text.push_str(before);
        text.push_str(match name {
            "private_subnet_ids" => "[subnet-1]",
            "ecr_repository_url" => "123456789012.dkr.ecr.us-east-1.amazonaws.com/api",
            "target_group_arn" => "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/api/0123456789abcdef",
            name if name.ends_with("role_arn") => "arn:aws:iam::123456789012:role/api",
            name if name.ends_with("secret_arn") => "arn:aws:secretsmanager:us-east-1:123456789012:secret:api-AbCdEf",
            name => name,
        });
        rest = after;
    }
    text.push_str(rest);
    text
}

/// A second service, which needs no load balancer.
pub fn other(manifest: &str) -> String {
    let text = manifest
        .replacen("  name: api ", "  name: other ", 1)
        .replace("/ecs/api", "/ecs/other");
    let text = text.replace("desiredCount: ${values.api_tasks}", "desiredCount: 1");
    [
        "loadBalancers:",
        "healthCheckGracePeriodSeconds:",
        "targetHealth:",
    ]
    .iter()
    .fold(text, |text, key| crate::rollouts::without_key(&text, key))
}

async fn metrics(world: &World) -> String {
    let metrics = get(&format!("{}/metrics", world.endpoints.daemon)).await;
    String::from_utf8(metrics.body().to_vec()).unwrap()
}
