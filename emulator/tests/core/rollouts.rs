//! Rolling deployments that go well.

use std::time::Duration;

use emulator::core::Effect;
use serde_json::json;

use crate::world::World;

const SOON: Duration = Duration::from_secs(300);

#[test]
fn the_first_deployment_completes_as_ecs_says_it() {
    let mut world = World::furnished();
    let service = world.deploy("good", 2);

    assert_eq!(service["runningCount"], 2);
    assert_eq!(service["pendingCount"], 0);
    assert_eq!(service["platformVersion"], "LATEST");
    let deployment = &service["deployments"][0];
    let id = deployment["id"].as_str().unwrap();
    assert_eq!(deployment["status"], "PRIMARY");
    assert_eq!(deployment["platformVersion"], "1.4.0");
    assert_eq!(
        deployment["rolloutStateReason"],
        format!("ECS deployment {id} completed.")
    );
    assert!(service.get("currentServiceDeployment").is_none());
    assert_eq!(
        world.messages(),
        [
            "(service api) has started 2 tasks: (task ID) (task ID).",
            "(service api) registered 1 targets in (target-group ARN)",
            "(service api) registered 1 targets in (target-group ARN)",
            "(service api) (deployment ecs-svc/N) deployment completed.",
            "(service api) has reached a steady state.",
        ]
    );
    assert_eq!(world.target_states(), ["healthy", "healthy"]);
    assert_eq!(world.routes[0].port, 80);
    assert_eq!(world.served(), 2);

    let record = &world.service_deployments()[0];
    assert_eq!(record["status"], "SUCCESSFUL");
    assert_eq!(
        record["deploymentCircuitBreaker"]["status"],
        "MONITORING_COMPLETE"
    );
    assert_eq!(record["deploymentCircuitBreaker"]["threshold"], 3);

    let task = &world.tasks("RUNNING")[0];
    assert_eq!(task["lastStatus"], "RUNNING");
    assert_eq!(task["group"], "service:api");
    assert_eq!(task["startedBy"], id);
    assert_eq!(task["healthStatus"], "UNKNOWN");
    let details = task["attachments"][0]["details"].as_array().unwrap();
    let address = details
        .iter()
        .find(|d| d["name"] == "privateIPv4Address")
        .unwrap();
    assert!(address["value"].as_str().unwrap().starts_with("10.0."));
}

#[test]
fn the_running_deployment_is_named_late_and_no_longer_than_it_runs() {
    let mut world = World::furnished();
    let input = world.service_input("good", 1);
    let created = world.ecs("CreateService", input)["service"].clone();
    assert!(created.get("currentServiceDeployment").is_none());
    assert_eq!(created["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(created["runningCount"], 0);
    world.until(SOON, "the name", |world| {
        world.service().get("currentServiceDeployment").is_some()
    });
    assert!(!world.completed());
    world.until(SOON, "completion", World::completed);
    assert!(world.service().get("currentServiceDeployment").is_none());
}

#[test]
fn no_deployment_completes_within_twenty_seconds_not_even_one_of_no_tasks() {
    let mut world = World::furnished();
    let input = world.service_input("good", 0);
    world.ecs("CreateService", input);
    world.pass(Duration::from_secs(19));
    assert!(!world.completed());
    world.until(SOON, "completion", World::completed);
}

#[test]
fn a_steady_service_says_so_again_every_six_hours_and_keeps_a_hundred_events() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    world.pass(Duration::from_secs(6 * 3600 + 60));
    let messages = world.messages();
    let steady = "(service api) has reached a steady state.";
    assert_eq!(&messages[messages.len() - 2..], [steady, steady]);
    world.pass(Duration::from_secs(110 * 6 * 3600));
    assert_eq!(world.messages().len(), 100);
}

#[test]
fn a_rolling_update_never_has_fewer_than_two_healthy_tasks() {
    let mut world = World::furnished();
    let old = world.deploy("good", 2)["deployments"][0]["id"].clone();
    world.floor = 2;
    let definition = world.register("better");
    let updated = world.update(json!({ "taskDefinition": definition }));
    assert_eq!(updated["deployments"].as_array().unwrap().len(), 2);
    assert_eq!(updated["deployments"][0]["runningCount"], 0);
    assert_eq!(updated["deployments"][1]["id"], old);
    assert_eq!(updated["deployments"][1]["status"], "ACTIVE");
    assert_eq!(updated["deployments"][1]["rolloutState"], "COMPLETED");

    let mut drained = false;
    world.until(SOON, "completion", |world| {
        assert!(world.served() >= 2);
        let service = world.service();
        let running =
            service["runningCount"].as_u64().unwrap() + service["pendingCount"].as_u64().unwrap();
        assert!(running <= 4, "{running} tasks");
        drained |= service["deployments"]
            .as_array()
            .unwrap()
            .iter()
            .any(|d| d["status"] == "DRAINING");
        world.completed()
    });
    assert!(drained, "the old deployment was never seen DRAINING");
    let service = world.service();
    assert_ne!(service["deployments"][0]["id"], old);
    assert_eq!(service["taskDefinition"], json!(definition));
    let messages = world.messages();
    let tail: Vec<&str> = messages.iter().skip(5).map(String::as_str).collect();
    assert_eq!(
        tail[0],
        "(service api) has started 2 tasks: (task ID) (task ID)."
    );
    assert!(
        tail.contains(&"(service api) has begun draining connections on 1 tasks.")
            || tail.contains(&"(service api) has begun draining connections on 2 tasks.")
    );
    assert_eq!(
        tail[tail.len() - 1],
        "(service api) has reached a steady state."
    );
    let stopped = world.tasks("STOPPED");
    assert_eq!(stopped.len(), 2);
    for task in stopped {
        assert_eq!(task["stopCode"], "ServiceSchedulerInitiated");
        assert!(
            task["stoppedReason"]
                .as_str()
                .unwrap()
                .starts_with("Scaling activity initiated by (deployment ecs-svc/")
        );
        assert_eq!(task["lastStatus"], "STOPPED");
    }
}

#[test]
fn a_task_drains_for_the_groups_delay_before_it_is_told_to_stop() {
    let mut world = World::furnished();
    world.deploy("good", 2);
    world.effects.clear();
    world.update(json!({ "desiredCount": 1 }));
    world.until(SOON, "a stop", |world| {
        world
            .effects
            .iter()
            .any(|(_, e)| matches!(e, Effect::StopTask { .. }))
    });
    let at = |wanted: fn(&Effect) -> bool| world.effects.iter().find(|(_, e)| wanted(e)).unwrap().0;
    let routes = at(|effect| matches!(effect, Effect::Routes(_)));
    let stop = at(|effect| matches!(effect, Effect::StopTask { .. }));
    assert_eq!(stop.duration_since(routes).as_secs(), 30);
    assert_eq!(world.routes[0].targets.len(), 1);
    let leaving = world.tasks("STOPPED");
    assert_eq!(leaving[0]["lastStatus"], "STOPPING");
}

#[test]
fn scaling_starts_no_deployment() {
    let mut world = World::furnished();
    let id = world.deploy("good", 1)["deployments"][0]["id"].clone();
    world.update(json!({ "desiredCount": 3 }));
    world.until(SOON, "three", |world| world.service()["runningCount"] == 3);
    world.update(json!({ "desiredCount": 1 }));
    world.until(SOON, "one", |world| world.service()["runningCount"] == 1);
    world.pass(SOON);
    let service = world.service();
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(service["deployments"][0]["id"], id);
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(world.service_deployments().len(), 1);
    assert!(
        world.messages().contains(
            &"(service api) has stopped 2 running tasks: (task ID) (task ID).".to_owned()
        )
    );
    assert_eq!(
        world.messages().last().unwrap(),
        "(service api) has reached a steady state."
    );
}

#[test]
fn a_newer_deployment_supersedes_one_that_runs() {
    let mut world = World::furnished();
    let first = world.deploy("good", 2)["deployments"][0]["id"].clone();
    world.floor = 2;
    let middle = world.register("better");
    world.update(json!({ "taskDefinition": middle }));
    world.pass(Duration::from_secs(10));
    let last = world.register("good");
    let updated = world.update(json!({ "taskDefinition": last }));
    let deployments = updated["deployments"].as_array().unwrap();
    assert_eq!(deployments.len(), 3);
    assert_eq!(deployments[1]["rolloutState"], "IN_PROGRESS");
    assert_eq!(deployments[1]["status"], "ACTIVE");
    assert_eq!(deployments[2]["id"], first);
    let wanted = deployments[0]["id"].clone();
    world.until(SOON, "completion", World::completed);
    assert_eq!(world.service()["deployments"][0]["id"], wanted);
    let statuses: Vec<_> = world
        .service_deployments()
        .iter()
        .map(|d| d["status"].clone())
        .collect();
    assert_eq!(statuses, ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]);
}

#[test]
fn an_empty_service_completes_after_twenty_seconds() {
    let mut world = World::furnished();
    let start = world.now;
    world.deploy("good", 0);
    assert!((19..=22).contains(&world.now.duration_since(start).as_secs()));
}

#[test]
fn a_deployment_without_room_says_so_once_and_waits() {
    let mut world = World::furnished();
    let mut input = world.service_input("good", 2);
    input["deploymentConfiguration"] =
        json!({ "minimumHealthyPercent": 100, "maximumPercent": 100 });
    let created = world.ecs("CreateService", input);
    assert_eq!(
        created["service"]["availabilityZoneRebalancing"],
        "DISABLED"
    );
    world.until(SOON, "completion", World::completed);
    world.update(json!({ "forceNewDeployment": true }));
    world.pass(SOON);
    assert!(!world.completed());
    let said = world
        .messages()
        .iter()
        .filter(|m| m.contains("was unable to stop or start tasks"))
        .count();
    assert_eq!(said, 1);
    world.update(json!({ "deploymentConfiguration": { "minimumHealthyPercent": 50 } }));
    world.until(SOON, "completion", World::completed);
}

#[test]
fn speed_shortens_awss_delays_and_not_the_health_checks() {
    let mut world = World::with_speed(10.0);
    world.furnish();
    let start = world.now;
    world.deploy("good", 2);
    assert!(world.now.duration_since(start).as_secs() < 8);
    world.effects.clear();
    world.pass(Duration::from_secs(50));
    let probes = world
        .effects
        .iter()
        .filter(|(_, e)| matches!(e, Effect::Probe(_)))
        .count();
    assert_eq!(probes, 20, "two targets, every five seconds");
}

#[test]
fn a_deleted_service_drains_and_is_then_inactive() {
    let mut world = World::furnished();
    world.deploy("good", 2);
    let refused = world.ecs_error(
        "DeleteService",
        json!({ "cluster": "main", "service": "api" }),
    );
    assert_eq!(
        refused.1,
        "The service cannot be stopped while it is scaled above 0."
    );
    let deleted = world.ecs(
        "DeleteService",
        json!({ "cluster": "main", "service": "api", "force": true }),
    );
    let breaker = &deleted["service"]["deploymentConfiguration"]["deploymentCircuitBreaker"];
    assert_eq!(*breaker, json!({ "enable": true, "rollback": true }));
    assert_eq!(world.service()["status"], "DRAINING");
    assert_eq!(
        world.ecs("ListServices", json!({ "cluster": "main" }))["serviceArns"],
        json!([])
    );
    let again = world.service_input("good", 1);
    let refused = world.ecs_error("CreateService", again.clone());
    assert_eq!(
        refused.1,
        "Unable to Start a service that is still Draining."
    );
    world.until(SOON, "inactive", |world| {
        world.service()["status"] == "INACTIVE"
    });
    assert!(world.routes[0].targets.is_empty());
    let refused = world.ecs_error(
        "UpdateService",
        json!({ "cluster": "main", "service": "api" }),
    );
    assert_eq!(refused.0, "ServiceNotActiveException");
    world.ecs("CreateService", again);
    world.until(SOON, "completion", World::completed);
}
