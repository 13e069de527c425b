//! Several daemons, one that ends in order, and clocks that are wrong.

use emulator::core::Service;
use jiff::SignedDuration;
use serde_json::json;
use simulation::{clock::Clock, journal::What, scenarios};

use super::*;

/// Two daemons on one lease; the first one leads, and release 1 runs.
async fn two(world: &mut World) {
    world.call(Service::S3, "CreateBucket", json!({ "Bucket": "state" }));
    world.lease = "s3://state/lease".parse().ok();
    furnish(world);
    world.start();
    world.pass(10 * SECOND).await;
    world.start();
    world.pass(5 * MINUTE).await;
    assert_eq!(runs(world, "api").1, 2);
}

/// Which daemons have changed something within a time.
fn writers(journal: &[Entry], from: Timestamp, to: Timestamp) -> Vec<Caller> {
    let mut writers: Vec<_> = calls(journal, from, to)
        .filter(|(_, called)| called.change.is_some())
        .map(|(_, called)| called.by)
        .collect();
    writers.sort();
    writers.dedup();
    writers
}

#[test]
fn of_two_one_acts_and_the_other_takes_over_from_one_that_is_cut_off() {
    for seed in 1..=3 {
        let ((cut, back, end), journal) = judged(seed, async |world| {
            two(world).await;
            let cut = world.clock.now();
            let hang = json!({ "caller": "DAEMON0", "effect": "hang" });
            world.set_faults(&json!({ "rules": [hang] }));
            world.describe(api("2"));
            world.pass(5 * MINUTE).await;
            let (_, digest) = &world.images()[&("api".to_owned(), "2".to_owned())];
            assert!(runs(world, "api").0.ends_with(digest.as_str()));
            let back = world.clock.now();
            world.clear_faults();
            world.describe(api("1"));
            world.pass(5 * MINUTE).await;
            world.rest(2 * MINUTE).await;
            (cut, back, world.clock.now())
        });
        let (first, second) = (Caller::Daemon(0), Caller::Daemon(1));
        assert_eq!(writers(&journal, Timestamp::MIN, cut), [first]);
        assert_eq!(writers(&journal, cut, back), [second]);
        assert_eq!(writers(&journal, back, end), [second]);
        let mut taken = calls(&journal, cut, back).filter(|(_, called)| called.change.is_some());
        let (at, _) = taken.next().unwrap();
        assert!(
            at.duration_since(cut) < SignedDuration::from_secs(22),
            "{at}"
        );
    }
}

#[test]
fn without_the_lease_store_nothing_is_written() {
    let ((away, back), journal) = judged(SEED, async |world| {
        two(world).await;
        let down = json!({ "service": "s3", "effect": { "serverError": { "status": 503 } } });
        world.set_faults(&json!({ "rules": [down] }));
        // What is left of the lease.
        world.pass(20 * SECOND).await;
        let away = world.clock.now();
        world.update("api", json!({ "desiredCount": 5 }));
        world.pass(10 * MINUTE).await;
        assert_eq!(runs(world, "api").1, 5);
        let back = world.clock.now();
        world.clear_faults();
        world.pass(2 * MINUTE).await;
        assert_eq!(runs(world, "api").1, 2);
        world.rest(2 * MINUTE).await;
        (away, back)
    });
    assert_eq!(writes(&journal, away, back), [""; 0]);
}

#[test]
fn one_that_is_told_to_stop_in_mid_rollout_is_gone_soon_and_the_next_resumes() {
    // In the pass that begins the rollout, and while tasks start, become healthy, drain.
    for moment in [50, 150, 250, 350, 450, 700, 1_500, 6_000, 15_000, 40_000] {
        let (_, journal) = judged(SEED, async |world| {
            furnish(world);
            world.keep_running(Vec::new(), 3 * SECOND);
            until_synced(world, &["api"]).await;
            world.describe(api("2"));
            world.pass(Duration::from_millis(moment)).await;
            world.cloud.note(What::Meddled("SIGTERM".to_owned()));
            world.terminate();
            world.pass(10 * SECOND).await;
            until_synced(world, &["api"]).await;
            let (_, digest) = &world.images()[&("api".to_owned(), "2".to_owned())];
            let (image, tasks) = runs(world, "api");
            assert!(image.ends_with(digest.as_str()) && tasks == 2, "{image}");
            // One rollout, and no second one.
            assert_eq!(world.service("api").deployments.len(), 2, "{moment} ms");
            world.rest(2 * MINUTE).await;
        });
        let when = |wanted: What| journal.iter().find(|it| it.what == wanted).unwrap().at;
        let told = when(What::Meddled("SIGTERM".to_owned()));
        let took = when(What::Ended(0)).duration_since(told);
        assert!(took < SignedDuration::from_secs(5), "{took:?}");
    }
}

/// Plays scenarios with a daemon whose clock is wrong.
fn plays_with(wrong: fn(Clock) -> Clock) {
    for name in [
        "roll out",
        "fail and roll back",
        "overdue",
        "target health",
        "hold and retry",
    ] {
        let scenario = scenarios::named(name).unwrap();
        let played = scenario.play_in(SEED, &[], |world| {
            world.daemons_clock = wrong(world.clock);
        });
        assert_eq!(checker::judge(&played.journal), [], "{name}");
        assert_eq!(played.end.against(&scenario.ends), [""; 0], "{name}");
    }
}

#[test]
fn a_clock_that_is_an_hour_fast_breaks_nothing() {
    plays_with(|clock| clock.ahead(SignedDuration::from_hours(1)));
}

#[test]
fn a_clock_that_is_an_hour_slow_breaks_nothing() {
    plays_with(|clock| clock.ahead(SignedDuration::from_hours(-1)));
}

#[test]
fn a_clock_that_goes_at_double_speed_breaks_nothing() {
    plays_with(|clock| clock.times(2));
}
