//! Running a fleet, and what is seen of it.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::status::Phase;
use jiff::Timestamp;
use simulation::{bounds, fleet::Fleet, work::cpu_of_thread, world::World};

use crate::memory;

/// How many manifests are edited one by one, at most.
const EDITS: usize = 200;
/// From one edit to the next: the buckets are not empty then.
const APART: Duration = Duration::from_secs(10);
/// How often is looked whether all is done.
const LOOK: Duration = Duration::from_secs(5);
/// How many turns over the fleet are watched, at least.
const TURNS: u32 = 3;
/// The shortest time that is watched.
const WATCHED: Duration = Duration::from_secs(600);

/// What was measured of one size.
#[derive(Debug, Default)]
pub struct Figures {
    pub services: usize,
    pub clusters: usize,
    pub resync: Duration,
    /// One turn over the whole fleet, when the daemon has just started.
    pub first_turn: Duration,
    /// One turn over the whole fleet, as the daemon tells it.
    pub turn: Duration,
    /// Calls per resync, by operation.
    pub calls: BTreeMap<String, f64>,
    /// Definitions that were described though they had been before.
    pub described_twice: u64,
    /// The daemon's CPU time per resync.
    pub cpu: Duration,
    /// Bytes that the daemon has.
    pub memory: Memory,
    /// From each edit to its UpdateService, sorted.
    pub edits: Vec<Duration>,
    /// From one edit until its service is as it should be.
    pub rollout: Duration,
    /// From the edit of all manifests until all services are as they should be.
    pub convergence: Duration,
    /// How long that takes at least.
    pub bound: Duration,
}

/// Bytes of the daemon's.
#[derive(Debug, Default)]
pub struct Memory {
    /// When all has been looked at several times.
    pub at_rest: usize,
    /// The most until then.
    pub most: usize,
    /// The most until an edit of all was rolled out.
    pub most_of_all: usize,
}

/// Measures all.
pub async fn measure(world: &World, fleet: &mut Fleet) -> Figures {
    let before = memory::now();
    memory::count_most();
    let mut figures = Figures {
        services: fleet.services(),
        clusters: fleet.clusters,
        resync: world.resync,
        ..Figures::default()
    };
    let began = world.clock.now();
    fleet.publish(world);
    world.start();
    synced(world, fleet.services(), began).await;
    figures.first_turn = since(world, began);
    progress(&figures, "looked at once");

    watch(world, &mut figures).await;
    figures.memory.at_rest = memory::now().saturating_sub(before);
    figures.memory.most = memory::most().saturating_sub(before);

    progress(
        &figures,
        &format!("in peace: {:?} of CPU time a resync", figures.cpu),
    );

    edit_one_by_one(world, fleet, &mut figures).await;
    progress(
        &figures,
        &format!("edited: {:?} at most", figures.edits.last()),
    );
    edit_all(world, fleet, &mut figures).await;
    figures.memory.most_of_all = memory::most().saturating_sub(before);
    figures
}

/// A large fleet takes its time.
fn progress(figures: &Figures, what: &str) {
    #[expect(clippy::print_stderr, reason = "it is for who waits")]
    {
        let (now, most) = (memory::now() >> 20, memory::most() >> 20);
        eprintln!(
            "{} services, {what}; {now} MiB of memory, {most} at most",
            figures.services
        );
    }
}

/// Nothing happens.
async fn watch(world: &World, figures: &mut Figures) {
    world.cloud.take_tally();
    let (began, before) = (world.clock.now(), daemons_cpu(world));
    let at_least = WATCHED.max(figures.first_turn * TURNS);
    world.pass(at_least).await;
    let resyncs = since(world, began).as_secs_f64() / world.resync.as_secs_f64();
    let tally = world.cloud.take_tally();
    figures.described_twice = tally
        .calls
        .get("DescribeTaskDefinition")
        .copied()
        .unwrap_or(0);
    let per_resync = |calls: u64| calls as f64 / resyncs;
    figures.calls = tally
        .calls
        .into_iter()
        .map(|(name, calls)| (name, per_resync(calls)))
        .collect();
    figures.cpu = (daemons_cpu(world) - before).div_f64(resyncs);
    figures.turn = Duration::from_secs_f64(world.metrics().resync.get());
}

async fn edit_one_by_one(world: &World, fleet: &mut Fleet, figures: &mut Figures) {
    let mut chance = fastrand::Rng::with_seed(world.seed);
    for number in 0..EDITS {
        fleet.edit_one(world, chance.usize(..fleet.services()), number);
        world.cloud.take_tally();
        let began = world.clock.now();
        fleet.publish(world);
        while world.cloud.updates() == 0 {
            world.pass(Duration::from_millis(1)).await;
            assert!(
                since(world, began) < Duration::from_secs(3_600),
                "it is never updated"
            );
        }
        figures.edits.push(since(world, began));
        if number == 0 {
            world.pass(LOOK).await;
            synced(world, fleet.services(), began).await;
            figures.rollout = since(world, began);
        }
        // Until what is there is whole again, and at no time that fits the resync.
        world
            .pass(APART + Duration::from_millis(chance.u64(..world.resync.as_secs() * 1_000)))
            .await;
    }
    figures.edits.sort();
    synced(world, fleet.services(), world.clock.now()).await;
}

async fn edit_all(world: &World, fleet: &mut Fleet, figures: &mut Figures) {
    fleet.edit_all(world);
    let began = world.clock.now();
    fleet.publish(world);
    world.cloud.take_tally();
    while world.cloud.updates() < fleet.services() {
        world.pass(LOOK).await;
    }
    world.pass(LOOK).await;
    synced(world, fleet.services(), began).await;
    figures.convergence = since(world, began);
    figures.bound = bounds::of_definitions_and_updates(fleet.services()) + figures.rollout;
}

/// Waits until every service is as it should be.
async fn synced(world: &World, services: usize, began: Timestamp) {
    loop {
        let told = world.board().services();
        let synced = told
            .iter()
            .filter(|status| status.phase == Phase::Synced)
            .count();
        if synced == services {
            return;
        }
        assert!(
            since(world, began) < Duration::from_secs(200_000),
            "{synced} of {services}"
        );
        world.pass(LOOK).await;
    }
}

fn since(world: &World, began: Timestamp) -> Duration {
    Duration::try_from(world.clock.now().duration_since(began)).unwrap_or_default()
}

/// The CPU time of this thread that is not AWS's.
fn daemons_cpu(world: &World) -> Duration {
    cpu_of_thread() - world.cloud.cpu()
}
