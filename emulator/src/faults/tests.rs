use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::core::{ApiError, Call, Reply, Service, Settings};

const START: Timestamp = Timestamp::UNIX_EPOCH;

/// An account with faults, and its time.
struct World {
    cloud: Unreliable,
    now: Timestamp,
}

impl World {
    fn new(rules: Value) -> Self {
        let mut world = Self {
            cloud: Unreliable::new(Settings {
                account: "123456789012".into(),
                region: "us-east-1".into(),
                speed: 1.0,
                seed: 1,
                secrets: BTreeMap::new(),
            }),
            now: START,
        };
        world.cluster("first");
        world.set(json!({ "rules": rules }));
        world
    }

    fn set(&mut self, plan: Value) {
        let plan = FaultPlan::from_json(plan.to_string().as_bytes()).unwrap();
        self.cloud.set_faults(plan, self.now).unwrap();
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// What becomes of a call, and the faults that did it.
    fn ask(&mut self, service: Service, operation: &str, input: Value) -> (Answer, Fate) {
        let call = Call {
            service,
            operation: operation.into(),
            input,
            caller: "AKID".into(),
        };
        let fate = self.cloud.arrive(&call, self.now);
        let now = self.now + fate.delay;
        (self.cloud.carry_out(&call, &fate.end, now).0, fate)
    }

    fn ecs(&mut self, operation: &str, input: Value) -> Answer {
        self.ask(Service::Ecs, operation, input).0
    }

    fn cluster(&mut self, name: &str) -> Answer {
        self.ecs("CreateCluster", json!({ "clusterName": name }))
    }

    /// How many clusters a read sees.
    fn clusters(&mut self) -> usize {
        let answer = self.ecs("ListClusters", json!({}));
        reply(answer)["clusterArns"].as_array().unwrap().len()
    }
}

fn reply(answer: Answer) -> Reply {
    let Answer::Reply(Ok(reply)) = answer else {
        panic!("{answer:?}");
    };
    reply
}

fn error(answer: Answer) -> ApiError {
    let Answer::Reply(Err(error)) = answer else {
        panic!("{answer:?}");
    };
    error
}

#[test]
fn refusals_are_in_each_services_words_and_change_nothing() {
    for (effect, codes) in [
        (
            json!("throttle"),
            [(400, "ThrottlingException"), (400, "ThrottlingException")],
        ),
        (
            json!({ "serverError": {} }),
            [(500, "ServerException"), (500, "InternalFailure")],
        ),
        (
            json!({ "serverError": { "status": 503 } }),
            [(503, "ServerException"), (503, "ServiceUnavailable")],
        ),
        (
            json!("accessDenied"),
            [(400, "AccessDeniedException"), (403, "AccessDenied")],
        ),
        (
            json!("expiredCredentials"),
            [(400, "ExpiredTokenException"), (403, "ExpiredToken")],
        ),
    ] {
        let mut world = World::new(json!([{ "effect": effect }]));
        let calls = [
            (Service::Ecs, "CreateCluster"),
            (Service::Elbv2, "DescribeTargetGroups"),
        ];
        for ((service, operation), wanted) in calls.into_iter().zip(codes) {
            let (answer, fate) = world.ask(service, operation, json!({}));
            let error = error(answer);
            assert_eq!((error.status, error.code), wanted);
            assert_eq!(fate.applied.len(), 1);
        }
        world.cloud.clear_faults();
        assert_eq!(world.clusters(), 1);
    }
    let mut world = World::new(json!([{ "effect": "accessDenied" }]));
    let denied = error(world.ecs("UpdateService", json!({})));
    assert!(denied.message.starts_with(
        "User: arn:aws:iam::123456789012:user/AKID is not authorized to perform: ecs:UpdateService"
    ));
}

#[test]
fn a_rule_is_about_the_calls_it_names_and_ends_when_it_says() {
    let mut world = World::new(json!([
        { "service": "ecs", "operation": "List*", "caller": "AKID", "times": 2, "effect": "throttle" },
        { "service": "logs", "effect": "throttle" },
        { "caller": "OTHER", "effect": "throttle" },
        { "operation": "DescribeClusters", "seconds": 10, "effect": "throttle" },
    ]));
    for _ in 0..2 {
        error(world.ecs("ListClusters", json!({})));
    }
    assert_eq!(world.clusters(), 1);
    error(world.ecs("DescribeClusters", json!({})));
    world.pass(10);
    reply(world.ecs("DescribeClusters", json!({})));
    let rules = world.cloud.faults(world.now)["rules"].clone();
    let told = |index: usize| {
        (
            rules[index]["applied"].clone(),
            rules[index]["active"].clone(),
        )
    };
    assert_eq!(told(0), (json!(2), json!(false)));
    assert_eq!(told(1), (json!(0), json!(true)));
    assert_eq!(told(3), (json!(1), json!(false)));
}

#[test]
fn chance_comes_from_the_seed() {
    let story = |seed: u64| -> Vec<bool> {
        let mut world = World::new(json!([]));
        let rule = json!({ "probability": 0.9, "effect": "throttle" });
        world.set(json!({ "seed": seed, "rules": [rule] }));
        let mut refused = || matches!(world.ecs("ListClusters", json!({})), Answer::Reply(Err(_)));
        (0..1_000).map(|_| refused()).collect()
    };
    assert_eq!(story(1), story(1));
    assert_ne!(story(1), story(2));
    let refused = story(3).into_iter().filter(|refused| *refused).count();
    assert!((870..930).contains(&refused), "{refused}");
}

#[test]
fn delays_add_up_and_the_first_other_effect_decides() {
    let mut world = World::new(json!([
        { "effect": { "delay": { "seconds": 1.5 } } },
        { "effect": { "delay": { "seconds": 2 } } },
        { "effect": "replyLost" },
        { "effect": "throttle" },
    ]));
    let (answer, fate) = world.ask(
        Service::Ecs,
        "CreateCluster",
        json!({ "clusterName": "second" }),
    );
    assert!(matches!(answer, Answer::Lost(Ok(_))));
    assert_eq!(fate.delay, Duration::from_millis(3_500));
    assert_eq!(fate.applied, ["delay", "delay", "replyLost"]);
    world.cloud.clear_faults();
    assert_eq!(world.clusters(), 2);
}

#[test]
fn what_hangs_or_does_not_arrive_is_not_carried_out() {
    for (effect, gets) in [("hang", Answer::Never), ("requestLost", Answer::Unheard)] {
        let mut world = World::new(json!([{ "times": 1, "effect": effect }]));
        assert_eq!(world.cluster("second"), gets);
        assert_eq!(world.clusters(), 1);
    }
}

#[test]
fn stale_reads_lag_behind_and_writes_do_not() {
    let mut world = World::new(json!([{ "effect": { "stale": { "seconds": 60 } } }]));
    world.pass(100);
    reply(world.cluster("second"));
    assert_eq!(world.clusters(), 1);
    world.pass(30);
    reply(world.cluster("third"));
    world.pass(29);
    assert_eq!(world.clusters(), 1);
    world.pass(1);
    assert_eq!(world.clusters(), 2);
    world.pass(30);
    assert_eq!(world.clusters(), 3);
}

#[test]
fn a_stale_read_changes_nothing() {
    let mut world = World::new(json!([{ "effect": { "stale": { "seconds": 60 } } }]));
    reply(world.cluster("second"));
    for _ in 0..100 {
        assert_eq!(world.clusters(), 1);
    }
    world.cloud.clear_faults();
    assert_eq!(world.clusters(), 2);
}

#[test]
fn with_a_share_of_stale_reads_time_goes_back() {
    let stale = json!({ "probability": 0.5, "effect": { "stale": { "seconds": 60 } } });
    let mut world = World::new(json!([stale]));
    world.cluster("second");
    let seen: Vec<usize> = (0..50).map(|_| world.clusters()).collect();
    assert!(seen.windows(2).any(|pair| pair[0] > pair[1]), "{seen:?}");
}

#[test]
fn names_fall_out_into_failures() {
    let mut world = World::new(json!([{ "effect": { "partial": { "share": 0.3 } } }]));
    let names: Vec<String> = (0..9).map(|number| format!("c{number}")).collect();
    for name in &names {
        world.cluster(name);
    }
    let input = json!({ "clusters": names });
    for _ in 0..20 {
        let reply = reply(world.ecs("DescribeClusters", input.clone()));
        let found = reply["clusters"].as_array().unwrap();
        let failures = reply["failures"].as_array().unwrap();
        assert_eq!(found.len() + failures.len(), 9);
        assert!(!failures.is_empty());
        assert_eq!(failures[0]["reason"], "MISSING");
        let arn = failures[0]["arn"].as_str().unwrap();
        assert!(arn.starts_with("arn:aws:ecs:us-east-1:123456789012:cluster/c"));
    }
    // Nothing to fall out here, so the rule is not about it.
    let (_, fate) = world.ask(Service::Ecs, "ListClusters", json!({}));
    assert!(fate.applied.is_empty());
}

#[test]
fn a_lost_page_keeps_its_token() {
    let mut world = World::new(json!([{ "times": 1, "effect": "pageLost" }]));
    world.cluster("second");
    let input = json!({ "maxResults": 1 });
    let lost = reply(world.ecs("ListClusters", input.clone()));
    assert_eq!(lost["clusterArns"], json!([]));
    let whole = reply(world.ecs("ListClusters", input));
    assert_eq!(whole["clusterArns"].as_array().unwrap().len(), 1);
    assert_eq!(lost["nextToken"], whole["nextToken"]);
}

#[test]
fn buckets_throttle_when_they_are_asked_for() {
    let mut world = World::new(json!([]));
    world.set(json!({ "buckets": true }));
    let refused = |world: &mut World| -> usize {
        let calls = (0..60).map(|_| world.ecs("ListClusters", json!({})));
        calls
            .filter(|answer| matches!(answer, Answer::Reply(Err(_))))
            .count()
    };
    assert_eq!(refused(&mut world), 10);
    world.pass(2);
    assert_eq!(refused(&mut world), 20);
    let (answer, fate) = world.ask(Service::Ecs, "ListClusters", json!({}));
    assert_eq!(error(answer).message, "Rate exceeded");
    assert_eq!(fate.applied, ["buckets"]);
}

#[test]
fn a_plan_out_of_bounds_is_refused_and_the_old_one_stays() {
    let mut world = World::new(json!([{ "effect": "hang" }]));
    let mut plan = FaultPlan::default();
    plan.rules.push(FaultRule {
        service: None,
        operation: None,
        caller: None,
        times: None,
        probability: Some(f64::NAN),
        seconds: None,
        effect: FaultEffect::Throttle,
    });
    assert!(world.cloud.set_faults(plan, START).is_err());
    assert_eq!(world.cluster("second"), Answer::Never);
}
