//! What breaks while nobody edits anything: what ECS repairs by itself, what is redeployed, and what is left alone.

use std::fs;

use evenkeel::status::{Phase, ServiceStatus};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::world::{World, get, post};

fn is_synced(status: &ServiceStatus) -> bool {
    status.phase == Phase::Synced && status.targets.is_some_and(|targets| targets.healthy == 2)
}

fn runs_the_other(status: &ServiceStatus) -> bool {
    is_synced(status)
        && status
            .image
            .as_ref()
            .is_some_and(|image| image.tag == "2.0.0")
}

/// The misbehaving release instead of the API, and no grace: the balancer's word counts at once.
fn misbehaving(manifest: &mut String) {
    *manifest = manifest
        .replace(
            "healthCheckGracePeriodSeconds: 30",
            "healthCheckGracePeriodSeconds: 0",
        )
        .replace("gracePeriod: 2m", "gracePeriod: 1s");
}

/// The arns of the tasks that run.
const TASKS: &str =
    "say(sorted(ecs.list_tasks(cluster='evenkeel', serviceName='api')['taskArns']))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ecs_replaces_what_dies_and_the_status_follows_also_after_the_daemon_was_stopped() {
    let world = World::start_with(|manifest| {
        *manifest = manifest.replace("PeriodSeconds: 30", "PeriodSeconds: 15");
    })
    .await;
    // So slow to start that the daemon looks in between.
    world.push_misbehaving("2.0.0", &["STARTS_AFTER=8"]).await;
    world.set_tag("2.0.0");
    world.until("rolled out", runs_the_other).await;
    let updates = async || {
        let mut writes = world.daemon_writes().await;
        writes.retain(|call| call.operation == "UpdateService");
        writes.len()
    };
    let before = updates().await;
    let short = |status: &ServiceStatus| status.targets.is_some_and(|targets| targets.healthy < 2);

    let tasks = world.boto3(TASKS).await;
    kill(Pid::from_raw(a_task(&world)), Signal::SIGKILL).unwrap();
    world.until("seen to be short of a task", short).await;
    world.until("in sync after a kill", is_synced).await;
    assert_ne!(world.boto3(TASKS).await, tasks, "one was replaced");

    let tasks = world.boto3(TASKS).await;
    let lists = fs::read(world.state().join("tasks.json")).unwrap();
    let lists: Value = serde_json::from_slice(&lists).unwrap();
    let metrics = lists[0]["targets"][0].as_str().unwrap();
    post(&format!("http://{metrics}/behave/unhealthy")).await;
    world.until("seen to be unhealthy", short).await;
    world.until("in sync after an illness", is_synced).await;
    assert_ne!(world.boto3(TASKS).await, tasks, "one was replaced");

    world.signal_daemon(Signal::SIGSTOP);
    let tasks = world.boto3(TASKS).await;
    kill(Pid::from_raw(a_task(&world)), Signal::SIGKILL).unwrap();
    let replaced = world
        .boto3(
            "
import time
group = service()['loadBalancers'][0]['targetGroupArn']
def healthy():
    targets = elbv2.describe_target_health(TargetGroupArn=group)['TargetHealthDescriptions']
    return [t['Target'] for t in targets if t['TargetHealth']['State'] == 'healthy']
while len(healthy()) == 2: time.sleep(0.1)
while service()['runningCount'] < 2 or len(healthy()) < 2: time.sleep(0.1)
elbv2.deregister_targets(TargetGroupArn=group, Targets=healthy()[:1])
while len(healthy()) == 2: time.sleep(0.1)
while len(healthy()) < 2: time.sleep(0.1)
say(sorted(ecs.list_tasks(cluster='evenkeel', serviceName='api')['taskArns']))
",
        )
        .await;
    assert_ne!(replaced, tasks, "one was replaced, and a target came back");
    world.signal_daemon(Signal::SIGCONT);
    world.until("in sync at the end", is_synced).await;
    assert_eq!(updates().await, before, "ECS did it all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_below_its_minimum_is_redeployed_once_per_incident() {
    let world = World::start_with(misbehaving).await;
    let broken = world.state().join("what-all-need-is-broken");
    let needs = format!("UNHEALTHY_WHILE={}", broken.display());
    world.push_misbehaving("2.0.0", &[&needs]).await;
    world.set_tag("2.0.0");
    world
        .until("rolled out", |status| {
            is_synced(status)
                && status
                    .image
                    .as_ref()
                    .is_some_and(|image| image.tag == "2.0.0")
        })
        .await;
    let forced = async || {
        let mut writes = world.daemon_writes().await;
        writes.retain(|call| call.input["forceNewDeployment"] == true);
        writes.len()
    };
    fs::write(&broken, "").unwrap();
    world
        .until("redeployed, rolled back by ECS and held", |status| {
            status.phase == Phase::Held && status.rollout.is_none()
        })
        .await;
    assert_eq!(forced().await, 1);
    let kind = r#"evenkeel_drift_total{cluster="evenkeel",kind="target_health",service="api"} 1"#;
    let metrics = get(&format!("{}/metrics", world.endpoints.daemon)).await;
    let metrics = String::from_utf8(metrics.body().to_vec()).unwrap();
    assert!(metrics.contains(kind), "{metrics}");
    world.kill_daemon().await;
    world.resyncs(3).await;
    assert_eq!(forced().await, 1, "also after a restart");

    // The redeployment and the rollback have both failed, so ECS starts nothing any more; what runs recovers by itself.
    fs::remove_file(&broken).unwrap();
    let recovered = world
        .until("healthy again", |status| {
            status.targets.is_some_and(|targets| targets.healthy == 2)
        })
        .await;
    assert_eq!(recovered.phase, Phase::Held, "{recovered:#?}");
    world.resyncs(2).await;
    assert_eq!(
        forced().await,
        1,
        "what has failed is tried again by people"
    );
    let retried = world.evenkeel("by-hand", &["retry", "api"]).await;
    assert!(retried.status.success(), "{retried:?}");
    world.until("in sync again", is_synced).await;
    let mark = "say({t['key']: t['value'] for t in service()['tags']}.get('evenkeel:redeployed'))";
    let ended = async || {
        world
            .boto3(mark)
            .await
            .as_str()
            .unwrap()
            .ends_with(" ended")
    };
    while !ended().await {
        world.resyncs(1).await;
    }
    fs::write(&broken, "").unwrap();
    world
        .until("below the minimum again", |status| {
            status.phase == Phase::Degraded
        })
        .await;
    world.resyncs(2).await;
    assert_eq!(forced().await, 2, "not within ten minutes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_changes_again_and_again_is_left_alone_after_three_repairs() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    for _ in 0..3 {
        let repaired = world
            .boto3(
                "
import time
ecs.update_service(cluster='evenkeel', service='api', healthCheckGracePeriodSeconds=77)
while service()['healthCheckGracePeriodSeconds'] != 30: time.sleep(0.1)
say('repaired')
",
            )
            .await;
        assert_eq!(repaired, "repaired");
    }
    world
        .boto3("ecs.update_service(cluster='evenkeel', service='api', healthCheckGracePeriodSeconds=77)")
        .await;
    let told = world
        .until("left alone", |status| status.phase == Phase::Degraded)
        .await;
    assert!(
        told.message
            .contains("service.healthCheckGracePeriodSeconds was set back three times"),
        "{told:#?}"
    );
    world.resyncs(2).await;
    let grace = "say(service()['healthCheckGracePeriodSeconds'])";
    assert_eq!(world.boto3(grace).await, 77);
    world.edit("suspend: false ", "suspend: false   ");
    world.edit("keepRevisions: 10", "keepRevisions: 9");
    world.until("set back by an edit", is_synced).await;
    assert_eq!(world.boto3(grace).await, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_no_task_is_reported() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    world
        .boto3(
            "
group = service()['loadBalancers'][0]['targetGroupArn']
elbv2.register_targets(TargetGroupArn=group, Targets=[{'Id': '10.0.1.250', 'Port': 80}])
",
        )
        .await;
    let told = world
        .until("reported", |status| {
            status.message.contains("10.0.1.250:80")
        })
        .await;
    assert_eq!(told.phase, Phase::Degraded, "{told:#?}");
    let targets = told.targets.unwrap();
    assert_eq!((targets.healthy, targets.total), (2, 2), "{told:#?}");
}

/// The process of one of the tasks.
fn a_task(world: &World) -> i32 {
    let written = fs::read(world.state().join("tasks.pids")).unwrap();
    let processes: Value = serde_json::from_slice(&written).unwrap();
    i32::try_from(processes[0]["pid"].as_i64().unwrap()).unwrap()
}
