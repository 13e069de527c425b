//! AWS that throttles, is away, or takes no credentials.

use serde_json::{Value, json};

use super::*;

/// Ten minutes of a fleet at rest, in which this goes wrong; how many calls there were.
fn calls_in_ten_minutes(rules: &[Value]) -> usize {
    let ((from, to), journal) = judged(SEED, async |world| {
        let names = furnish_many(world, 12);
        world.start();
        let all: Vec<_> = names.iter().map(String::as_str).collect();
        until_synced(world, &all).await;
        world.set_faults(&json!({ "rules": rules }));
        let from = world.clock.now();
        world.pass(10 * MINUTE).await;
        world.clear_faults();
        let to = world.clock.now();
        until_synced(world, &all).await;
        world.rest(MINUTE).await;
        (from, to)
    });
    calls(&journal, from, to).count()
}

#[test]
fn throttling_makes_few_more_calls() {
    let throttled = json!({ "probability": 0.9, "effect": "throttle" });
    let (calm, busy) = (
        calls_in_ten_minutes(&[]),
        calls_in_ten_minutes(&[throttled]),
    );
    println!("{calm} calls when calm, {busy} when throttled");
    assert!(busy * 10 <= calm * 11, "{busy} calls instead of {calm}");
}

#[test]
fn without_credentials_it_is_not_ready_soon_and_asks_seldom() {
    for effect in ["expiredCredentials", "accessDenied"] {
        let ((from, ready_to), journal) = judged(SEED, async |world| {
            furnish(world);
            let many = furnish_many(world, 12);
            world.start();
            let all = many.iter().map(String::as_str).chain(["api"]);
            let all: Vec<_> = all.collect();
            until_synced(world, &all).await;
            assert_eq!(world.board().not_ready(), None);
            world.set_faults(&json!({ "rules": [{ "effect": effect }] }));
            let is_not_ready = |world: &World| world.board().not_ready().is_some();
            world.until(32 * SECOND, "not ready", is_not_ready).await;
            world.describe(api("2"));
            world.pass(10 * MINUTE).await;
            let from = world.clock.now();
            world.pass(10 * MINUTE).await;
            let to = world.clock.now();
            world.clear_faults();
            until_synced(world, &all).await;
            assert_eq!(world.board().not_ready(), None);
            assert_eq!(runs(world, "api").1, 2);
            world.rest(2 * MINUTE).await;
            (from, to)
        });
        // From half a minute to a minute apart, whatever the number of services.
        let probes = calls(&journal, from, ready_to).count();
        println!("{effect}: {probes} calls in ten minutes");
        assert!((10..=20).contains(&probes), "{effect}: {probes} calls");
    }
}

#[test]
fn after_an_hour_without_aws_nothing_was_changed_and_nobody_hurries() {
    let ((from, back, names), journal) = judged(SEED, async |world| {
        let names = furnish_many(world, 20);
        world.start();
        let all: Vec<_> = names.iter().map(String::as_str).collect();
        until_synced(world, &all).await;
        world.set_faults(&json!({ "rules": [{ "effect": "requestLost" }] }));
        let from = world.clock.now();
        world.pass(60 * MINUTE).await;
        world.clear_faults();
        let back = world.clock.now();
        until_synced(world, &all).await;
        world.rest(2 * MINUTE).await;
        (from, back, names.len())
    });
    assert_eq!(writes(&journal, from, back), [""; 0]);
    // Each service is looked at once within a minute: as many calls as there are when nothing has happened.
    let soon = calls(&journal, back, back + MINUTE).count();
    let later = calls(&journal, back + 2 * MINUTE, back + 3 * MINUTE).count();
    println!("{soon} calls in the first minute, {later} in the third, {names} services");
    assert!(soon <= 2 * later, "{soon} calls at once, and then {later}");
}
