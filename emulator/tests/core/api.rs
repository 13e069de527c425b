//! Calls and their answers: shapes, merging, idempotency, paging, errors.

use std::time::Duration;

use emulator::core::Service;
use serde_json::{Value, json};

use crate::world::World;

#[test]
fn create_service_is_idempotent_by_token_only() {
    let mut world = World::furnished();
    let mut input = world.service_input("good", 1);
    input["clientToken"] = json!("token-1");
    input["tags"] = json!([{ "key": "a", "value": "1" }]);
    let created = world.ecs("CreateService", input.clone());
    assert_eq!(
        created["service"]["tags"],
        json!([{ "key": "a", "value": "1" }])
    );
    input["tags"] = json!([{ "key": "a", "value": "2" }]);
    let replayed = world.ecs("CreateService", input.clone());
    assert_eq!(
        replayed["service"]["tags"],
        json!([{ "key": "a", "value": "1" }])
    );
    let not = (
        "InvalidParameterException".to_owned(),
        "Creation of service was not idempotent.".to_owned(),
    );
    let mut other = input.clone();
    other["desiredCount"] = json!(2);
    assert_eq!(world.ecs_error("CreateService", other), not);
    input["clientToken"] = json!("token-2");
    assert_eq!(world.ecs_error("CreateService", input.clone()), not);
    input.as_object_mut().unwrap().shift_remove("clientToken");
    assert_eq!(world.ecs_error("CreateService", input), not);
}

#[test]
fn a_token_is_of_one_name_and_a_name_is_free_once_it_is_gone() {
    let mut world = World::furnished();
    let mut input = world.service_input("good", 1);
    input["clientToken"] = json!("token-1");
    let first = world.ecs("CreateService", input.clone());
    let mut other = input.clone();
    other["serviceName"] = json!("other");
    let second = world.ecs("CreateService", other);
    assert_ne!(
        first["service"]["serviceArn"],
        second["service"]["serviceArn"]
    );
    world.until(Duration::from_secs(300), "completion", World::completed);

    let name = json!({ "cluster": "main", "service": "api" });
    let scaled = world.ecs_error("DeleteService", name.clone());
    assert_eq!(
        scaled.1,
        "The service cannot be stopped while it is scaled above 0."
    );
    let mut force = name.clone();
    force["force"] = json!(true);
    let deleted = world.ecs("DeleteService", force.clone());
    assert_eq!(deleted["service"]["status"], "DRAINING");
    world.ecs("DeleteService", force);
    let draining = world.ecs_error("CreateService", input.clone());
    assert_eq!(
        draining.1,
        "Unable to Start a service that is still Draining."
    );
    let inactive = world.ecs_error("UpdateService", name);
    assert_eq!(inactive.0, "ServiceNotActiveException");
    let listed = world.ecs("ListServices", json!({ "cluster": "main" }));
    assert_eq!(
        listed["serviceArns"],
        json!([second["service"]["serviceArn"]])
    );
    world.until(Duration::from_secs(600), "the end", |world| {
        world.service()["status"] == "INACTIVE"
    });
    let again = world.ecs("CreateService", input);
    assert_eq!(again["service"]["status"], "ACTIVE");
}

#[test]
fn create_service_is_checked() {
    let mut world = World::furnished();
    let good = world.service_input("good", 1);
    let spare = world.group("spare");
    let mut refuse = |pointer: &str, value: Value, message: &str| {
        let mut input = good.clone();
        match input.pointer_mut(pointer) {
            Some(member) => *member = value,
            None => input[pointer.trim_start_matches('/')] = value,
        }
        let (_, text) = world.ecs_error("CreateService", input);
        assert!(text.contains(message), "{text}");
    };
    refuse("/desiredCount", Value::Null, "DesiredCount is missing");
    refuse("/cluster", json!("absent"), "Cluster not found.");
    refuse(
        "/taskDefinition",
        json!("absent"),
        "TaskDefinition not found.",
    );
    refuse(
        "/networkConfiguration",
        Value::Null,
        "Network Configuration must be provided",
    );
    refuse("/launchType", json!("EC2"), "launchType must be FARGATE");
    refuse(
        "/schedulingStrategy",
        json!("ONCE"),
        "Scheduling strategy should be one of [REPLICA,DAEMON]",
    );
    refuse(
        "/capacityProviderStrategy",
        json!([{ "capacityProvider": "FARGATE" }]),
        "Specifying both a launch type and capacity provider strategy",
    );
    refuse("/clientToken", json!("two words"), "clientToken");
    refuse(
        "/deploymentConfiguration",
        json!({ "maximumPercent": 99 }),
        "maximumPercent",
    );
    refuse(
        "/deploymentConfiguration",
        json!({ "strategy": "CANARY" }),
        "ROLLING only",
    );
    refuse(
        "/loadBalancers/0/containerName",
        json!("b"),
        "The container b does not exist in the task definition.",
    );
    refuse(
        "/loadBalancers/0/containerPort",
        json!(81),
        "The container api did not have a container port 81 defined.",
    );
    refuse(
        "/loadBalancers/0/targetGroupArn",
        json!(spare),
        "does not have an associated load balancer.",
    );
    refuse(
        "/loadBalancers/0/targetGroupArn",
        json!("arn:absent"),
        "does not exist",
    );
}

#[test]
fn update_keeps_what_it_omits_and_clears_what_is_empty() {
    let mut world = World::furnished();
    let before = world.deploy("good", 1);
    let after = world.update(json!({
        "healthCheckGracePeriodSeconds": 30,
        "deploymentConfiguration": { "minimumHealthyPercent": 50, "deploymentCircuitBreaker": { "enable": true } },
    }));
    assert_eq!(
        after["deployments"].as_array().unwrap().len(),
        1,
        "no new deployment"
    );
    assert_eq!(after["healthCheckGracePeriodSeconds"], 30);
    let configuration = &after["deploymentConfiguration"];
    assert_eq!(configuration["minimumHealthyPercent"], 50);
    assert_eq!(configuration["maximumPercent"], 200);
    assert_eq!(
        configuration["deploymentCircuitBreaker"]["rollback"], true,
        "omitted keeps"
    );
    assert_eq!(after["loadBalancers"], before["loadBalancers"]);
    let same = world.update(json!({ "taskDefinition": before["taskDefinition"] }));
    assert_eq!(
        same["deployments"].as_array().unwrap().len(),
        1,
        "the same definition is no change"
    );

    let cleared = world.update(json!({ "loadBalancers": [] }));
    assert_eq!(cleared["loadBalancers"], json!([]));
    assert_eq!(cleared["deployments"].as_array().unwrap().len(), 2);
    world.until(Duration::from_secs(600), "completion", World::completed);
    assert!(world.routes[0].targets.is_empty());
    let refused = world.ecs_error(
        "UpdateService",
        json!({ "cluster": "main", "service": "api", "launchType": "EC2" }),
    );
    assert!(
        refused
            .1
            .starts_with("Unknown parameter in input: \"launchType\""),
        "{}",
        refused.1
    );
}

#[test]
fn tags_are_merged_removed_and_propagated() {
    let mut world = World::furnished();
    let mut input = world.service_input("good", 1);
    input["tags"] = json!([{ "key": "team", "value": "shop" }]);
    input["propagateTags"] = json!("SERVICE");
    let arn = world.ecs("CreateService", input)["service"]["serviceArn"].clone();
    world.ecs(
        "TagResource",
        json!({ "resourceArn": arn, "tags": [{ "key": "b", "value": "1" }] }),
    );
    world.until(Duration::from_secs(300), "completion", World::completed);
    let task = world.tasks("RUNNING")[0]["taskArn"].clone();
    let tasks = world.ecs(
        "DescribeTasks",
        json!({ "cluster": "main", "tasks": [task], "include": ["TAGS"] }),
    );
    assert_eq!(tasks["tasks"][0]["tags"].as_array().unwrap().len(), 2);
    world.ecs(
        "UntagResource",
        json!({ "resourceArn": arn, "tagKeys": ["team"] }),
    );
    let tags = world.ecs("ListTagsForResource", json!({ "resourceArn": arn }));
    assert_eq!(tags["tags"], json!([{ "key": "b", "value": "1" }]));
    assert!(world.service().get("tags").is_none());
    let refused = world.ecs_error(
        "TagResource",
        json!({ "resourceArn": arn, "tags": [{ "key": "aws:x", "value": "1" }] }),
    );
    assert_eq!(refused.0, "InvalidParameterException");
}

#[test]
fn images_are_found_by_tag_and_digest() {
    let mut world = World::furnished();
    let details = world.ecr(
        "DescribeImages",
        json!({ "repositoryName": "api", "imageIds": [{ "imageTag": "good" }] }),
    );
    let digest = details["imageDetails"][0]["imageDigest"].clone();
    let got = world.ecr("BatchGetImage", json!({ "repositoryName": "api", "imageIds": [{ "imageDigest": digest }, { "imageTag": "absent" }] }));
    assert_eq!(got["images"].as_array().unwrap().len(), 1);
    assert_eq!(got["failures"][0]["failureCode"], "ImageNotFound");
    let absent = world.call(
        Service::Ecr,
        "DescribeImages",
        json!({ "repositoryName": "api", "imageIds": [{ "imageTag": "absent" }] }),
    );
    assert_eq!(absent.unwrap_err().code, "ImageNotFoundException");
    let absent = world.call(
        Service::Ecr,
        "DescribeImages",
        json!({ "repositoryName": "absent" }),
    );
    assert_eq!(absent.unwrap_err().code, "RepositoryNotFoundException");
    let junk = world.call(Service::Ecr, "PutImage", json!({ "repositoryName": "api", "imageTag": "x", "imageManifest": "{\"password\":\"hunter2\"}" }));
    let junk = junk.unwrap_err();
    assert_eq!(junk.code, "InvalidParameterException");
    assert!(!junk.message.contains("hunter2"));
    assert_eq!(
        world.ecr("ListImages", json!({ "repositoryName": "api" }))["imageIds"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
}

#[test]
fn groups_and_balancers_are_checked() {
    let mut world = World::furnished();
    let missing = world.call(
        Service::Elbv2,
        "DescribeTargetGroups",
        json!({ "Names": ["absent"] }),
    );
    assert_eq!(missing.unwrap_err().code, "TargetGroupNotFound");
    let group = world.group_arn();
    let modified = world.elb(
        "ModifyTargetGroup",
        json!({ "TargetGroupArn": group, "HealthCheckIntervalSeconds": "10" }),
    );
    assert_eq!(
        modified["TargetGroups"][0]["HealthCheckIntervalSeconds"],
        10
    );
    assert_eq!(modified["TargetGroups"][0]["HealthCheckPath"], "/health");
    let bad = world.call(
        Service::Elbv2,
        "ModifyTargetGroup",
        json!({ "TargetGroupArn": group, "HealthCheckTimeoutSeconds": "10" }),
    );
    assert_eq!(bad.unwrap_err().code, "ValidationError");
    let balancers = world.elb("DescribeLoadBalancers", json!({ "Names": ["lb"] }));
    assert_eq!(
        balancers["LoadBalancers"][0]["State"]["Code"],
        "provisioning"
    );
    world.pass(Duration::from_secs(61));
    let balancers = world.elb("DescribeLoadBalancers", json!({ "Names": ["lb"] }));
    assert_eq!(balancers["LoadBalancers"][0]["State"]["Code"], "active");
    let listeners = world.elb(
        "DescribeListeners",
        json!({ "LoadBalancerArn": balancers["LoadBalancers"][0]["LoadBalancerArn"] }),
    );
    assert_eq!(
        listeners["Listeners"][0]["DefaultActions"][0]["TargetGroupArn"],
        json!(group)
    );
}
