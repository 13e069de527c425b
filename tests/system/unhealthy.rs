//! Releases that cannot be served: one whose health check fails, and one that does not exist.

use evenkeel::status::{Phase, ServiceStatus};
use serde_json::json;

use crate::{load::Load, world::World};

fn is_synced(status: &ServiceStatus) -> bool {
    status.phase == Phase::Synced
}

/// It would keep a new task for half a minute before the balancer's word counts.
fn without_grace(manifest: &mut String) {
    *manifest = manifest.replace(
        "healthCheckGracePeriodSeconds: 30",
        "healthCheckGracePeriodSeconds: 0",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_serves_but_is_unhealthy_is_rolled_back_and_held() {
    let world = World::start_with(without_grace).await;
    world.until("in sync", is_synced).await;
    world
        .push_misbehaving("unhealthy", &["BEHAVES=unhealthy"])
        .await;
    let load = Load::start(&world);
    world.set_tag("unhealthy");
    let held = world
        .until("held", |status| {
            status.phase == Phase::Held && status.rollout.is_none()
        })
        .await;
    assert!(held.held[0].image.ends_with("api:unhealthy"), "{held:#?}");
    assert!(
        held.held[0].reason.contains("health checks"),
        "the load balancer's word: {held:#?}"
    );
    assert_eq!(held.image.as_ref().unwrap().tag, "1.0.0");
    let targets = held.targets.unwrap();
    assert_eq!(targets.healthy, 2, "{held:#?}");

    let updates = async || {
        let mut writes = world.daemon_writes().await;
        writes.retain(|call| call.operation == "UpdateService");
        writes.len()
    };
    assert_eq!(updates().await, 1);
    world.resyncs(2).await;
    assert_eq!(updates().await, 1, "what failed is not tried again");
    let answers = load.stop().await;
    assert_eq!(answers.bad, [] as [String; 0]);
    assert_eq!(answers.good.keys().collect::<Vec<_>>(), ["api/1.0.0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_does_not_exist_deploys_nothing_and_the_rest_is_repaired() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    let before = world.boto3("say(service())").await;
    let written = world.daemon_writes().await.len();
    world.set_tag("9.9.9");
    world
        .until("told", |status| {
            status.phase == Phase::Degraded && status.message.contains("api:9.9.9")
        })
        .await;
    world
        .boto3(
            "ecs.update_service(cluster='evenkeel', service='api', deploymentConfiguration={
                'minimumHealthyPercent': 50, 'maximumPercent': 150})",
        )
        .await;
    let restored = &before["deploymentConfiguration"];
    world
        .until_boto3_says("say(service()['deploymentConfiguration'])", restored)
        .await;
    let after = world.boto3("say(service())").await;
    for member in ["taskDefinition", "deploymentConfiguration", "desiredCount"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    assert_eq!(
        after["deployments"][0]["id"], before["deployments"][0]["id"],
        "nothing was deployed"
    );
    let writes = world.daemon_writes().await;
    let made: Vec<_> = writes[written..]
        .iter()
        .map(|call| (call.operation.as_str(), &call.input["taskDefinition"]))
        .collect();
    assert_eq!(made, [("UpdateService", &json!(null))], "{writes:#?}");
    let told = world.status().await.unwrap();
    assert_eq!(told.phase, Phase::Degraded);
    assert!(told.message.contains("api:9.9.9"), "{}", told.message);
    assert_eq!(
        (told.tasks.running, told.image.unwrap().tag),
        (2, "1.0.0".to_owned())
    );
}
