//! StopServiceDeployment: the way back that someone asks for.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::World;

const LONG: Duration = Duration::from_secs(3600);

fn newest(world: &mut World) -> Value {
    world.service_deployments()[0].clone()
}

fn stop(world: &mut World) -> Value {
    let arn = newest(world)["serviceDeploymentArn"].clone();
    let reply = world.ecs(
        "StopServiceDeployment",
        json!({ "serviceDeploymentArn": arn, "stopType": "ROLLBACK" }),
    );
    assert_eq!(reply["serviceDeploymentArn"], arn);
    arn
}

#[test]
fn a_running_deployment_goes_back_even_without_the_breaker() {
    let mut world = World::furnished();
    world.deploy("good", 2);
    world.update(
        json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": { "enable": false, "rollback": false } } }),
    );
    let before = world.service();
    world.floor = 2;
    let definition = world.register("unhealthy");
    world.update(json!({ "taskDefinition": definition }));
    world.pass(Duration::from_secs(30));
    stop(&mut world);
    assert_eq!(newest(&mut world)["status"], "ROLLBACK_REQUESTED");
    let mut seen = Vec::new();
    world.until(LONG, "the way back", |world| {
        let status = newest(world)["status"].clone();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        world.completed()
    });
    assert_eq!(
        seen,
        [
            "ROLLBACK_REQUESTED",
            "ROLLBACK_IN_PROGRESS",
            "ROLLBACK_SUCCESSFUL"
        ]
    );
    let service = world.service();
    assert_eq!(service["taskDefinition"], before["taskDefinition"]);
    assert_eq!(
        service["deployments"][0]["id"],
        before["deployments"][0]["id"]
    );
    let record = newest(&mut world);
    assert!(record["rollback"]["serviceRevisionArn"].is_string());
    assert_eq!(record["deploymentCircuitBreaker"]["status"], "DISABLED");
}

#[test]
fn a_deployment_that_is_over_cannot_be_stopped() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    let arn = newest(&mut world)["serviceDeploymentArn"].clone();
    let input = json!({ "serviceDeploymentArn": arn });
    let error = world.ecs_error("StopServiceDeployment", input);
    assert_eq!(error.0, "ConflictException");
    let absent = format!("{}x", arn.as_str().unwrap());
    let input = json!({ "serviceDeploymentArn": absent });
    let error = world.ecs_error("StopServiceDeployment", input);
    assert_eq!(error.0, "ServiceDeploymentNotFoundException");
    let input = json!({ "serviceDeploymentArn": arn, "stopType": "ABORT" });
    let error = world.ecs_error("StopServiceDeployment", input);
    assert_eq!(error.0, "InvalidParameterException");
}

#[test]
fn a_first_deployment_has_nothing_to_go_back_to() {
    let mut world = World::furnished();
    let input = world.service_input("good", 1);
    world.ecs("CreateService", input);
    stop(&mut world);
    world.until(LONG, "the end", |world| {
        newest(world)["status"] == "ROLLBACK_FAILED"
    });
    assert_eq!(world.service()["deployments"][0]["rolloutState"], "FAILED");
    let definition = world.register("good");
    world.update(json!({ "taskDefinition": definition }));
    world.until(LONG, "the next one", World::completed);
}

#[test]
fn a_deployment_that_is_already_going_back_goes_on() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    let definition = world.register("crashes");
    world.update(json!({ "taskDefinition": definition }));
    world.until(LONG, "going back", |world| {
        newest(world)["status"] == "ROLLBACK_IN_PROGRESS"
    });
    stop(&mut world);
    assert_eq!(newest(&mut world)["status"], "ROLLBACK_IN_PROGRESS");
    world.until(LONG, "the end", |world| {
        newest(world)["status"] == "ROLLBACK_SUCCESSFUL"
    });
}
