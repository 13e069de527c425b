//! The judge is judged: a journal of an honest run is without fault, and each way of breaking a rule is caught, by that
//! rule. The journals are those of honest runs, with one thing forged. Where a rule allows for something, one journal is
//! just within that and passes, and one is just without and is caught.

mod arrival;
mod copies;
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
    let (What::Called(called) | What::Sent(called)) = &mut entry.what else {
        panic!("it is no call");
    };
    called
}

/// Where a daemon's call arrived, the n-th of this operation.
fn find(journal: &[Entry], operation: &str, nth: usize) -> usize {
    let is_it = |entry: &Entry| {
        let called = entry.called();
        called.is_some_and(|it| it.operation == operation && it.by != Caller::Hand)
    };
    nth_of(journal, nth, is_it)
}

/// Where a daemon sent a call, the n-th of this operation.
fn sent(journal: &[Entry], operation: &str, nth: usize) -> usize {
    let is_it =
        |entry: &Entry| matches!(&entry.what, What::Sent(sent) if sent.operation == operation);
    nth_of(journal, nth, is_it)
}

fn nth_of(journal: &[Entry], nth: usize, is_it: impl Fn(&Entry) -> bool) -> usize {
    let mut found = (0..journal.len()).filter(|at| is_it(&journal[*at]));
    found.nth(nth).unwrap()
}

/// Where a call of this operation arrived last before a place.
fn before(journal: &[Entry], place: usize, operation: &str) -> usize {
    let is_it = |at: &usize| {
        let called = journal[*at].called();
        called.is_some_and(|it| it.operation == operation)
    };
    (0..place).rev().find(is_it).unwrap()
}

/// An honest journal with its n-th call of this operation forged, as it was sent and as it arrived.
fn forged(
    journal: &[Entry],
    operation: &str,
    nth: usize,
    forge: impl Fn(&mut Called),
) -> Vec<Entry> {
    let mut journal = journal.to_vec();
    for at in [
        sent(&journal, operation, nth),
        find(&journal, operation, nth),
    ] {
        forge(called(&mut journal[at]));
    }
    journal
}

fn change(called: &mut Called) -> &mut Change {
    called.change.as_mut().unwrap()
}

/// A copy of an entry at another time, put where it belongs: after what was there then.
fn again(journal: &mut Vec<Entry>, at: usize, when: Timestamp) -> usize {
    let entry = journal[at].clone();
    put(journal, Entry { at: when, ..entry })
}

fn put(journal: &mut Vec<Entry>, entry: Entry) -> usize {
    let later = journal.iter().position(|other| other.at > entry.at);
    let place = later.unwrap_or(journal.len());
    journal.insert(place, entry);
    place
}

/// Has everything from a place on happen later, also what ECS does.
fn put_off(journal: &mut [Entry], place: usize, by: Duration) {
    for entry in &mut journal[place..] {
        entry.at += by;
        if let What::Seen(_, sight) = &mut entry.what {
            for deployment in &mut sight.deployments {
                for member in ["createdAt", "finishedAt"] {
                    if let Some(at) = deployment[member].as_f64() {
                        deployment[member] = json!(at + by.as_secs_f64());
                    }
                }
            }
        }
    }
}

/// ECS's form of time.
fn moment(at: Timestamp) -> Value {
    json!(at.as_duration().as_secs_f64())
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn set_tag(service: &mut Value, key: &str, value: &str) {
    let tags = service["tags"].as_array_mut().unwrap();
    tags.retain(|tag| tag["key"] != key);
    tags.push(json!({ "key": key, "value": value }));
}

#[test]
fn a_hand_may_do_all_that() {
    let mut journal = ROLL_OUT.clone();
    // A hand sends nothing that could be judged by that.
    journal.retain(|entry| !matches!(entry.what, What::Sent(_)));
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
