//! What a fleet costs, and that nobody waits for what is less urgent.

use std::time::Duration;

use emulator::core::Service;
use evenkeel::status::Phase;
use serde_json::json;
use simulation::{bounds, fleet::Fleet, world::World};

const SEED: u64 = 1;
const MOST: Duration = Duration::from_secs(3_600);

async fn starts(world: &mut World, services: usize, clusters: usize) -> Fleet {
    let mut fleet = Fleet::lay(world, services, clusters).await;
    start(world, &mut fleet).await;
    fleet
}

async fn start(world: &World, fleet: &mut Fleet) {
    fleet.publish(world);
    world.start();
    is_synced(world, fleet.services()).await;
}

async fn is_synced(world: &World, services: usize) {
    let is_synced = |world: &World| {
        let told = world.board().services();
        told.len() == services && told.iter().all(|status| status.phase == Phase::Synced)
    };
    world.until(MOST, "synced", is_synced).await;
}

/// How long it takes from now until there have been so many updates.
async fn updated(world: &World, updates: usize) -> Duration {
    let began = world.clock.now();
    while world.cloud.updates() < updates {
        world.pass(Duration::from_millis(1)).await;
        assert!(world.clock.now() < began + MOST, "{updates} updates");
    }
    Duration::try_from(world.clock.now().duration_since(began)).unwrap()
}

#[test]
fn a_hundred_services_take_twelve_reads_of_ecs_a_resync_and_no_definition_is_described_twice() {
    World::run(SEED, async |world| {
        starts(world, 100, 2).await;
        world.pass(world.resync * 2).await;
        world.cloud.take_tally();
        let resyncs = 20;
        world.pass(world.resync * resyncs).await;
        let calls = world.cloud.take_tally().calls;
        let of = |operation: &str| calls.get(operation).copied().unwrap_or_default();
        assert_eq!(of("DescribeTaskDefinition"), 0, "{calls:?}");
        let reads = of("DescribeServices") + of("ListServices") + of("ListTaskDefinitions");
        assert!(reads <= u64::from(12 * resyncs), "{calls:?}");
        // A turn is 50 s, so that every other look asks.
        for operation in ["DescribeTargetHealth", "DescribeLogGroups"] {
            let asked = of(operation);
            assert!((950..=1_050).contains(&asked), "{operation}: {calls:?}");
        }
    });
}

#[test]
fn an_edit_is_written_at_once_while_others_use_up_what_is_left_to_them() {
    World::run(SEED, async |world| {
        let mut fleet = starts(world, 300, 2).await;
        for number in 0..10 {
            world.pass(Duration::from_millis(17_300)).await;
            fleet.edit_one(world, number * 29, number);
            world.cloud.take_tally();
            fleet.publish(world);
            let took = updated(world, 1).await;
            // Four calls of 4 to 80 ms one after the other, the last one on its way.
            assert!(took < Duration::from_millis(320), "{took:?}");
        }
    });
}

#[test]
fn what_is_ill_is_asked_about_at_each_look_and_not_in_its_turn() {
    World::run(SEED, async |world| {
        // A turn over so many target groups takes longer than three minutes.
        let services = 400;
        let turn = Duration::from_secs(200);
        starts(world, services, 2).await;
        world.pass(turn + world.resync).await;
        let ill = "service-00299";
        world.set_ill(ill, true);
        let told = |world: &World| {
            let told = world.board().services();
            let told = told.into_iter().find(|status| status.name == ill);
            told.and_then(|status| status.targets)
                .map_or(0, |targets| targets.healthy)
        };
        let in_turn = turn + world.resync * 2;
        let is_ill = |world: &World| told(world) == 0;
        world.until(in_turn, "shown to be ill", is_ill).await;
        world.set_ill(ill, false);
        let arn = world.groups()[ill].clone();
        let is_well = |world: &World| {
            let input = json!({ "TargetGroupArn": arn });
            let found = world.call(Service::Elbv2, "DescribeTargetHealth", input);
            found["TargetHealthDescriptions"][0]["TargetHealth"]["State"] == "healthy"
        };
        world.until(turn, "well", is_well).await;
        let is_told = |world: &World| told(world) == 1;
        world.until(world.resync * 2, "shown to be", is_told).await;
    });
}

#[test]
fn what_waits_for_its_turn_keeps_no_other_service_from_being_looked_at() {
    World::run(SEED, async |world| {
        // A turn over so many target groups takes 200 s, and all are due for it once in these.
        let services = 400;
        starts(world, services, 2).await;
        let first = world.metrics().resync.get();
        let mut longest: f64 = 0.0;
        for _ in 0..400 {
            world.pass(Duration::from_secs(1)).await;
            let told = world.metrics().resync.get();
            if told != first {
                longest = longest.max(told);
            }
        }
        assert!(longest > 0.0, "no turn has ended");
        assert!(longest < 36.0, "a turn over the fleet took {longest} s");
    });
}

#[test]
fn what_has_no_target_group_takes_no_turn_from_what_has_one() {
    World::run(SEED, async |world| {
        let balanced = 80;
        let mut fleet = Fleet::lay_with(world, 400, 2, balanced).await;
        start(world, &mut fleet).await;
        world.cloud.take_tally();
        let resyncs = 20;
        world.pass(world.resync * resyncs).await;
        let asked = world.cloud.take_tally().calls["DescribeTargetHealth"];
        // A turn is 40 s, so that every other look asks.
        let turns = u64::from(resyncs) / 2 * balanced as u64;
        assert!(asked * 10 >= turns * 9, "{asked} of {turns}");
    });
}

#[test]
fn an_edit_of_all_takes_as_long_as_the_quotas_want_it_to_and_no_place_meanwhile() {
    World::run(SEED, async |world| {
        let services = 60;
        let mut fleet = starts(world, services, 2).await;
        fleet.edit_all(world);
        world.cloud.take_tally();
        fleet.publish(world);
        let took = updated(world, services).await;
        let bound = bounds::of_definitions_and_updates(services);
        assert!(took < bound.mul_f64(1.15), "{took:?} of {bound:?}");
        let turn = world.metrics().resync.get();
        assert!(turn < 60.0, "the others were looked at meanwhile: {turn}");
        // Five at once, and then one in four seconds.
        let waited = world.metrics().budget_wait;
        let waited = waited.with_label_values(&["task_definition_modify"]).get();
        let waits: u32 = (1..=55).map(|number| 4 * number).sum();
        // Some come later, when the bucket is fuller.
        let least = f64::from(waits) * 0.8;
        assert!(waited > least, "{waited} of {waits} s");
        is_synced(world, services).await;
    });
}
