//! Logs: containers' output, and CloudWatch's paging.

use std::time::Duration;

use emulator::core::{Event, LogTarget, Service};
use serde_json::{Value, json};

use crate::world::World;

fn with_lines(count: usize) -> World {
    let mut world = World::furnished();
    let log = LogTarget {
        group: "/ecs/api".to_owned(),
        stream: "api/api/1".to_owned(),
    };
    let lines = (0..count).map(|n| {
        (
            world.now + Duration::from_millis(n as u64),
            format!("line {n}"),
        )
    });
    let lines = lines.collect();
    world.later(Duration::ZERO, Event::Output { log, lines });
    world.pass(Duration::from_secs(1));
    world
}

fn messages(page: &Value) -> Vec<String> {
    let events = page["events"].as_array().unwrap().iter();
    events
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_tasks_output_is_in_its_stream() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    let task = world.tasks("RUNNING")[0]["taskArn"]
        .as_str()
        .unwrap()
        .to_owned();
    let stream = format!("api/api/{}", task.rsplit('/').next().unwrap());
    let page = world.logs(
        "GetLogEvents",
        json!({ "logGroupName": "/ecs/api", "logStreamName": stream }),
    );
    assert_eq!(messages(&page), ["good says hello"]);
    assert!(page["events"][0]["timestamp"].is_i64() || page["events"][0]["timestamp"].is_u64());
}

#[test]
fn the_end_of_a_stream_is_the_token_that_was_sent() {
    let mut world = with_lines(5);
    let mut input = json!({
        "logGroupName": "/ecs/api", "logStreamName": "api/api/1", "startFromHead": true, "limit": 2,
    });
    let mut seen = Vec::new();
    loop {
        let page = world.logs("GetLogEvents", input.clone());
        seen.extend(messages(&page));
        let token = page["nextForwardToken"].clone();
        assert_eq!(token.as_str().unwrap().len(), "f/".len() + 56 + "/s".len());
        if input.get("nextToken") == Some(&token) {
            break;
        }
        input["nextToken"] = token;
    }
    assert_eq!(seen, ["line 0", "line 1", "line 2", "line 3", "line 4"]);
}

#[test]
fn the_newest_page_comes_first_and_leads_back() {
    let mut world = with_lines(5);
    let input = json!({ "logGroupName": "/ecs/api", "logStreamName": "api/api/1", "limit": 2 });
    let newest = world.logs("GetLogEvents", input.clone());
    assert_eq!(messages(&newest), ["line 3", "line 4"]);
    let mut back = input;
    back["nextToken"] = newest["nextBackwardToken"].clone();
    assert_eq!(
        messages(&world.logs("GetLogEvents", back)),
        ["line 1", "line 2"]
    );
}

#[test]
fn filtering_is_done_when_no_token_comes_back() {
    let mut world = with_lines(30);
    let mut input =
        json!({ "logGroupName": "/ecs/api", "filterPattern": "\"line 1\"", "limit": 4 });
    let mut seen = Vec::new();
    loop {
        let page = world.logs("FilterLogEvents", input.clone());
        assert_eq!(page["searchedLogStreams"], json!([]));
        seen.extend(messages(&page));
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 11);
    assert_eq!(seen[1], "line 10");
    let refused = world.call(
        Service::Logs,
        "FilterLogEvents",
        json!({ "logGroupName": "/ecs/api", "filterPattern": "{ $.a = 1 }" }),
    );
    assert_eq!(refused.unwrap_err().code, "InvalidParameterException");
}

#[test]
fn groups_have_retention_and_tags() {
    let mut world = World::furnished();
    world.logs(
        "CreateLogGroup",
        json!({ "logGroupName": "/ecs/b", "tags": { "owner": "me" } }),
    );
    let twice = world.call(
        Service::Logs,
        "CreateLogGroup",
        json!({ "logGroupName": "/ecs/b" }),
    );
    assert_eq!(twice.unwrap_err().code, "ResourceAlreadyExistsException");
    world.logs(
        "PutRetentionPolicy",
        json!({ "logGroupName": "/ecs/b", "retentionInDays": 14 }),
    );
    let bad = world.call(
        Service::Logs,
        "PutRetentionPolicy",
        json!({ "logGroupName": "/ecs/b", "retentionInDays": 15 }),
    );
    assert_eq!(bad.unwrap_err().code, "InvalidParameterException");
    let groups = world.logs(
        "DescribeLogGroups",
        json!({ "logGroupNamePrefix": "/ecs/b" }),
    );
    let group = &groups["logGroups"][0];
    assert_eq!(group["retentionInDays"], 14);
    assert!(group["arn"].as_str().unwrap().ends_with(":/ecs/b:*"));
    let tags = world.logs(
        "ListTagsForResource",
        json!({ "resourceArn": group["logGroupArn"] }),
    );
    assert_eq!(tags["tags"], json!({ "owner": "me" }));
    world.logs("DeleteRetentionPolicy", json!({ "logGroupName": "/ecs/b" }));
    let groups = world.logs(
        "DescribeLogGroups",
        json!({ "logGroupNamePrefix": "/ecs/b" }),
    );
    assert!(groups["logGroups"][0].get("retentionInDays").is_none());
}
