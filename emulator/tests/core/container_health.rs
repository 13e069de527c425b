//! Health checks of containers, and what follows for tasks, services and deployments.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{furniture::definition, world::World};

const SOON: Duration = Duration::from_secs(300);

/// Registers a definition whose container is checked every ten seconds, and must fail twice.
fn checked(world: &mut World, tag: &str) -> Value {
    let mut input = definition(tag);
    input["containerDefinitions"][0]["healthCheck"] =
        json!({ "command": ["CMD-SHELL", "check || exit 1"], "interval": 10, "retries": 2 });
    world.ecs("RegisterTaskDefinition", input)["taskDefinition"].clone()
}

/// A service of such tasks, behind a load balancer if it is to have a grace period.
fn deploy(world: &mut World, desired: u32, grace: u32) {
    let mut input = world.service_input("good", desired);
    input["taskDefinition"] = checked(world, "good")["taskDefinitionArn"].clone();
    if grace > 0 {
        input["healthCheckGracePeriodSeconds"] = json!(grace);
    } else {
        input.as_object_mut().unwrap().remove("loadBalancers");
    }
    world.ecs("CreateService", input);
    world.until(SOON, "first deployment", World::completed);
}

fn make_ill(world: &mut World) {
    let (launch, _) = world.processes.values().next().unwrap();
    world.ill.insert(launch.address);
}

#[test]
fn a_check_has_these_defaults_and_the_start_period_none() {
    let mut world = World::furnished();
    let definition = checked(&mut world, "good");
    assert_eq!(
        definition["containerDefinitions"][0]["healthCheck"],
        json!({ "command": ["CMD-SHELL", "check || exit 1"], "interval": 10, "timeout": 5, "retries": 2 })
    );
}

#[test]
fn a_deployment_waits_for_its_containers_to_be_healthy() {
    let mut world = World::furnished();
    deploy(&mut world, 2, 0);
    for task in world.tasks("RUNNING") {
        assert_eq!(task["healthStatus"], "HEALTHY");
        assert_eq!(task["containers"][0]["healthStatus"], "HEALTHY");
    }
    let before = world.tasks("RUNNING");
    let next = checked(&mut world, "better")["taskDefinitionArn"].clone();
    world.update(json!({ "taskDefinition": next }));
    // Healthy old tasks stay until as many new ones are healthy.
    world.until(SOON, "the new tasks", |world| {
        world.service()["runningCount"] == 4
    });
    let new = world.tasks("RUNNING");
    let new = new
        .iter()
        .filter(|task| !before.iter().any(|old| old["taskArn"] == task["taskArn"]));
    assert!(
        new.into_iter()
            .all(|task| task["healthStatus"] == "UNKNOWN")
    );
    world.until(SOON, "the deployment", World::completed);
    assert!(
        world
            .tasks("RUNNING")
            .iter()
            .all(|task| task["healthStatus"] == "HEALTHY")
    );
}

#[test]
fn an_unhealthy_task_is_replaced_start_first() {
    let mut world = World::furnished();
    deploy(&mut world, 2, 0);
    make_ill(&mut world);
    world.until(SOON, "the stop", |world| !world.tasks("STOPPED").is_empty());
    let stopped = &world.tasks("STOPPED")[0];
    assert_eq!(stopped["stopCode"], "ServiceSchedulerInitiated");
    assert_eq!(
        stopped["stoppedReason"],
        "Task failed container health checks"
    );
    assert_eq!(stopped["healthStatus"], "UNHEALTHY");
    assert_eq!(stopped["containers"][0]["healthStatus"], "UNHEALTHY");
    world.pass(SOON);
    assert_eq!(world.service()["runningCount"], 2);
    assert_eq!(
        world.messages().split_off(3),
        [
            "(service api) (task ID) failed container health checks.",
            "(service api) has started 1 tasks: (task ID). Amazon ECS replaced 1 tasks due to an unhealthy status.",
            "(service api) has stopped 1 running tasks: (task ID).",
            "(service api) has reached a steady state.",
        ]
    );
}

#[test]
fn the_grace_period_holds_for_containers_too() {
    let mut world = World::furnished();
    deploy(&mut world, 1, 600);
    make_ill(&mut world);
    world.until(SOON, "unhealthy", |world| {
        world.tasks("RUNNING")[0]["healthStatus"] == "UNHEALTHY"
    });
    world.pass(Duration::from_secs(120));
    assert_eq!(world.tasks("RUNNING").len(), 1);
    world.pass(2 * SOON);
    assert_eq!(world.tasks("STOPPED").len(), 1);
}

#[test]
fn failing_checks_trip_the_breaker() {
    let mut world = World::furnished();
    deploy(&mut world, 1, 0);
    let old = world.service()["taskDefinition"].clone();
    let next = checked(&mut world, "unhealthy")["taskDefinitionArn"].clone();
    world.update(json!({ "taskDefinition": next }));
    world.until(Duration::from_secs(900), "the rollback", |world| {
        world.service_deployments()[0]["status"] == "ROLLBACK_SUCCESSFUL"
    });
    assert_eq!(world.service()["taskDefinition"], old);
    assert_eq!(
        world.service_deployments()[0]["deploymentCircuitBreaker"]["failureCount"],
        3
    );
}

#[test]
fn a_task_of_no_service_goes_on_although_it_is_unhealthy() {
    let mut world = World::furnished();
    let definition = checked(&mut world, "unhealthy")["taskDefinitionArn"].clone();
    world.ecs(
        "RunTask",
        json!({
            "cluster": "main", "taskDefinition": definition, "launchType": "FARGATE",
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-a"] } },
        }),
    );
    world.pass(SOON);
    let tasks = world.tasks("RUNNING");
    assert_eq!(tasks[0]["lastStatus"], "RUNNING");
    assert_eq!(tasks[0]["healthStatus"], "UNHEALTHY");
}
