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
        json!({ "name": "a", "image": "b", "healthCheck": { "command": ["CMD-SHELL"] } }),
        "has no command",
    );
    refuse(
        "/containerDefinitions/0",
        json!({ "name": "a", "image": "b", "healthCheck": { "command": ["x"], "interval": 4 } }),
        "containerDefinitions[0].healthCheck.interval must be between 5 and 300",
    );
    refuse(
        "/containerDefinitions/0",
        json!({ "name": "a", "image": "b", "entryPoint": ["x"] }),
        "does not support containerDefinitions[0].entryPoint",
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
fn fargate_has_these_sizes_and_no_others() {
    let mut world = World::furnished();
    let sizes: [(u32, &[u32], &[u32]); 8] = [
        (256, &[512, 1024, 2048], &[256, 1536, 4096]),
        (512, &[1024, 4096], &[512, 1536, 5120]),
        (1024, &[2048, 8192], &[1024, 9216]),
        (2048, &[4096, 16384], &[3072, 17408]),
        (4096, &[8192, 30720], &[7168, 31744]),
        (8192, &[16384, 61440], &[17408, 65536]),
        (16384, &[32768, 122_880], &[36864, 131_072]),
        (32768, &[61440, 122_880, 249_856], &[65536, 131_072]),
    ];
    for (cpu, good, bad) in sizes {
        let mut input = definition("good");
        input["cpu"] = json!(cpu.to_string());
        for memory in good {
            input["memory"] = json!(memory.to_string());
            world.ecs("RegisterTaskDefinition", input.clone());
        }
        for memory in bad {
            input["memory"] = json!(memory.to_string());
            let refused = world.ecs_error("RegisterTaskDefinition", input.clone());
            assert_eq!(
                refused.1, "No Fargate configuration exists for given values.",
                "{cpu} {memory}"
            );
        }
    }
}

#[test]
fn what_fargate_cannot_do_is_refused() {
    let mut world = World::furnished();
    for (key, value) in [
        ("linuxParameters", json!({ "sharedMemorySize": 64 })),
        (
            "linuxParameters",
            json!({ "capabilities": { "add": ["NET_ADMIN"] } }),
        ),
        ("startTimeout", json!(1)),
        ("stopTimeout", json!(0)),
        ("privileged", json!(true)),
        ("memory", json!(3)),
        (
            "ulimits",
            json!([{ "name": "nofile", "softLimit": 2, "hardLimit": 1 }]),
        ),
        ("dockerLabels", json!({ "a": 1 })),
        ("disableNetworking", json!(true)),
        ("dnsSearchDomains", json!(["a"])),
    ] {
        let mut input = definition("good");
        input["containerDefinitions"][0][key] = value;
        let refused = world.ecs_error("RegisterTaskDefinition", input);
        assert_eq!(refused.0, "ClientException", "{key}: {}", refused.1);
    }
    let mut input = definition("good");
    input["containerDefinitions"][0]["linuxParameters"] =
        json!({ "initProcessEnabled": true, "capabilities": { "add": ["SYS_PTRACE"] } });
    world.ecs("RegisterTaskDefinition", input);
}

#[test]
fn lists_without_an_order_come_back_in_none() {
    let mut world = World::furnished();
    let mut input = definition("good");
    let names: Vec<String> = (0..8).map(|n| format!("N{n}")).collect();
    input["containerDefinitions"][0]["environment"] = names
        .iter()
        .map(|name| json!({ "name": name, "value": "1" }))
        .collect();
    input["containerDefinitions"][0]["stopTimeout"] = json!(5);
    let container = input["containerDefinitions"][0].clone();
    let others = (0..4).map(|n| {
        let mut other = container.clone();
        other["name"] = json!(format!("side{n}"));
        other["portMappings"] = json!([]);
        other
    });
    input["containerDefinitions"]
        .as_array_mut()
        .unwrap()
        .extend(others);
    let named = |list: &Value| -> Vec<String> {
        let items = list.as_array().unwrap().iter();
        items
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let document = world.ecs("RegisterTaskDefinition", input.clone())["taskDefinition"].clone();
    let containers = named(&document["containerDefinitions"]);
    assert_ne!(containers, named(&input["containerDefinitions"]));
    let environment = named(&document["containerDefinitions"][0]["environment"]);
    assert_ne!(environment, names);
    let attributes = named(&document["requiresAttributes"]);
    for name in [
        "ecs.capability.container-ordering",
        "com.amazonaws.ecs.capability.ecr-auth",
    ] {
        assert!(attributes.contains(&name.to_owned()), "{attributes:?}");
    }
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
    for operation in [
        "ListClusters",
        "ListTaskDefinitions",
        "ListTaskDefinitionFamilies",
    ] {
        for limit in [0, 101] {
            let bad = world.ecs_error(operation, json!({ "maxResults": limit }));
            assert_eq!(bad.0, "InvalidParameterException", "{operation}");
        }
    }
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
