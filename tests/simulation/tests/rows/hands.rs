//! Hands that meddle at the worst moment, again and again, or wake the daemon for nothing.

use emulator::core::Service;
use jiff::SignedDuration;
use serde_json::json;
use simulation::furniture::CLUSTER;

use super::*;

/// An edit is rolled out; meanwhile the manifests are read so many times, each so long after the one before.
fn rolled_out(times: u32, apart: Duration) -> Vec<String> {
    let (_, journal) = judged(SEED, async |world| {
        furnish(world);
        world.start();
        until_synced(world, &["api"]).await;
        world.describe(api("2"));
        for _ in 0..times {
            world.pass(apart).await;
            world.describe(api("2"));
        }
        until_synced(world, &["api"]).await;
        world.rest(2 * MINUTE).await;
    });
    // Without the time, and the digest is of the same text.
    let writes = all_writes(&journal).into_iter();
    writes
        .map(|write| {
            write
                .split_once(' ')
                .map(|(_, what)| what.to_owned())
                .unwrap_or_default()
        })
        .collect()
}

#[test]
fn waking_it_again_and_again_changes_nothing_more() {
    let calm = rolled_out(0, SECOND);
    assert!(calm.len() >= 7, "{calm:#?}");
    for (times, apart) in [
        (1, 0),
        (40, 0),
        (200, 10),
        (60, 100),
        (40, 1_000),
        (20, 7_777),
    ] {
        let woken = rolled_out(times, Duration::from_millis(apart));
        assert_eq!(woken, calm, "{times} times, {apart} ms apart");
    }
}

#[test]
fn edits_in_any_order_end_as_the_last_one_says() {
    for seed in 1..=4 {
        judged(seed, async |world| {
            furnish(world);
            world.start();
            until_synced(world, &["api"]).await;
            for tag in ["2", "1", "2", "1", "1", "2"] {
                world.describe(api(tag));
                world.pass(Duration::from_millis(350 * seed)).await;
            }
            until_synced(world, &["api"]).await;
            let (_, digest) = &world.images()[&("api".to_owned(), "2".to_owned())];
            let (image, tasks) = runs(world, "api");
            assert!(image.ends_with(digest.as_str()) && tasks == 2, "{image}");
            world.rest(2 * MINUTE).await;
        });
    }
}

#[test]
fn what_a_hand_changes_in_the_middle_of_a_plan_is_planned_for_anew() {
    let other = json!({ "awsvpcConfiguration": {
        "subnets": ["subnet-a", "subnet-b"], "securityGroups": ["sg-other"],
    } });
    // A pass takes less than a second: at each moment of it.
    for moment in (0..1_000).step_by(100) {
        judged(SEED, async |world| {
            furnish(world);
            world.start();
            until_synced(world, &["api"]).await;
            world.describe(api("2"));
            world.pass(Duration::from_millis(moment)).await;
            world.update("api", json!({ "networkConfiguration": other }));
            world.pass(5 * SECOND).await;
            until_synced(world, &["api"]).await;
            let network = &world.service("api").service["networkConfiguration"];
            let groups = &network["awsvpcConfiguration"]["securityGroups"];
            assert_eq!(*groups, json!(["sg-1"]), "{moment} ms");
            world.rest(2 * MINUTE).await;
        });
    }
}

#[test]
fn who_changes_a_field_again_and_again_is_given_way_to_and_named() {
    let (from, journal) = judged(SEED, async |world| {
        furnish(world);
        world.start();
        until_synced(world, &["api"]).await;
        let from = world.clock.now();
        for _ in 0..8 {
            world.update("api", json!({ "desiredCount": 3 }));
            world.pass(90 * SECOND).await;
        }
        let told = world.told("api").unwrap();
        assert_eq!(told.phase, Phase::Degraded);
        assert!(told.message.contains("set back three times"), "{told:?}");
        assert_eq!(world.service("api").service["desiredCount"], 3);
        from
    });
    let writes = writes(&journal, from, Timestamp::MAX);
    assert_eq!(writes.len(), 3, "{writes:#?}");
}

#[test]
fn what_aws_accepts_and_does_not_take_is_sent_once() {
    let (from, journal) = judged(SEED, async |world| {
        furnish(world);
        world.start();
        until_synced(world, &["api"]).await;
        let ignored = json!({ "operation": "UpdateService", "effect": "ignored" });
        world.set_faults(&json!({ "rules": [ignored] }));
        let mark = |world: &World| {
            let tags = world.service("api").service["tags"].clone();
            let tags = tags.as_array().cloned().unwrap_or_default();
            tags.into_iter()
                .find(|tag| tag["key"] == "evenkeel:applied")
        };
        let (from, before) = (world.clock.now(), mark(world));
        world.describe(Manifest {
            grace: Some(45),
            ..api("1")
        });
        world.pass(30 * MINUTE).await;
        let told = world.told("api").unwrap();
        assert_eq!(told.phase, Phase::Degraded);
        assert!(told.message.contains("did not take"), "{told:?}");
        // It is not as its manifest says.
        assert_eq!(mark(world), before);
        from
    });
    let mut writes = writes(&journal, from, Timestamp::MAX);
    writes.retain(|write| write.contains("UpdateService"));
    assert_eq!(writes.len(), 1, "{writes:#?}");
}

#[test]
fn what_a_hand_changes_while_a_call_is_late_is_seen_before_the_next_one() {
    // The reply to the one that deploys comes after four seconds; meanwhile another hand changes the count.
    let (edited, journal) = judged(SEED, async |world| {
        furnish(world);
        world.start();
        until_synced(world, &["api"]).await;
        let late = json!({ "operation": "UpdateService", "effect": { "delay": { "seconds": 4 } } });
        world.set_faults(&json!({ "rules": [late] }));
        world.describe(api("2"));
        let edited = world.clock.now();
        world.pass(2 * SECOND).await;
        world.update("api", json!({ "desiredCount": 5 }));
        world.pass(4 * SECOND).await;
        world.clear_faults();
        until_synced(world, &["api"]).await;
        assert_eq!(world.service("api").service["desiredCount"], 2);
        world.rest(2 * MINUTE).await;
        edited
    });
    let writes = writes(&journal, edited, Timestamp::MAX);
    let updates = writes.iter().filter(|one| one.contains("UpdateService"));
    assert_eq!(updates.count(), 2, "{writes:#?}");
}

#[test]
fn many_services_that_another_hand_changes_at_once_are_not_deployed() {
    let (from, journal) = judged(SEED, async |world| {
        let names = furnish_many(world, 6);
        world.start();
        let all: Vec<_> = names.iter().map(String::as_str).collect();
        until_synced(world, &all).await;
        let from = world.clock.now();
        let network = json!({ "awsvpcConfiguration": {
            "subnets": ["subnet-a", "subnet-b"], "securityGroups": ["sg-other"],
        } });
        for name in &names {
            let input =
                json!({ "cluster": CLUSTER, "service": name, "networkConfiguration": network });
            world.call(Service::Ecs, "UpdateService", input);
        }
        world.pass(30 * MINUTE).await;
        for name in &names {
            assert!(is(world, name, Phase::Degraded), "{:?}", world.told(name));
        }
        from
    });
    assert_eq!(writes(&journal, from, Timestamp::MAX), [""; 0]);
}

#[test]
fn a_service_that_another_hand_deletes_is_created_again_as_soon_as_it_is_gone() {
    let ((gone, created), _) = judged(SEED, async |world| {
        furnish(world);
        world.start();
        until_synced(world, &["api"]).await;
        let input = json!({ "cluster": CLUSTER, "service": "api", "force": true });
        world.call(Service::Ecs, "DeleteService", input);
        let is_gone = |world: &World| world.service("api").service.is_null();
        world.until(2 * MINUTE, "gone", is_gone).await;
        let gone = world.clock.now();
        world
            .until(MINUTE, "created", |world| !is_gone(world))
            .await;
        let created = world.clock.now();
        until_synced(world, &["api"]).await;
        world.rest(MINUTE).await;
        (gone, created)
    });
    let took = created.duration_since(gone);
    assert!(took <= SignedDuration::from_secs(5), "{took:?}");
}
