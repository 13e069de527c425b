use serde_json::json;

use super::*;

fn view(deployments: &[(&str, i64)]) -> Described {
    let deployments: Vec<_> = deployments
        .iter()
        .map(|(id, created)| json!({"id": id, "status": "PRIMARY", "createdAt": created}))
        .collect();
    let service = json!({"serviceName": "api", "deployments": deployments});
    Ok(Some(LiveService(service.as_object().unwrap().clone())))
}

fn after_a_write() -> Carried {
    let Ok(Some(answer)) = view(&[("ecs-svc/2", 1_000)]) else {
        unreachable!()
    };
    let newest = answer.primary().map(|deployment| Newest {
        deployment,
        is_seen: false,
        of_service_since: Some(at(1_000)),
    });
    Carried {
        newest,
        ..Carried::default()
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn a_view_without_our_last_write_is_not_acted_on() {
    let mut carried = after_a_write();
    assert!(carried.is_outdated(&view(&[("ecs-svc/1", 500)]), at(1_002)));
    assert!(carried.is_outdated(&Ok(None), at(1_002)));
    assert!(!carried.is_outdated(&view(&[("ecs-svc/2", 1_000)]), at(1_004)));
    let earlier = view(&[("ecs-svc/1", 500)]);
    assert!(carried.is_outdated(&earlier, at(1_006)), "back in time");
    assert!(!carried.is_outdated(&earlier, at(1_301)), "taken back");
}

#[test]
fn a_service_that_has_been_seen_may_be_deleted() {
    let mut carried = after_a_write();
    assert!(!carried.is_outdated(&view(&[("ecs-svc/2", 1_000)]), at(1_004)));
    assert!(!carried.is_outdated(&Ok(None), at(1_006)));
}

#[test]
fn a_service_that_is_gone_is_no_old_view() {
    let gone = |created: i64| {
        let service = json!({"serviceName": "api", "status": "INACTIVE", "createdAt": created, "deployments": []});
        Ok(Some(LiveService(service.as_object().unwrap().clone())))
    };
    assert!(!after_a_write().is_outdated(&gone(1_000), at(1_002)));
    assert!(!after_a_write().is_outdated(&gone(999), at(1_002)));
    assert!(
        after_a_write().is_outdated(&gone(900), at(1_002)),
        "another"
    );
}

#[test]
fn a_rollback_that_is_over_is_newer_than_our_write() {
    let Ok(Some(mut service)) = view(&[("ecs-svc/1", 500)]) else {
        unreachable!()
    };
    service.0["deployments"][0]["updatedAt"] = json!(1_001);
    assert!(!after_a_write().is_outdated(&Ok(Some(service)), at(1_002)));
}

#[test]
fn something_newer_or_a_long_time_ends_the_wait() {
    assert!(!after_a_write().is_outdated(&view(&[("ecs-svc/3", 1_001)]), at(1_002)));
    assert!(!after_a_write().is_outdated(&Ok(None), at(1_301)));
}

#[test]
fn what_was_just_changed_is_not_sent_again_at_once() {
    let difference = |live: u32| Difference {
        path: "service.desiredCount".to_owned(),
        pointer: "/service/desiredCount".to_owned(),
        desired: json!(2),
        live: json!(live),
    };
    let plan = |live| Plan {
        differences: vec![difference(live)],
        ..Plan::default()
    };
    let after = || Carried {
        sent: Some((vec![difference(5)], at(100))),
        ..Carried::default()
    };
    assert!(after().shows_what_was_sent(&plan(5), at(102)));
    assert!(!after().shows_what_was_sent(&plan(5), at(110)), "somebody");
    assert!(!after().shows_what_was_sent(&plan(6), at(102)), "another");
    let mut seen = after();
    assert!(!seen.shows_what_was_sent(&Plan::default(), at(102)));
    assert!(!seen.shows_what_was_sent(&plan(5), at(104)), "changed back");
}
