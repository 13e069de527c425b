//! The judge is judged: a journal of an honest run is without fault, and each way of breaking a rule is caught, by that
//! rule. The journals are those of honest runs, with one thing forged.

mod pace;
mod sight;
mod writes;

use std::{sync::LazyLock, time::Duration};

use emulator::core::Service;
use jiff::Timestamp;
use serde_json::{Value, json};
use simulation::{
    checker::{Invariant, judge},
    daemon::OWNER,
    journal::{Called, Caller, Change, Entry, What},
    manifest::{File, Manifest},
    scenarios,
    sight::Sight,
};

/// Honest runs: an edit, a release that fails.
static ROLL_OUT: LazyLock<Vec<Entry>> = LazyLock::new(|| run("roll out"));
static FAILED: LazyLock<Vec<Entry>> = LazyLock::new(|| run("fail and roll back"));

fn run(scenario: &str) -> Vec<Entry> {
    let journal = scenarios::named(scenario).unwrap().play(1, &[]).journal;
    assert_eq!(judge(&journal), [], "{scenario}");
    journal
}

/// The invariants that a journal breaks.
fn broken(journal: &[Entry]) -> Vec<Invariant> {
    let mut broken: Vec<_> = judge(journal).into_iter().map(|one| one.of).collect();
    broken.sort();
    broken.dedup();
    broken
}

fn called(entry: &mut Entry) -> &mut Called {
    let What::Called(called) = &mut entry.what else {
        panic!("it is no call");
    };
    called
}

/// Where a daemon made a call, the n-th time.
fn find(journal: &[Entry], operation: &str, nth: usize) -> usize {
    let is_it = |entry: &Entry| {
        let called = entry.called();
        called.is_some_and(|it| it.operation == operation && it.by != Caller::Hand)
    };
    let found: Vec<_> = (0..journal.len())
        .filter(|at| is_it(&journal[*at]))
        .collect();
    found[nth]
}

/// An honest journal with its n-th call of this operation forged.
fn forged(
    journal: &[Entry],
    operation: &str,
    nth: usize,
    forge: impl FnOnce(&mut Called),
) -> Vec<Entry> {
    let mut journal = journal.to_vec();
    let at = find(&journal, operation, nth);
    forge(called(&mut journal[at]));
    journal
}

fn change(called: &mut Called) -> &mut Change {
    called.change.as_mut().unwrap()
}

/// A copy of an entry at another time, put where it belongs.
fn again(journal: &mut Vec<Entry>, at: usize, when: Timestamp) -> usize {
    let copy = Entry {
        at: when,
        ..journal[at].clone()
    };
    let place = journal
        .iter()
        .position(|entry| entry.at > when)
        .unwrap_or(journal.len());
    journal.insert(place, copy);
    place
}

fn set_tag(service: &mut Value, key: &str, value: &str) {
    let tags = service["tags"].as_array_mut().unwrap();
    tags.retain(|tag| tag["key"] != key);
    tags.push(json!({ "key": key, "value": value }));
}

#[test]
fn a_hand_may_do_all_that() {
    let mut journal = ROLL_OUT.clone();
    for entry in &mut journal {
        if let What::Called(called) = &mut entry.what
            && called.change.is_some()
        {
            called.by = Caller::Hand;
            called.operation = called.operation.replace("UpdateService", "DeleteService");
            assert_ne!(called.service, Service::S3);
        }
    }
    assert_eq!(broken(&journal), []);
}
