//! What is set wrong around the daemon: Terraform's outputs, the region, the credentials. It says what to do, in its log and its status,
//! writes nothing, and goes on by itself once it is set right.

use std::{fs, time::Duration};

use bytes::Bytes;
use evenkeel::status::{Phase, ServiceStatus};
use http_body_util::Full;
use hyper::{Request, StatusCode};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::{World, get};

fn is_synced(status: &ServiceStatus) -> bool {
    status.phase == Phase::Synced
}

/// Sets the emulator's plan of faults.
async fn faults(world: &World, plan: &Value) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let url = format!("{}/_emulator/faults", world.endpoints.aws);
    let request = Request::post(url)
        .body(Full::from(plan.to_string()))
        .unwrap();
    let response = client.request(request).await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
}

/// Waits until `/readyz` says no, and why.
async fn until_not_ready(world: &World, why: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let ready = get(&format!("{}/readyz", world.endpoints.daemon)).await;
        let said = String::from_utf8_lossy(ready.body()).into_owned();
        if ready.status() == StatusCode::SERVICE_UNAVAILABLE && said.contains(why) {
            return;
        }
        assert!(Instant::now() < deadline, "never said {why}: {said}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outputs_that_lack_a_name_or_are_of_another_version_are_named() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    let before = world.daemon_writes().await.len();
    let path = world.state().join("terraform.json");
    let good = fs::read_to_string(&path).unwrap();

    let mut outputs: Value = serde_json::from_str(&good).unwrap();
    outputs["schema_version"]["value"] = json!(2);
    fs::write(&path, outputs.to_string()).unwrap();
    let why = "schema_version is 2, and this one reads 1; run the evenkeel that came with the Terraform configuration";
    until_not_ready(&world, why).await;
    assert!(world.daemon_log().contains(why));
    assert_eq!(
        world.status().await.unwrap().phase,
        Phase::Synced,
        "it goes on with the last good set"
    );

    let mut outputs: Value = serde_json::from_str(&good).unwrap();
    outputs.as_object_mut().unwrap().remove("region");
    fs::write(&path, outputs.to_string()).unwrap();
    let what = "unknown reference `${terraform.region}`";
    let told = world
        .until("told", |status| status.message.contains(what))
        .await;
    let fix = "add it to the Terraform configuration and apply that";
    assert!(told.message.contains(fix), "{}", told.message);
    assert!(world.daemon_log().contains(what));

    fs::write(&path, &good).unwrap();
    world.until("in sync", is_synced).await;
    assert_eq!(world.daemon_writes().await.len(), before);
}

/// In another region there is no such cluster, which is all that AWS says of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_not_in_the_region_says_so() {
    let world = World::start_with(|manifest| {
        *manifest = manifest.clone() + "---\n" + &elsewhere(manifest);
    })
    .await;
    let all = world
        .until_all("told", |all| {
            all.iter().any(|status| {
                status.cluster == "elsewhere" && status.message.contains("ClusterNotFoundException")
            })
        })
        .await;
    let told = all
        .iter()
        .find(|status| status.cluster == "elsewhere")
        .unwrap();
    assert_eq!(told.phase, Phase::Unknown);
    let fix = "create the cluster, or correct its name (spec.cluster, --cluster) or the region (AWS_REGION)";
    assert!(told.message.contains(fix), "{}", told.message);
    assert!(world.daemon_log().contains(fix));
}

/// The manifest for a cluster that there is not, of a service without a load balancer.
fn elsewhere(manifest: &str) -> String {
    crate::bad_input::other(manifest).replace("${terraform.cluster_name}", "elsewhere")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_credentials_are_said_and_renewed_ones_taken_up() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    let before = world.daemon_writes().await.len();
    let plan = json!({"rules": [{"caller": "evenkeel-daemon", "effect": "expiredCredentials"}]});
    faults(&world, &plan).await;
    let told = world
        .until("told", |status| {
            status.message.contains("ExpiredTokenException")
        })
        .await;
    assert_eq!(told.phase, Phase::Unknown);
    let fix =
        "renew the credentials, and start evenkeel again where they come from its environment";
    assert!(told.message.contains(fix), "{}", told.message);
    assert!(world.daemon_log().contains(fix));
    until_not_ready(&world, "").await;

    faults(&world, &json!({"rules": []})).await;
    world.until("in sync", is_synced).await;
    assert_eq!(world.daemon_writes().await.len(), before);
}

/// The library would take it for the name of a module, and log nothing at all.
#[test]
fn a_log_level_that_is_none_is_said_at_once() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(["run", "--manifests", "nowhere", "--owner", "shop"])
        .env("RUST_LOG", "loud")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.starts_with("error: RUST_LOG is `loud`"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
