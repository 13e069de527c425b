//! Logs: streams made by hand, events put into them, and what is deleted.

use emulator::core::Service;
use serde_json::{Value, json};

use crate::world::World;

const GROUP: &str = "/ecs/api";

fn with_stream() -> World {
    let mut world = World::furnished();
    world.logs("CreateLogStream", stream("s"));
    world
}

fn stream(name: &str) -> Value {
    json!({ "logGroupName": GROUP, "logStreamName": name })
}

/// Puts messages at so many milliseconds from now.
fn put(world: &mut World, events: &[(i64, &str)]) -> Value {
    let now = world.now.as_millisecond();
    let events = events
        .iter()
        .map(|(at, text)| json!({ "timestamp": now + at, "message": text }));
    let mut input = stream("s");
    input["logEvents"] = events.collect();
    world.logs("PutLogEvents", input)
}

fn error(world: &mut World, operation: &str, input: Value) -> String {
    let error = world.call(Service::Logs, operation, input).unwrap_err();
    error.code.to_owned()
}

/// Follows the tokens of an operation to the end: the messages, and how many pages were empty before it.
fn follow(world: &mut World, operation: &str, limit: usize) -> (Vec<String>, usize) {
    let mut input = json!({ "logGroupName": GROUP, "limit": limit });
    if operation == "GetLogEvents" {
        input["logStreamName"] = json!("s");
        input["startFromHead"] = json!(true);
    }
    let (mut seen, mut empty) = (Vec::new(), 0);
    loop {
        let page = world.logs(operation, input.clone());
        let events = page["events"].as_array().unwrap();
        let texts = events
            .iter()
            .map(|event| event["message"].as_str().unwrap());
        seen.extend(texts.map(str::to_owned));
        let next = if operation == "GetLogEvents" {
            Some(page["nextForwardToken"].clone()).filter(|t| Some(t) != input.get("nextToken"))
        } else {
            page.get("nextToken").cloned()
        };
        let Some(next) = next else {
            return (seen, empty);
        };
        empty += usize::from(events.is_empty());
        input["nextToken"] = next;
    }
}

#[test]
fn events_are_read_in_the_order_of_their_times() {
    let mut world = with_stream();
    put(&mut world, &[(0, "b"), (10, "d")]);
    let reply = put(&mut world, &[(-10, "a"), (5, "c"), (10, "e")]);
    assert!(reply["nextSequenceToken"].is_string());
    assert!(reply.get("rejectedLogEventsInfo").is_none());
    for limit in [1, 2, 10] {
        for operation in ["GetLogEvents", "FilterLogEvents"] {
            let (seen, _) = follow(&mut world, operation, limit);
            assert_eq!(seen, ["a", "b", "c", "d", "e"], "{operation} by {limit}");
        }
    }
}

#[test]
fn empty_pages_come_before_the_end() {
    let mut world = with_stream();
    let events: Vec<(i64, &str)> = (0..12).map(|n| (n, "x")).collect();
    put(&mut world, &events);
    for operation in ["GetLogEvents", "FilterLogEvents"] {
        let (seen, empty) = follow(&mut world, operation, 1);
        assert_eq!(seen.len(), 12, "{operation}");
        assert!(empty > 0, "{operation}");
    }
}

#[test]
fn events_out_of_time_are_rejected_and_the_others_kept() {
    let mut world = with_stream();
    let (hour, day) = (3_600_000, 24 * 3_600_000);
    let reply = put(
        &mut world,
        &[(-15 * day, "old"), (0, "good"), (3 * hour, "new")],
    );
    assert_eq!(
        reply["rejectedLogEventsInfo"],
        json!({ "tooNewLogEventStartIndex": 2, "tooOldLogEventEndIndex": 1 })
    );
    assert_eq!(follow(&mut world, "GetLogEvents", 10).0, ["good"]);
    let retention = json!({ "logGroupName": GROUP, "retentionInDays": 1 });
    world.logs("PutRetentionPolicy", retention);
    let reply = put(&mut world, &[(-2 * day, "expired"), (0, "kept")]);
    assert_eq!(
        reply["rejectedLogEventsInfo"],
        json!({ "expiredLogEventEndIndex": 1 })
    );
}

#[test]
fn batches_are_checked() {
    let mut world = with_stream();
    let now = world.now.as_millisecond();
    let event = |at: i64| json!({ "timestamp": now + at, "message": "x" });
    let mut refuse = |events: Value| {
        let mut input = stream("s");
        input["logEvents"] = events;
        let code = error(&mut world, "PutLogEvents", input);
        assert_eq!(code, "InvalidParameterException");
    };
    refuse(json!([]));
    refuse(json!([event(1), event(0)]));
    refuse(json!([event(-2 * 24 * 3_600_000), event(0)]));
    refuse(json!([{ "timestamp": now, "message": "" }]));
    refuse(json!([{ "timestamp": -1, "message": "x" }]));
    refuse(json!([{ "timestamp": now, "message": "x".repeat(1_048_576) }]));
    let mut absent = stream("absent");
    absent["logEvents"] = json!([event(0)]);
    assert_eq!(
        error(&mut world, "PutLogEvents", absent),
        "ResourceNotFoundException"
    );
}

#[test]
fn streams_are_made_listed_and_deleted() {
    let mut world = with_stream();
    let twice = error(&mut world, "CreateLogStream", stream("s"));
    assert_eq!(twice, "ResourceAlreadyExistsException");
    let bad = error(&mut world, "CreateLogStream", stream("a:b"));
    assert_eq!(bad, "InvalidParameterException");
    for name in ["a", "é", "t"] {
        world.logs("CreateLogStream", stream(name));
    }
    put(&mut world, &[(0, "x")]);
    for (order, descending, expected) in [
        ("LogStreamName", false, ["a", "s", "t", "é"]),
        ("LogStreamName", true, ["é", "t", "s", "a"]),
        ("LastEventTime", true, ["s", "é", "t", "a"]),
    ] {
        let mut input = json!({ "logGroupName": GROUP, "limit": 1, "orderBy": order, "descending": descending });
        let mut seen = Vec::new();
        loop {
            let page = world.logs("DescribeLogStreams", input.clone());
            seen.push(page["logStreams"][0]["logStreamName"].clone());
            match page.get("nextToken") {
                Some(token) => input["nextToken"] = token.clone(),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{order} {descending}");
    }
    world.logs("DeleteLogStream", stream("s"));
    assert_eq!(
        error(&mut world, "GetLogEvents", stream("s")),
        "ResourceNotFoundException"
    );
    let too_many = json!({ "logGroupName": GROUP, "limit": 51 });
    let code = error(&mut world, "DescribeLogStreams", too_many);
    assert_eq!(code, "InvalidParameterException");
}

#[test]
fn a_deleted_group_takes_its_streams_along() {
    let mut world = with_stream();
    put(&mut world, &[(0, "x")]);
    world.logs("DeleteLogGroup", json!({ "logGroupName": GROUP }));
    let again = error(
        &mut world,
        "DeleteLogGroup",
        json!({ "logGroupName": GROUP }),
    );
    assert_eq!(again, "ResourceNotFoundException");
    world.logs("CreateLogGroup", json!({ "logGroupName": GROUP }));
    let streams = world.logs("DescribeLogStreams", json!({ "logGroupName": GROUP }));
    assert_eq!(streams["logStreams"], json!([]));
}

#[test]
fn tags_of_a_group_are_taken_away_by_key() {
    let mut world = World::furnished();
    let found = world.logs("DescribeLogGroups", json!({ "logGroupNamePattern": "ecs" }));
    let group = found["logGroups"][0].as_object().unwrap();
    let keys: Vec<&String> = group.keys().collect();
    assert_eq!(keys, ["logGroupName", "creationTime", "arn"]);
    let arn = group["arn"].as_str().unwrap().trim_end_matches(":*");
    world.logs(
        "TagResource",
        json!({ "resourceArn": arn, "tags": { "a": "1", "b": "2" } }),
    );
    world.logs(
        "UntagResource",
        json!({ "resourceArn": arn, "tagKeys": ["a", "c"] }),
    );
    let tags = world.logs("ListTagsForResource", json!({ "resourceArn": arn }));
    assert_eq!(tags["tags"], json!({ "b": "2" }));
}
