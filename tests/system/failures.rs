//! Rollouts that fail for other reasons than a crash: a field of the service, no progress, nothing to go back to; and
//! images whose tag moves or goes.

use std::fs;

use evenkeel::status::{Phase, ServiceStatus};

use crate::{
    load::Load,
    world::{World, get},
};

fn is_synced(status: &ServiceStatus) -> bool {
    status.phase == Phase::Synced
}

fn runs(tag: &'static str) -> impl Fn(&ServiceStatus) -> bool {
    move |status| is_synced(status) && status.image.as_ref().is_some_and(|image| image.tag == tag)
}

fn is_held(status: &ServiceStatus) -> bool {
    status.phase == Phase::Held && status.rollout.is_none()
}

const GROUP: &str = "\"${terraform.ecs_security_group_id}\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_security_group_that_does_not_exist_is_held_and_the_definition_is_not() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    let load = Load::start(&world);
    world.edit(GROUP, "sg-deleted");
    let held = world.until("held", is_held).await;
    let field = "service.networkConfiguration.awsvpcConfiguration.securityGroups";
    assert_eq!(held.held[0].fields, [field], "{held:#?}");
    assert_eq!(held.held[0].image, "", "the image is not held");
    assert!(held.message.starts_with(field), "{}", held.message);
    assert!(
        held.message.contains("sg-deleted"),
        "ECS says why: {}",
        held.message
    );
    let updates = async || {
        let mut writes = world.daemon_writes().await;
        writes.retain(|call| call.operation == "UpdateService");
        writes.len()
    };
    let before = updates().await;
    world.resyncs(2).await;
    assert_eq!(updates().await, before, "what failed is not tried again");

    world.edit("sg-deleted", GROUP);
    world.set_tag("1.1.0");
    world
        .until("rolled out with the old group", runs("1.1.0"))
        .await;
    assert_eq!(load.stop().await.bad, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_without_progress_is_taken_back_and_held() {
    let world = World::start_with(|manifest| {
        *manifest = manifest
            .replace("timeout: 15m", "timeout: 8s")
            .replace("PeriodSeconds: 30", "PeriodSeconds: 600");
    })
    .await;
    world.until("in sync", is_synced).await;
    // Within its grace period a task that never listens does not fail, so ECS would wait for it.
    world.push_misbehaving("silent", &["BEHAVES=silent"]).await;
    world.set_tag("silent");
    let held = world.until("taken back and held", is_held).await;
    assert!(held.held[0].image.ends_with("api:silent"), "{held:#?}");
    assert_eq!(held.targets.unwrap().healthy, 2, "{held:#?}");
    let mut stops = world.daemon_writes().await;
    stops.retain(|call| call.operation == "StopServiceDeployment");
    assert_eq!(stops.len(), 1);
    assert_eq!(stops[0].input["stopType"], "ROLLBACK");
    let metrics = get(&format!("{}/metrics", world.endpoints.daemon)).await;
    let metrics = String::from_utf8(metrics.body().to_vec()).unwrap();
    let timed_out =
        r#"evenkeel_rollouts_total{cluster="evenkeel",outcome="timed_out",service="api"} 1"#;
    assert!(metrics.contains(timed_out), "{metrics}");
    world.set_tag("1.1.0");
    world.until("superseded by an edit", runs("1.1.0")).await;
}

/// A service without a load balancer.
fn first(tag: &str) -> String {
    format!(
        "
apiVersion: evenkeel/v1
kind: Service
metadata: {{name: first}}
spec:
  cluster: ${{terraform.cluster_name}}
  image: {{repository: '${{terraform.ecr_repository_url}}', tag: '{tag}'}}
  service:
    desiredCount: 1
    launchType: FARGATE
    networkConfiguration: {{awsvpcConfiguration: {{subnets: [subnet-1], securityGroups: [sg-1]}}}}
    deploymentConfiguration: {{deploymentCircuitBreaker: {{enable: true, rollback: true}}}}
  taskDefinition:
    cpu: '256'
    memory: '512'
    networkMode: awsvpc
    requiresCompatibilities: [FARGATE]
    containerDefinitions: [{{name: main, image: '${{image}}', portMappings: [{{containerPort: 80, name: http}}]}}]
"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_deployment_that_fails_is_held_and_superseded_by_the_next_edit() {
    let world = World::start().await;
    world.push_misbehaving("exits", &["BEHAVES=exits"]).await;
    world.push_misbehaving("well", &[]).await;
    let path = world.beside("first.yaml");
    fs::write(&path, first("exits")).unwrap();
    let is = |phase: Phase| {
        move |all: &[ServiceStatus]| {
            all.iter()
                .any(|one| one.name == "first" && one.phase == phase)
        }
    };
    let all = world.until_all("held", is(Phase::Held)).await;
    let held = all.iter().find(|one| one.name == "first").unwrap();
    assert!(
        held.message.contains("nothing to be rolled back to"),
        "{held:#?}"
    );
    let written = world.daemon_writes().await.len();
    world.resyncs(2).await;
    assert_eq!(world.daemon_writes().await.len(), written);
    fs::write(&path, first("well")).unwrap();
    world.until_all("superseded", is(Phase::Synced)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tracked_tag_rolls_out_when_it_moves_and_keeps_its_meaning_when_it_goes() {
    let world = World::start_with(|manifest| {
        *manifest = manifest.replace(
            "    tag: \"1.0.0\" ",
            "    track: true\n    tag: \"1.0.0\" ",
        );
    })
    .await;
    let before = world.until("in sync", runs("1.0.0")).await;
    world.push_misbehaving("1.0.0", &[]).await;
    let digest = |status: &ServiceStatus| status.image.as_ref().unwrap().digest.clone();
    let moved = world
        .until("rolled out", |status| {
            is_synced(status) && digest(status) != digest(&before)
        })
        .await;

    world
        .boto3(
            "
ecr = boto3.client('ecr', config=config)
gone = ecr.batch_delete_image(repositoryName='api', imageIds=[{'imageTag': '1.0.0'}])
assert gone['imageIds'], gone
ecs.update_service(cluster='evenkeel', service='api', healthCheckGracePeriodSeconds=77)
",
        )
        .await;
    let told = world
        .until("reported", |status| {
            status.phase == Phase::Degraded
                && status.message.contains("api:1.0.0")
                && status.drift.is_empty()
        })
        .await;
    assert_eq!(digest(&told), digest(&moved), "the digest stays");
    let grace = world
        .boto3("say(service()['healthCheckGracePeriodSeconds'])")
        .await;
    assert_eq!(grace, 30, "the rest is repaired");
    world.push_misbehaving("1.0.0", &[]).await;
    world.until("in sync again", is_synced).await;
}
