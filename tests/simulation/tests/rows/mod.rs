//! What must hold in the face of each fault, beside the rules: one test for each row of the table in tests/README.md that
//! `faults.rs` and `crashes.rs` do not have.

mod daemons;
mod hands;
mod outages;
mod releases;
mod sets;

use std::time::Duration;

use evenkeel::status::Phase;
use jiff::Timestamp;
use simulation::{
    checker,
    journal::{Called, Caller, Entry},
    manifest::Manifest,
    tasks::Script,
    world::World,
};

const SEED: u64 = 5;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Runs a story, judges it by the rules, and returns what it came to with its journal.
fn judged<T: Send>(
    seed: u64,
    story: impl AsyncFn(&mut World) -> T + Send + Sync,
) -> (T, Vec<Entry>) {
    let (came, journal) = World::run(seed, async |world| {
        let came = story(world).await;
        (came, world.cloud.take_journal())
    });
    assert_eq!(checker::judge(&journal), [], "seed {seed}");
    (came, journal)
}

/// Two tasks behind a load balancer.
fn api(tag: &str) -> Manifest {
    Manifest {
        count: Some(2),
        target_group: Some("api".to_owned()),
        ..Manifest::new("api", tag)
    }
}

/// With what [`api`] needs, releases 1 and 2, and release 1 described.
fn furnish(world: &mut World) {
    world.repository("api", "1", Script::GOOD);
    world.push("api", "2", Script::GOOD);
    world.target_group("api");
    world.describe(api("1"));
}

/// So many plain services, described.
fn furnish_many(world: &mut World, many: usize) -> Vec<String> {
    let names: Vec<_> = (0..many).map(|n| format!("svc-{n}")).collect();
    for name in &names {
        world.repository(name, "1", Script::GOOD);
        world.describe(Manifest::new(name, "1"));
    }
    names
}

fn is(world: &World, service: &str, phase: Phase) -> bool {
    world.told(service).is_some_and(|told| told.phase == phase)
}

/// Waits until all of these are as their manifests say.
async fn until_synced(world: &World, services: &[&str]) {
    let all = |world: &World| services.iter().all(|name| is(world, name, Phase::Synced));
    world.until(10 * MINUTE, "synced", all).await;
    // What a pass does last, it may be at.
    world.pass(MINUTE).await;
}

/// The image that a service runs by ECS's own word, and how many tasks.
fn runs(world: &World, service: &str) -> (String, u64) {
    let sight = world.service(service);
    let mut revisions = sight.revisions.iter();
    let live = revisions.find(|one| one["taskDefinition"] == sight.service["taskDefinition"]);
    let image = live.map(|one| &one["definition"]["containerDefinitions"][0]["image"]);
    let image = image
        .and_then(|image| image.as_str())
        .unwrap_or_default()
        .to_owned();
    (
        image,
        sight.service["runningCount"].as_u64().unwrap_or_default(),
    )
}

/// The calls of daemons within a time, with their times.
fn calls(
    journal: &[Entry],
    from: Timestamp,
    to: Timestamp,
) -> impl Iterator<Item = (Timestamp, &Called)> {
    let within = journal
        .iter()
        .filter(move |entry| (from..to).contains(&entry.at));
    let called = within.filter_map(|entry| Some((entry.at, entry.called()?)));
    called.filter(|(_, called)| called.by != Caller::Hand)
}

/// What daemons have changed within a time, or tried to.
fn writes(journal: &[Entry], from: Timestamp, to: Timestamp) -> Vec<String> {
    calls(journal, from, to)
        .filter(|(_, called)| called.change.is_some())
        .map(|(at, called)| format!("{at} {:?} {} {}", called.by, called.operation, called.input))
        .collect()
}

/// The same, in all of a journal.
fn all_writes(journal: &[Entry]) -> Vec<String> {
    writes(journal, Timestamp::MIN, Timestamp::MAX)
}
