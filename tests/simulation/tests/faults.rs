//! While things go wrong, no rule is broken; and once they do not, everything comes to where it should.

use std::time::Duration;

use evenkeel::status::Phase;
use serde_json::{Value, json};
use simulation::{
    checker,
    manifest::Manifest,
    scenario::{Act, Expected, Scenario},
    tasks::Script,
};

/// Created while this goes wrong, and rolled out while it does; then nothing goes wrong any more.
fn scenario(rules: Value) -> Scenario {
    let api = |tag| {
        Act::Describe(Box::new(Manifest {
            count: Some(2),
            target_group: Some("api".to_owned()),
            ..Manifest::new("api", tag)
        }))
    };
    let secs = Duration::from_secs;
    let expected = Expected {
        phase: Phase::Synced,
        tag: "2",
        tasks: 2,
    };
    Scenario {
        name: "faults",
        first: vec![
            Act::Furnish("api", "1", true),
            Act::Push("api", "2", Script::GOOD),
            api("1"),
            Act::Faults(rules),
        ],
        then: vec![(secs(300), api("2")), (secs(600), Act::NoFaults)],
        rests: secs(1_000),
        ends: vec![("api", expected)],
    }
}

fn is_borne(rules: Value) {
    for seed in 1..=3 {
        let scenario = scenario(rules.clone());
        let played = scenario.play(seed, &[]);
        assert_eq!(checker::judge(&played.journal), [], "seed {seed}");
        assert_eq!(played.end.against(&scenario.ends), [""; 0], "seed {seed}");
    }
}

fn one(rule: Value) -> Value {
    json!({ "rules": [rule] })
}

#[test]
fn most_calls_are_throttled() {
    is_borne(one(json!({ "probability": 0.9, "effect": "throttle" })));
}

#[test]
fn whole_buckets_are_taken() {
    is_borne(json!({ "buckets": true }));
}

#[test]
fn aws_fails() {
    is_borne(one(
        json!({ "probability": 0.5, "effect": { "serverError": { "status": 503 } } }),
    ));
}

#[test]
fn calls_hang() {
    is_borne(one(json!({ "probability": 0.3, "effect": "hang" })));
}

#[test]
fn calls_are_late() {
    is_borne(one(
        json!({ "probability": 0.3, "effect": { "delay": { "seconds": 6 } } }),
    ));
}

#[test]
fn replies_are_lost() {
    is_borne(one(json!({ "probability": 0.4, "effect": "replyLost" })));
}

#[test]
fn the_reply_to_every_write_is_lost() {
    let lost = |operation: &str| json!({ "operation": operation, "effect": "replyLost" });
    let writes = ["Create*", "Register*", "Update*", "Put*", "Tag*"];
    is_borne(json!({ "rules": writes.map(lost) }));
}

#[test]
fn aws_is_away() {
    is_borne(one(json!({ "effect": "requestLost" })));
}

#[test]
fn reads_are_stale() {
    for seconds in [1, 10, 60, 300] {
        is_borne(one(
            json!({ "effect": { "stale": { "seconds": seconds } } }),
        ));
    }
}

#[test]
fn reads_go_back_in_time() {
    is_borne(json!({ "rules": [
        { "probability": 0.3, "effect": { "stale": { "seconds": 60 } } },
        { "probability": 0.3, "effect": { "stale": { "seconds": 10 } } },
    ] }));
}

#[test]
fn what_is_created_shows_late() {
    let late = |operation: &str| json!({ "operation": operation, "effect": { "stale": { "seconds": 20 } } });
    is_borne(
        json!({ "rules": [late("DescribeServices"), late("ListServices"), late("ListTaskDefinitions")] }),
    );
}

#[test]
fn describes_have_holes() {
    is_borne(one(
        json!({ "probability": 0.5, "effect": { "partial": {} } }),
    ));
}

#[test]
fn pages_are_lost() {
    is_borne(one(json!({ "probability": 0.5, "effect": "pageLost" })));
}

#[test]
fn credentials_expire() {
    is_borne(one(json!({ "effect": "expiredCredentials" })));
}

#[test]
fn everything_is_denied() {
    is_borne(one(json!({ "effect": "accessDenied" })));
}
