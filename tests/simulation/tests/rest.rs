//! What the simulation itself must be: quick, at rest when nothing is to be done, and the same again for the same seed.

use std::time::{Duration, Instant};

use evenkeel::status::Phase;
use simulation::{journal::Entry, manifest::Manifest, tasks::Script, world::World};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A service behind a load balancer is created, becomes steady, and is left alone for so long.
fn created(seed: u64, rest: Duration) -> Vec<Entry> {
    World::run(seed, async |world| {
        world.repository("api", "1", Script::GOOD);
        world.target_group("api");
        let manifest = Manifest {
            count: Some(2),
            target_group: Some("api".to_owned()),
            ..Manifest::new("api", "1")
        };
        world.describe(manifest);
        world.start();
        let is_synced = |world: &World| {
            world
                .told("api")
                .is_some_and(|told| told.phase == Phase::Synced)
        };
        world.until(5 * MINUTE, "synced", is_synced).await;
        world.rest(rest).await;
        assert_eq!(world.service("api").service["runningCount"], 2);
        world.cloud.journal()
    })
}

#[test]
fn a_service_is_created_and_left_alone_for_a_day() {
    let began = Instant::now();
    let journal = created(1, DAY);
    let writes: Vec<_> = journal
        .iter()
        .filter_map(Entry::called)
        .filter(|called| called.is_write_of_daemon())
        .map(|called| called.operation.as_str())
        .collect();
    println!("{:?}, {} entries", began.elapsed(), journal.len());
    assert_eq!(
        writes,
        [
            "CreateLogGroup",
            "PutRetentionPolicy",
            "RegisterTaskDefinition",
            "CreateService"
        ]
    );
}

#[test]
fn a_seed_gives_the_same_journal_twice() {
    let half_an_hour = 30 * MINUTE;
    let began = Instant::now();
    let first = created(7, half_an_hour);
    println!("{:?}, {} entries", began.elapsed(), first.len());
    assert!(first == created(7, half_an_hour));
    assert!(first != created(8, half_an_hour));
}
