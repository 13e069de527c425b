//! RunTask: tasks that belong to no service.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{furniture::definition, world::World};

const SOON: Duration = Duration::from_secs(300);

fn run_input(world: &mut World, tag: &str) -> Value {
    json!({
        "cluster": "main", "taskDefinition": world.register(tag), "launchType": "FARGATE",
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-a"] } },
    })
}

fn describe(world: &mut World, task: &Value) -> Value {
    let input = json!({ "cluster": "main", "tasks": [task], "include": ["TAGS"] });
    world.ecs("DescribeTasks", input)["tasks"][0].clone()
}

#[test]
fn a_task_runs_until_its_container_ends() {
    let mut world = World::furnished();
    let mut input = run_input(&mut world, "good");
    input["startedBy"] = json!("job-7");
    input["tags"] = json!([{ "key": "job", "value": "7" }]);
    let reply = world.ecs("RunTask", input);
    assert_eq!(reply["failures"], json!([]));
    let task = &reply["tasks"][0];
    assert_eq!(task["lastStatus"], "PROVISIONING");
    assert_eq!(task["group"], "family:api");
    assert_eq!(task["startedBy"], "job-7");
    let arn = task["taskArn"].clone();
    world.until(SOON, "it runs", |world| {
        describe(world, &arn)["lastStatus"] == "RUNNING"
    });
    let listed = world.ecs(
        "ListTasks",
        json!({ "cluster": "main", "startedBy": "job-7" }),
    );
    assert_eq!(listed["taskArns"], json!([arn]));
    let tags = describe(&mut world, &arn)["tags"].clone();
    assert_eq!(tags, json!([{ "key": "job", "value": "7" }]));

    world.exit(arn.as_str().unwrap(), 0, Duration::ZERO);
    world.until(SOON, "it stops", |world| {
        describe(world, &arn)["lastStatus"] == "STOPPED"
    });
    let task = describe(&mut world, &arn);
    assert_eq!(task["stopCode"], "EssentialContainerExited");
    assert_eq!(task["containers"][0]["exitCode"], 0);
    world.pass(SOON);
    assert!(world.tasks("RUNNING").is_empty(), "nothing replaces it");
}

#[test]
fn a_task_without_a_service_is_stopped_by_its_caller() {
    let mut world = World::furnished();
    let input = run_input(&mut world, "good");
    let arn = world.ecs("RunTask", input)["tasks"][0]["taskArn"].clone();
    world.until(SOON, "it runs", |world| {
        describe(world, &arn)["lastStatus"] == "RUNNING"
    });
    world.ecs(
        "StopTask",
        json!({ "cluster": "main", "task": arn, "reason": "enough" }),
    );
    world.until(SOON, "it stops", |world| {
        describe(world, &arn)["lastStatus"] == "STOPPED"
    });
    let task = describe(&mut world, &arn);
    assert_eq!(task["stopCode"], "UserInitiated");
    assert_eq!(task["stoppedReason"], "enough");
    assert_eq!(task["containers"][0]["exitCode"], 143);
}

#[test]
fn the_same_token_means_the_same_tasks() {
    let mut world = World::furnished();
    let mut input = run_input(&mut world, "good");
    input["count"] = json!(2);
    input["clientToken"] = json!("token-1");
    let arns = |reply: &Value| -> Vec<Value> {
        let tasks = reply["tasks"].as_array().unwrap().iter();
        tasks.map(|task| task["taskArn"].clone()).collect()
    };
    let first = world.ecs("RunTask", input.clone());
    let again = world.ecs("RunTask", input.clone());
    assert_eq!(arns(&first).len(), 2);
    assert_eq!(arns(&first), arns(&again));
    let mut other = input.clone();
    other["count"] = json!(1);
    assert_eq!(world.ecs_error("RunTask", other).0, "ConflictException");
    input.as_object_mut().unwrap().shift_remove("clientToken");
    let third = world.ecs("RunTask", input);
    assert!(arns(&third).iter().all(|arn| !arns(&first).contains(arn)));
}

#[test]
fn a_command_and_an_environment_can_be_replaced() {
    let mut world = World::furnished();
    let mut input = run_input(&mut world, "good");
    input["overrides"] = json!({ "containerOverrides": [{
        "name": "api", "command": ["migrate"], "environment": [{ "name": "RUST_LOG", "value": "debug" }],
    }] });
    let reply = world.ecs("RunTask", input.clone());
    let shown = &reply["tasks"][0]["overrides"]["containerOverrides"];
    assert_eq!(shown, &input["overrides"]["containerOverrides"]);
    world.pass(Duration::from_secs(60));
    let (launch, _) = world.processes.values().next().unwrap();
    let launch = &launch.containers[0];
    assert_eq!(launch.command, Some(vec!["migrate".to_owned()]));
    assert_eq!(launch.environment["RUST_LOG"], "debug");
    input["overrides"]["containerOverrides"][0]["name"] = json!("b");
    let refused = world.ecs_error("RunTask", input).1;
    assert!(refused.contains("container named b"), "{refused}");
}

#[test]
fn run_task_is_checked() {
    let mut world = World::furnished();
    let good = run_input(&mut world, "good");
    let mut refuse = |member: &str, value: Value, message: &str| {
        let mut input = good.clone();
        input[member] = value;
        let (_, text) = world.ecs_error("RunTask", input);
        assert!(text.contains(message), "{text}");
    };
    refuse("count", json!(0), "count must be between 1 and 10");
    refuse("count", json!(11), "count must be between 1 and 10");
    refuse("networkConfiguration", Value::Null, "Network Configuration");
    refuse(
        "taskDefinition",
        json!("absent"),
        "TaskDefinition not found.",
    );
    refuse("cluster", json!("absent"), "Cluster not found.");
    refuse("group", json!("service:api"), "Invalid namespace");
    refuse("propagateTags", json!("SERVICE"), "propagateTags");
    refuse("clientToken", json!("x".repeat(65)), "clientToken");
    refuse("clientToken", json!("two words"), "clientToken");
    refuse("launchType", json!("EC2"), "FARGATE");
    assert!(world.tasks("RUNNING").is_empty());
}

#[test]
fn a_tasks_storage_is_the_definitions() {
    let mut world = World::furnished();
    let mut document = definition("good");
    document["ephemeralStorage"] = json!({ "sizeInGiB": 30 });
    let mut input = run_input(&mut world, "good");
    let task = world.ecs("RunTask", input.clone())["tasks"][0].clone();
    assert_eq!(task["ephemeralStorage"]["sizeInGiB"], 20);
    world.ecs("RegisterTaskDefinition", document);
    input["taskDefinition"] = json!("api");
    let task = world.ecs("RunTask", input)["tasks"][0].clone();
    assert_eq!(task["ephemeralStorage"]["sizeInGiB"], 30);
}
