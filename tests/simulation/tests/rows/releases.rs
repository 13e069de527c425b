//! Releases that fail, tags that move or vanish, and targets that are not there.

use emulator::core::Service;
use serde_json::json;
use simulation::manifest::TargetHealth;

use super::*;

#[test]
fn what_was_rolled_back_is_held_for_a_day() {
    let (from, journal) = judged(SEED, async |world| {
        furnish(world);
        world.push("api", "3", Script::CRASHES);
        // The calls of a day are the same, and this is four of five of them less.
        world.resync = 150 * SECOND;
        world.start();
        until_synced(world, &["api"]).await;
        world.describe(api("3"));
        let is_held = |world: &World| is(world, "api", Phase::Held);
        world.until(10 * MINUTE, "held", is_held).await;
        world.pass(5 * MINUTE).await;
        let from = world.clock.now();
        world.rest(24 * 60 * MINUTE).await;
        assert!(is_held(world), "{:?}", world.told("api"));
        assert_eq!(runs(world, "api").1, 2);
        from
    });
    assert_eq!(writes(&journal, from, Timestamp::MAX), [""; 0]);
}

#[test]
fn what_failed_stays_held_for_a_daemon_that_starts_while_no_deployment_is_listed() {
    let (from, journal) = judged(SEED, async |world| {
        furnish(world);
        world.push("api", "3", Script::CRASHES);
        world.start();
        until_synced(world, &["api"]).await;
        world.describe(api("3"));
        let is_held = |world: &World| is(world, "api", Phase::Held);
        world.until(10 * MINUTE, "held", is_held).await;
        world.pass(5 * MINUTE).await;
        let from = world.clock.now();
        let lost = json!({ "operation": "ListServiceDeployments", "effect": "pageLost" });
        world.set_faults(&json!({ "rules": [lost] }));
        world.kill();
        world.start();
        world.pass(5 * MINUTE).await;
        let told = world.told("api").map(|told| told.message);
        let is_said = |told: &String| told.contains("none of the deployments of api is listed");
        assert!(told.as_ref().is_some_and(is_said), "{told:?}");
        world.clear_faults();
        world.until(2 * MINUTE, "held", is_held).await;
        world.rest(5 * MINUTE).await;
        from
    });
    assert_eq!(writes(&journal, from, Timestamp::MAX), [""; 0]);
}

/// A tag that is pushed again twice, and then deleted; how many rollouts there were, and which image runs at the end.
fn pushed_again(track: bool) -> (usize, bool) {
    let (came, _) = judged(SEED, async |world| {
        furnish(world);
        world.describe(Manifest { track, ..api("1") });
        world.start();
        until_synced(world, &["api"]).await;
        let first = runs(world, "api").0;
        for _ in 0..2 {
            world.push("api", "1", Script::GOOD);
            world.pass(5 * MINUTE).await;
        }
        let newest = runs(world, "api").0;
        let rollouts = world.service("api").deployments.len();
        let input = json!({ "repositoryName": "api", "imageIds": [{ "imageTag": "1" }] });
        world.call(Service::Ecr, "BatchDeleteImage", input);
        world.pass(2 * MINUTE).await;
        // The rest is repaired, and what runs stays.
        world.update("api", json!({ "desiredCount": 4 }));
        world.pass(3 * MINUTE).await;
        assert_eq!(runs(world, "api"), (newest.clone(), 2));
        assert_eq!(world.service("api").deployments.len(), rollouts);
        (rollouts, newest == first)
    });
    came
}

#[test]
fn a_tag_that_is_followed_is_rolled_out_once_for_each_image() {
    assert_eq!(pushed_again(true), (3, false));
}

#[test]
fn a_tag_that_is_not_followed_means_what_it_meant() {
    assert_eq!(pushed_again(false), (1, true));
}

fn watched() -> Manifest {
    let target_health = TargetHealth {
        minimum: 2,
        grace: MINUTE,
        redeploy: true,
    };
    Manifest {
        target_health: Some(target_health),
        ..api("1")
    }
}

/// How many deployments there are after something happened to the targets for a while, the first one not counted.
fn redeployments(trouble: impl AsyncFn(&World) + Send + Sync) -> usize {
    let (rollouts, _) = judged(SEED, async |world| {
        furnish(world);
        world.describe(watched());
        world.start();
        until_synced(world, &["api"]).await;
        trouble(world).await;
        world.pass(10 * MINUTE).await;
        assert_eq!(runs(world, "api").1, 2);
        world.rest(12 * MINUTE).await;
        world.service("api").deployments.len() - 1
    });
    rollouts
}

#[test]
fn targets_that_are_unhealthy_for_an_hour_are_replaced_once_at_most() {
    let times = redeployments(async |world| {
        world.set_ill("api", true);
        world.pass(35 * SECOND).await;
        let told = world.told("api").unwrap();
        assert_eq!(told.phase, Phase::Degraded, "{told:?}");
        world.pass(60 * MINUTE).await;
        world.set_ill("api", false);
    });
    assert!(times <= 1, "{times} redeployments");
}

#[test]
fn targets_that_another_hand_removes_are_replaced_once_at_most() {
    let times = redeployments(async |world| {
        let input = json!({ "TargetGroupArn": world.groups()["api"] });
        let health = world.call(Service::Elbv2, "DescribeTargetHealth", input.clone());
        let described = health["TargetHealthDescriptions"].as_array().unwrap();
        let targets: Vec<_> = described
            .iter()
            .map(|one| &one["Target"])
            .map(|target| json!({ "Id": target["Id"], "Port": target["Port"].to_string() }))
            .collect();
        assert_eq!(targets.len(), 2);
        let input = json!({ "TargetGroupArn": input["TargetGroupArn"], "Targets": targets });
        world.call(Service::Elbv2, "DeregisterTargets", input);
    });
    assert!(times <= 1, "{times} redeployments");
}
