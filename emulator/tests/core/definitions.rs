//! Task definitions: what comes back, what is refused, how they are listed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{furniture::definition, world::World};

#[test]
fn a_definition_comes_back_with_its_defaults() {
    let mut world = World::furnished();
    let mut input = definition("good");
    input["cpu"] = json!("1 vCPU");
    input["memory"] = json!("2GB");
    input["tags"] = json!([{ "key": "digest", "value": "1" }]);
    let reply = world.ecs("RegisterTaskDefinition", input.clone());
    let document = &reply["taskDefinition"];
    assert_eq!(
        (&document["cpu"], &document["memory"]),
        (&json!("1024"), &json!("2048"))
    );
    assert_eq!(
        (&document["revision"], &document["status"]),
        (&json!(1), &json!("ACTIVE"))
    );
    assert_eq!(
        (&document["volumes"], &document["placementConstraints"]),
        (&json!([]), &json!([]))
    );
    let container = &document["containerDefinitions"][0];
    assert_eq!(
        (&container["cpu"], &container["essential"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(
        container["portMappings"],
        json!([{ "containerPort": 80, "hostPort": 80, "protocol": "tcp", "name": "http" }])
    );
    for key in ["mountPoints", "volumesFrom", "systemControls"] {
        assert_eq!(container[key], json!([]), "{key}");
    }
    for key in ["command", "secrets", "healthCheck", "stopTimeout"] {
        assert!(container.get(key).is_none(), "{key}");
    }
    let again = world.ecs("RegisterTaskDefinition", input);
    assert_eq!(again["taskDefinition"]["revision"], 2, "never deduplicated");
    let plain = world.ecs("DescribeTaskDefinition", json!({ "taskDefinition": "api" }));
    assert_eq!(plain["taskDefinition"]["revision"], 2);
    assert!(plain.get("tags").is_none());
    let tagged = world.ecs(
        "DescribeTaskDefinition",
        json!({ "taskDefinition": "api:1", "include": ["TAGS"] }),
    );
    assert_eq!(tagged["tags"], json!([{ "key": "digest", "value": "1" }]));
    let missing = world.ecs_error(
        "DescribeTaskDefinition",
        json!({ "taskDefinition": "absent" }),
    );
    assert_eq!(
        missing,
        (
            "ClientException".to_owned(),
            "Unable to describe task definition.".to_owned()
        )
    );
}

#[test]
fn definitions_are_checked() {
    let mut world = World::furnished();
    let mut refuse = |pointer: &str, value: Value, message: &str| {
        let mut input = definition("good");
        *input.pointer_mut(pointer).unwrap() = value;
        let (code, text) = world.ecs_error("RegisterTaskDefinition", input);
        assert_eq!(code, "ClientException", "{text}");
        assert!(text.contains(message), "{text}");
    };
    refuse("/cpu", json!("300"), "Invalid 'cpu' setting for task.");
    refuse(
        "/memory",
        json!("4096"),
        "No Fargate configuration exists for given values.",
    );
    refuse("/family", json!("no spaces"), "Family");
    refuse(
        "/containerDefinitions",
        json!([]),
        "Container list cannot be empty.",
    );
    refuse(
        "/containerDefinitions/0",
        json!({ "name": "a", "image": "b", "stopTimeout": 121 }),
        "Stop timeout",
    );
    refuse(
        "/containerDefinitions/0",
        json!({ "name": "a", "image": "b", "imagee": "c" }),
        "containerDefinitions[0].imagee",
    );
    refuse(
        "/containerDefinitions/0",
        json!({ "name": "a", "image": "b", "healthCheck": { "command": ["x"] } }),
        "does not support containerDefinitions[0].healthCheck",
    );
    assert_eq!(
        world.ecs("ListTaskDefinitions", json!({}))["taskDefinitionArns"],
        json!([])
    );
    let mut typed = definition("good");
    typed["cpu"] = json!(256);
    assert_eq!(
        world.ecs_error("RegisterTaskDefinition", typed).0,
        "SerializationException"
    );
}

#[test]
fn lists_are_paged() {
    let mut world = World::furnished();
    for _ in 0..25 {
        world.register("good");
    }
    for (sort, first) in [("ASC", 1), ("DESC", 25)] {
        let mut input = json!({ "familyPrefix": "api", "maxResults": 10, "sort": sort });
        let mut seen: Vec<u64> = Vec::new();
        loop {
            let page = world.ecs("ListTaskDefinitions", input.clone());
            let arns = page["taskDefinitionArns"].as_array().unwrap();
            seen.extend(arns.iter().map(|arn| {
                arn.as_str()
                    .unwrap()
                    .rsplit(':')
                    .next()
                    .unwrap()
                    .parse::<u64>()
                    .unwrap()
            }));
            match page.get("nextToken") {
                Some(token) => input["nextToken"] = token.clone(),
                None => break,
            }
        }
        assert_eq!(seen.len(), 25);
        assert_eq!(seen[0], first);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 25);
    }
    let bad = world.ecs_error(
        "ListServices",
        json!({ "cluster": "main", "maxResults": 101 }),
    );
    assert_eq!(bad.1, "Max results can not be greater than 100");
    let bad = world.ecs_error(
        "ListServices",
        json!({ "cluster": "main", "nextToken": "nonsense" }),
    );
    assert_eq!(bad.0, "InvalidParameterException");
}

#[test]
fn deregistered_definitions_cannot_be_deployed() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    let arn = world.register("better");
    world.ecs("DeregisterTaskDefinition", json!({ "taskDefinition": arn }));
    let refused = world.ecs_error(
        "UpdateService",
        json!({ "cluster": "main", "service": "api", "taskDefinition": arn }),
    );
    assert_eq!(
        refused,
        (
            "ClientException".to_owned(),
            "TaskDefinition is inactive".to_owned()
        )
    );
    let listed = world.ecs("ListTaskDefinitions", json!({ "status": "INACTIVE" }));
    assert_eq!(
        listed["taskDefinitionArns"],
        json!([]),
        "only while something runs it"
    );
    world.ecs(
        "DeregisterTaskDefinition",
        json!({ "taskDefinition": "api:1" }),
    );
    let listed = world.ecs("ListTaskDefinitions", json!({ "status": "INACTIVE" }));
    assert_eq!(listed["taskDefinitionArns"].as_array().unwrap().len(), 1);
    world.update(json!({ "desiredCount": 2 }));
    world.until(Duration::from_secs(300), "two", |world| {
        world.service()["runningCount"] == 2
    });
}
