//! More than one service: names, renames, removals, and everything at once.

use std::fs;

use evenkeel::status::{Phase, ServiceStatus};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::world::{World, get};

fn is_synced(status: &ServiceStatus) -> bool {
    status.phase == Phase::Synced
}

/// A service without tasks, which needs nothing but a cluster.
fn idle(name: &str, cluster: &str) -> String {
    format!(
        "
apiVersion: evenkeel/v1
kind: Service
metadata: {{name: {name}}}
spec:
  cluster: {cluster}
  service:
    desiredCount: 0
    launchType: FARGATE
    networkConfiguration: {{awsvpcConfiguration: {{subnets: [subnet-1], securityGroups: [sg-1]}}}}
  taskDefinition:
    cpu: '256'
    memory: '512'
    networkMode: awsvpc
    requiresCompatibilities: [FARGATE]
    containerDefinitions: [{{name: main, image: 'example.com/idle:1'}}]
"
    )
}

fn find<'a>(all: &'a [ServiceStatus], cluster: &str, name: &str) -> Option<&'a ServiceStatus> {
    all.iter()
        .find(|status| status.cluster == cluster && status.name == name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_of_one_name_in_two_clusters_are_two_services() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    world
        .boto3("ecs.create_cluster(clusterName='second')")
        .await;
    fs::write(world.beside("second.yaml"), idle("api", "second")).unwrap();
    world
        .until_all("both in sync", |all| {
            ["evenkeel", "second"]
                .iter()
                .all(|cluster| find(all, cluster, "api").is_some_and(is_synced))
        })
        .await;
    let written = world.daemon_writes().await.len();
    world
        .boto3(
            "ecs.update_service(cluster='second', service='api', deploymentConfiguration={'maximumPercent': 150})",
        )
        .await;
    let percent = "
second = ecs.describe_services(cluster='second', services=['api'])['services'][0]
say(second['deploymentConfiguration']['maximumPercent'])
";
    world.until_boto3_says(percent, &json!(200)).await;
    let writes = world.daemon_writes().await;
    let made: Vec<_> = writes[written..]
        .iter()
        .map(|call| {
            (
                call.operation.as_str(),
                call.input["cluster"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(made, [("UpdateService", "second")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_manifest_leaves_the_old_service_serving_and_makes_no_second() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    let written = world.daemon_writes().await.len();
    world.edit("  name: api      ", "  name: renamed  ");
    let orphaned = |all: &[ServiceStatus]| {
        find(all, "evenkeel", "api").is_some_and(|old| old.phase == Phase::Orphaned)
    };
    let all = world
        .until_all("refused", |all| {
            orphaned(all)
                && find(all, "evenkeel", "renamed").is_some_and(|new| new.phase == Phase::Degraded)
        })
        .await;
    let renamed = find(&all, "evenkeel", "renamed").unwrap();
    assert!(
        renamed.message.contains("service api has a target group"),
        "{renamed:#?}"
    );
    world.kill_daemon().await;
    world
        .until_all("found again by the next daemon", orphaned)
        .await;
    let writes = world.daemon_writes().await;
    assert_eq!(writes.len(), written, "{:#?}", &writes[written..]);
    let running = "say(service()['runningCount'])";
    assert_eq!(world.boto3(running).await, 2);

    world.edit("  name: renamed  ", "  name: api      ");
    world.until("in sync again", is_synced).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_manifests_of_one_service_and_a_removed_one_change_nothing() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    let other = world.beside("other.yaml");
    fs::write(&other, idle("other", "evenkeel")).unwrap();
    let other_is = |phase| {
        move |all: &[ServiceStatus]| {
            find(all, "evenkeel", "other").is_some_and(|other| other.phase == phase)
        }
    };
    world.until_all("there", other_is(Phase::Synced)).await;
    let written = world.daemon_writes().await.len();

    let twice = idle("other", "evenkeel").replace("desiredCount: 0", "desiredCount: 1");
    fs::write(world.beside("twice.yaml"), twice).unwrap();
    let all = world.until_all("refused", other_is(Phase::Degraded)).await;
    let told = find(&all, "evenkeel", "other").unwrap();
    assert!(told.message.contains("also used by"), "{told:#?}");
    fs::remove_file(world.beside("twice.yaml")).unwrap();
    world.until_all("settled", other_is(Phase::Synced)).await;

    fs::remove_file(&other).unwrap();
    world
        .until_all("an orphan", other_is(Phase::Orphaned))
        .await;
    world.resyncs(2).await;
    let exists = "say(ecs.describe_services(cluster='evenkeel', services=['other'])['services'][0]['status'])";
    assert_eq!(world.boto3(exists).await, "ACTIVE");
    let writes = world.daemon_writes().await;
    assert_eq!(writes.len(), written, "{:#?}", &writes[written..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_brake_holds_when_many_services_differ_at_once() {
    let world = World::start().await;
    let names = ["one", "two", "three", "four"];
    for name in names {
        fs::write(
            world.beside(&format!("{name}.yaml")),
            idle(name, "evenkeel"),
        )
        .unwrap();
    }
    let all_synced = |all: &[ServiceStatus]| {
        names
            .iter()
            .all(|name| find(all, "evenkeel", name).is_some_and(is_synced))
    };
    world.until_all("there", all_synced).await;
    let started = async || {
        let mut writes = world.daemon_writes().await;
        writes.retain(|call| call.input.get("networkConfiguration").is_some());
        writes.retain(|call| call.operation == "UpdateService");
        writes.len()
    };
    // The daemon must see it at once: while it is stopped, everything changes.
    world.signal_daemon(Signal::SIGSTOP);
    world
        .boto3(
            "
for name in ['one', 'two', 'three', 'four']:
    ecs.update_service(cluster='evenkeel', service=name, networkConfiguration={
        'awsvpcConfiguration': {'subnets': ['subnet-1'], 'securityGroups': ['sg-2']}})
",
        )
        .await;
    world.signal_daemon(Signal::SIGCONT);
    let all = world
        .until_all("refused", |all| {
            names.iter().all(|name| {
                find(all, "evenkeel", name).is_some_and(|one| {
                    one.message
                        .contains("4 of 5 services would start deployments")
                })
            })
        })
        .await;
    let one = find(&all, "evenkeel", "one").unwrap();
    assert_eq!(one.phase, Phase::Degraded, "{one:#?}");
    world.resyncs(3).await;
    assert_eq!(started().await, 0);
    let metrics = get(&format!("{}/metrics", world.endpoints.daemon)).await;
    let metrics = String::from_utf8(metrics.body().to_vec()).unwrap();
    assert!(metrics.contains("evenkeel_brake_engaged 1"), "{metrics}");

    for name in names {
        let edited = idle(name, "evenkeel").replace("sg-1", "sg-3");
        fs::write(world.beside(&format!("{name}.yaml")), edited).unwrap();
    }
    world.until_all("edited", all_synced).await;
    assert_eq!(started().await, 4, "an edit goes through");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_for_another_account_changes_nothing() {
    let world = World::start().await;
    world.until("in sync", is_synced).await;
    let written = world.daemon_writes().await.len();
    let role = "arn:aws:iam::999999999999:role/api";
    world.edit("${terraform.api_task_role_arn} ", role);
    let told = world
        .until("unknown", |status| status.phase == Phase::Unknown)
        .await;
    assert!(told.message.contains(role), "{told:#?}");
    world.resyncs(2).await;
    assert_eq!(world.daemon_writes().await.len(), written);
}
