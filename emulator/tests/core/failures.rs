//! What happens to a service that runs: tasks die, turn ill, are taken out of rotation.

use std::time::Duration;

use emulator::core::Effect;
use serde_json::json;

use crate::{
    furniture::definition,
    world::{JSON_SECRET, World},
};

const SOON: Duration = Duration::from_secs(300);

#[test]
fn a_killed_task_is_replaced() {
    let mut world = World::furnished();
    let id = world.deploy("good", 2)["deployments"][0]["id"].clone();
    let task = world.tasks("RUNNING")[0]["taskArn"]
        .as_str()
        .unwrap()
        .to_owned();
    world.exit(&task, 137, Duration::ZERO);
    world.until(SOON, "notice", |world| world.served() == 1);
    world.until(SOON, "replacement", |world| world.served() == 2);
    world.pass(SOON);
    let service = world.service();
    assert_eq!(service["runningCount"], 2);
    assert_eq!(service["deployments"][0]["id"], id);
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(service["deployments"][0]["failedTasks"], 0);
    let dead = &world.tasks("STOPPED")[0];
    assert_eq!(dead["stopCode"], "EssentialContainerExited");
    assert_eq!(dead["containers"][0]["exitCode"], 137);
    assert_eq!(
        world.messages().split_off(5),
        [
            "(service api) deregistered 1 targets in (target-group ARN)",
            "(service api) has begun draining connections on 1 tasks.",
            "(service api) has started 1 tasks: (task ID).",
            "(service api) registered 1 targets in (target-group ARN)",
            "(service api) has reached a steady state.",
        ]
    );
    assert!(
        !world
            .effects
            .iter()
            .any(|(_, e)| matches!(e, Effect::StopTask { .. }))
    );
}

#[test]
fn a_task_lost_during_a_failing_rollout_is_replaced_by_its_own_revision() {
    let mut world = World::furnished();
    let old = world.deploy("good", 2)["deployments"][0]["id"].clone();
    world.update(
        json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": { "enable": false } } }),
    );
    let crashes = world.register("crashes");
    world.update(json!({ "taskDefinition": crashes }));
    world.pass(Duration::from_secs(60));
    let task = world
        .processes
        .keys()
        .find(|task| world.processes[*task].0.containers[0].image.args[0] == "good")
        .unwrap()
        .clone();
    world.exit(&task, 137, Duration::ZERO);
    world.pass(Duration::from_secs(120));
    assert_eq!(world.served(), 2);
    let deployments = world.service()["deployments"].clone();
    let old = deployments
        .as_array()
        .unwrap()
        .iter()
        .find(|d| d["id"] == old)
        .unwrap()
        .clone();
    assert_eq!(old["runningCount"], 2);
}

#[test]
fn a_task_that_turns_unhealthy_is_replaced_start_first() {
    let mut world = World::furnished();
    world.deploy("good", 2);
    let address = world.routes[0].targets[0].address;
    world.ill.insert(address);
    world.until(SOON, "notice", |world| world.served() == 1);
    world.effects.clear();
    world.until(SOON, "the stop", |world| {
        world
            .effects
            .iter()
            .any(|(_, e)| matches!(e, Effect::StopTask { .. }))
    });
    assert_eq!(
        world.served(),
        2,
        "the replacement serves before the old task is stopped"
    );
    world.until(SOON, "steady", |world| {
        world.messages().last().unwrap() == "(service api) has reached a steady state."
    });
    let messages = world.messages();
    assert!(messages.contains(&"(service api) has started 1 tasks: (task ID). Amazon ECS replaced 1 tasks due to an unhealthy status.".to_owned()), "{messages:#?}");
    assert_eq!(world.service()["deployments"].as_array().unwrap().len(), 1);
}

#[test]
fn the_grace_period_keeps_an_unhealthy_task() {
    let mut world = World::furnished();
    let mut input = world.service_input("unhealthy", 1);
    input["healthCheckGracePeriodSeconds"] = json!(120);
    world.ecs("CreateService", input);
    world.until(SOON, "unhealthy", |world| {
        world.target_states() == ["unhealthy"]
    });
    world.pass(Duration::from_secs(90));
    assert_eq!(world.service()["runningCount"], 1);
    assert!(world.tasks("STOPPED").is_empty());
    world.until(SOON, "the replacement", |world| {
        world.service()["pendingCount"] == 1
    });
}

#[test]
fn a_grace_period_made_longer_still_ends() {
    let mut world = World::furnished();
    let mut input = world.service_input("unhealthy", 1);
    input["healthCheckGracePeriodSeconds"] = json!(60);
    world.ecs("CreateService", input);
    world.until(SOON, "unhealthy", |world| {
        world.target_states() == ["unhealthy"]
    });
    world.update(json!({ "healthCheckGracePeriodSeconds": 600 }));
    world.pass(Duration::from_secs(500));
    assert!(world.tasks("STOPPED").is_empty());
    world.until(SOON, "the replacement", |world| {
        world.service()["pendingCount"] == 1
    });
}

#[test]
fn stop_task_is_not_a_failure_and_is_repaired() {
    let mut world = World::furnished();
    world.deploy("good", 2);
    let task = world.tasks("RUNNING")[0]["taskArn"].clone();
    let reply = world.ecs(
        "StopTask",
        json!({ "cluster": "main", "task": task, "reason": "by hand" }),
    );
    assert_eq!(reply["task"]["desiredStatus"], "STOPPED");
    assert_eq!(
        world.service()["runningCount"],
        1,
        "told to stop is not counted, though it still runs"
    );
    world.until(SOON, "repair", |world| world.service()["runningCount"] == 2);
    world.pass(SOON);
    let stopped = &world.tasks("STOPPED")[0];
    assert_eq!(stopped["stopCode"], "UserInitiated");
    assert_eq!(stopped["stoppedReason"], "by hand");
    assert_eq!(world.service()["deployments"][0]["failedTasks"], 0);
}

#[test]
fn a_target_taken_out_by_hand_is_registered_again() {
    let mut world = World::furnished();
    world.deploy("good", 2);
    let target = world.routes[0].targets[0].clone();
    let group = world.group_arn();
    world.elb(
        "DeregisterTargets",
        json!({
            "TargetGroupArn": group,
            "Targets": [{ "Id": target.address.to_string(), "Port": target.port.to_string() }],
        }),
    );
    assert_eq!(world.served(), 1);
    world.until(SOON, "repair", |world| world.served() == 2);
    assert!(world.tasks("STOPPED").is_empty());
}

#[test]
fn a_target_without_a_listener_is_unused_until_there_is_one() {
    let mut world = World::furnished();
    let group = world.group("spare");
    world.elb(
        "RegisterTargets",
        json!({ "TargetGroupArn": group, "Targets": [{ "Id": "10.0.9.9", "Port": "80" }] }),
    );
    world.pass(Duration::from_secs(60));
    let health = world.elb("DescribeTargetHealth", json!({ "TargetGroupArn": group }));
    let health = &health["TargetHealthDescriptions"][0]["TargetHealth"];
    assert_eq!(
        (&health["State"], &health["Reason"]),
        (&json!("unused"), &json!("Target.NotInUse"))
    );
    assert!(
        !world
            .effects
            .iter()
            .any(|(_, e)| matches!(e, Effect::Probe(_)))
    );

    let balancer =
        world.elb("DescribeLoadBalancers", json!({}))["LoadBalancers"][0]["LoadBalancerArn"]
            .clone();
    world.elb(
        "CreateListener",
        json!({
            "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": "81",
            "DefaultActions": [{ "Type": "forward", "TargetGroupArn": group }],
        }),
    );
    world.pass(Duration::from_secs(20));
    let health = world.elb("DescribeTargetHealth", json!({ "TargetGroupArn": group }));
    let health = &health["TargetHealthDescriptions"][0]["TargetHealth"];
    assert_eq!(
        (&health["State"], &health["Reason"]),
        (&json!("unhealthy"), &json!("Target.FailedHealthChecks"))
    );
}

#[test]
fn a_missing_log_group_or_secret_is_said_by_the_stopped_task() {
    let mut world = World::furnished();
    let mut without_group = definition("good");
    without_group["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-group"] =
        json!("/absent");
    let mut without_secret = definition("good");
    let absent = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:absent-AbCdEf";
    without_secret["containerDefinitions"][0]["secrets"] =
        json!([{ "name": "DATABASE_URL", "valueFrom": absent }]);
    for (document, word) in [
        (without_group, "/absent"),
        (without_secret, "absent-AbCdEf"),
    ] {
        let mut world = World::furnished();
        let input = world.service_input("good", 1);
        world.ecs("RegisterTaskDefinition", document);
        let mut input = input;
        input["taskDefinition"] = json!("api");
        world.ecs("CreateService", input);
        world.until(SOON, "the failure", |world| {
            !world.tasks("STOPPED").is_empty()
        });
        let task = &world.tasks("STOPPED")[0];
        let reason = task["stoppedReason"].as_str().unwrap();
        assert_eq!(task["stopCode"], "TaskFailedToStart");
        assert!(
            reason.starts_with("ResourceInitializationError: ") && reason.contains(word),
            "{reason}"
        );
    }
    world.pass(Duration::ZERO);
}

#[test]
fn secrets_reach_the_process_and_nothing_else() {
    let mut world = World::furnished();
    let mut document = definition("good");
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf";
    document["containerDefinitions"][0]["secrets"] = json!([
        { "name": "DATABASE_URL", "valueFrom": arn },
        { "name": "DATABASE_PASSWORD", "valueFrom": format!("{}:password::", JSON_SECRET) },
    ]);
    let mut input = world.service_input("good", 1);
    world.ecs("RegisterTaskDefinition", document);
    input["taskDefinition"] = json!("api");
    world.ecs("CreateService", input);
    world.until(SOON, "completion", World::completed);
    let (launch, _) = world.processes.values().next().unwrap();
    assert_eq!(launch.containers[0].environment["DATABASE_URL"], "hunter2");
    assert_eq!(
        launch.containers[0].environment["DATABASE_PASSWORD"],
        "hunter2?"
    );
    assert_eq!(launch.containers[0].environment["RUST_LOG"], "info");
    assert!(!format!("{:?}", world.cloud).contains("hunter2"));
    assert!(!format!("{:?}", world.effects).contains("hunter2"));
}

#[test]
fn a_tag_is_resolved_once_per_deployment() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    let pinned = world.tasks("RUNNING")[0]["containers"][0]["imageDigest"].clone();
    let moved = world.push("good", "better");
    assert_ne!(pinned, json!(moved));
    world.update(json!({ "desiredCount": 2 }));
    world.until(SOON, "two", |world| world.service()["runningCount"] == 2);
    for task in world.tasks("RUNNING") {
        assert_eq!(task["containers"][0]["imageDigest"], pinned);
    }
    world.update(json!({ "forceNewDeployment": true }));
    world.until(SOON, "completion", World::completed);
    for task in world.tasks("RUNNING") {
        assert_eq!(task["containers"][0]["imageDigest"], json!(moved));
    }
}

#[test]
fn a_container_without_version_consistency_follows_its_tag() {
    let mut world = World::furnished();
    let mut document = definition("good");
    document["containerDefinitions"][0]["versionConsistency"] = json!("disabled");
    let mut input = world.service_input("good", 1);
    world.ecs("RegisterTaskDefinition", document);
    input["taskDefinition"] = json!("api");
    world.ecs("CreateService", input);
    world.until(SOON, "completion", World::completed);
    let moved = world.push("good", "better");
    world.update(json!({ "desiredCount": 2 }));
    world.until(SOON, "two", |world| world.service()["runningCount"] == 2);
    let tasks = world.tasks("RUNNING");
    let digests = tasks
        .iter()
        .map(|task| &task["containers"][0]["imageDigest"]);
    assert_eq!(digests.filter(|digest| **digest == json!(moved)).count(), 1);
}

#[test]
fn stopped_tasks_are_described_for_an_hour() {
    let mut world = World::furnished();
    world.deploy("good", 2);
    world.update(json!({ "desiredCount": 1 }));
    world.pass(Duration::from_secs(1800));
    assert_eq!(world.tasks("STOPPED").len(), 1);
    world.pass(Duration::from_secs(2400));
    assert!(world.tasks("STOPPED").is_empty());
}
