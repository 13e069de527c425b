//! The judge is judged: a journal of an honest run is without fault, and each way of breaking a rule is caught, by that
//! rule. The journals are those of honest runs, with one thing forged.

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
fn s1_what_is_not_ours_is_not_changed() {
    for owner in [None, Some("other/prod/api"), Some("sim/prod/web")] {
        let journal = forged(&ROLL_OUT, "UpdateService", 0, |called| {
            let service = &mut change(called).before.service;
            let tags = service["tags"].as_array_mut().unwrap();
            tags.retain(|tag| tag["key"] != "evenkeel:owner");
            if let Some(owner) = owner {
                set_tag(service, "evenkeel:owner", owner);
            }
        });
        assert_eq!(broken(&journal), [Invariant::S1], "{owner:?}");
    }
}

#[test]
fn s1_another_hands_tag_is_not_removed() {
    let journal = forged(&ROLL_OUT, "TagResource", 0, |called| {
        called.input["tags"] = json!([{ "key": "cost-centre", "value": "7" }]);
    });
    assert_eq!(broken(&journal), [Invariant::S1]);
}

#[test]
fn s1_nothing_is_deleted() {
    let journal = forged(&ROLL_OUT, "UpdateService", 0, |called| {
        called.operation = "DeleteService".to_owned()
    });
    assert_eq!(broken(&journal), [Invariant::S1]);
}

#[test]
fn s2_nothing_starts_beside_its_like_or_during_a_rollback() {
    for status in ["IN_PROGRESS", "ROLLBACK_IN_PROGRESS"] {
        let journal = forged(&ROLL_OUT, "UpdateService", 0, |called| {
            let change = change(called);
            // What it starts has been under way already.
            let mut newest = change.after.deployments[0].clone();
            newest["status"] = json!(status);
            change.before.deployments.insert(0, newest);
            change.before.revisions.clone_from(&change.after.revisions);
        });
        assert_eq!(broken(&journal), [Invariant::S2], "{status}");
    }
}

#[test]
fn s2_what_starts_nothing_names_no_definition() {
    let journal = forged(&ROLL_OUT, "TagResource", 0, |called| {
        let definition = change(called).before.service["taskDefinition"].clone();
        called.operation = "UpdateService".to_owned();
        called.input = json!({ "service": "api", "taskDefinition": definition });
    });
    assert_eq!(broken(&journal), [Invariant::S2]);
}

#[test]
fn s3_a_definition_is_registered_once() {
    let journal = forged(&ROLL_OUT, "RegisterTaskDefinition", 1, |called| {
        let after = &mut change(called).after.definitions;
        let mut copy = after.last().unwrap().clone();
        copy["revision"] = json!(99);
        after.push(copy);
    });
    assert_eq!(broken(&journal), [Invariant::S3]);
}

#[test]
fn s4_what_failed_is_not_tried_again() {
    let failed = find(&FAILED, "UpdateService", 0);
    let is_seen = |entry: &&Entry| matches!(entry.what, What::Seen(..));
    let Some(What::Seen(_, before)) = FAILED.iter().rfind(is_seen).map(|entry| entry.what.clone())
    else {
        panic!("nothing was seen");
    };
    let mut journal = FAILED.clone();
    let rest = journal
        .iter()
        .position(|entry| matches!(entry.what, What::Rest(_)))
        .unwrap();
    // After the look that comes right before.
    journal.truncate(rest);
    let looked = find(&journal, "DescribeServices", 0);
    let now = journal.last().unwrap().at;
    again(&mut journal, looked, now);
    let tried = again(&mut journal, failed, now);
    let forged = change(called(&mut journal[tried]));
    forged.after.revisions.clone_from(&before.revisions);
    let mut newest = before.deployments[0].clone();
    newest["status"] = json!("IN_PROGRESS");
    newest["serviceDeploymentArn"] = json!("the second try");
    forged.before = (*before).clone();
    forged.after.deployments.clone_from(&before.deployments);
    forged.after.deployments.insert(0, newest);
    assert_eq!(broken(&journal), [Invariant::S4]);
    // Unless somebody has allowed it.
    let arn = before.deployments[0]["serviceDeploymentArn"]
        .as_str()
        .unwrap();
    let forged = change(called(&mut journal[tried]));
    set_tag(&mut forged.before.service, "evenkeel:forgiven", arn);
    assert_eq!(broken(&journal), []);
}

#[test]
fn s5_a_count_that_is_not_declared_is_not_touched() {
    let mut journal = forged(&ROLL_OUT, "UpdateService", 0, |called| {
        called.input["desiredCount"] = json!(1);
    });
    assert_eq!(broken(&journal), [], "it is declared");
    for entry in &mut journal {
        if let What::Manifests(files) = &mut entry.what
            && let Some(File::Manifest(manifest)) = files.get_mut("api.yaml")
        {
            manifest.count = None;
        }
    }
    assert_eq!(broken(&journal), [Invariant::S5]);
}

/// The journal, with the files as they are before its last deployment replaced.
fn with_files(files: [(String, File); 1]) -> Vec<Entry> {
    let mut journal = ROLL_OUT.clone();
    let update = find(&journal, "UpdateService", 0);
    let at = journal[update].at - Duration::from_secs(20);
    let edits = journal
        .iter_mut()
        .skip(10)
        .filter(|entry| matches!(entry.what, What::Manifests(_)));
    for edit in edits {
        edit.at = at;
        edit.what = What::Manifests(files.clone().into());
    }
    journal.sort_by_key(|entry| entry.at);
    journal
}

#[test]
fn s6_what_nothing_describes_is_left_alone() {
    let other = Manifest::new("web", "1").file();
    assert_eq!(broken(&with_files([other])), [Invariant::S6]);
    let suspended = Manifest {
        suspend: true,
        ..Manifest::new("api", "1")
    };
    assert_eq!(broken(&with_files([suspended.file()])), [Invariant::S6]);
}

#[test]
fn s6_an_emptied_set_starts_nothing() {
    let mut journal = with_files([Manifest::new("api", "2").file()]);
    let edit = journal
        .iter()
        .rposition(|entry| matches!(entry.what, What::Manifests(_)))
        .unwrap();
    journal[edit].what = What::Manifests([].into());
    assert_eq!(broken(&journal), [Invariant::S6]);
}

#[test]
fn s7_a_service_is_looked_at_right_before_a_write() {
    let mut journal = ROLL_OUT.clone();
    let update = find(&journal, "UpdateService", 0);
    let from = journal[update].at - Duration::from_secs(60);
    let until = journal[update].at;
    journal.retain(|entry| {
        let is_look = entry
            .called()
            .is_some_and(|called| called.operation == "DescribeServices");
        !is_look || entry.at < from || entry.at > until
    });
    assert_eq!(broken(&journal), [Invariant::S7]);
}

#[test]
fn s7_what_another_hand_has_changed_is_seen_first() {
    let mut journal = ROLL_OUT.clone();
    let update = find(&journal, "UpdateService", 0);
    // The daemon's write comes two seconds late, and the hand's in between.
    let at = journal[update].at;
    for entry in &mut journal[update..] {
        entry.at += Duration::from_secs(2);
    }
    let hand = again(&mut journal, update, at);
    called(&mut journal[hand]).by = Caller::Hand;
    assert_eq!(broken(&journal), [Invariant::S7]);
}

#[test]
fn s8_after_a_failed_read_nothing_is_written() {
    for (operation, spoil) in [
        ("DescribeServices", fail as fn(&mut Called)),
        ("DescribeLogGroups", fail),
        ("DescribeTargetHealth", fail),
        ("DescribeServices", fall_out),
    ] {
        let mut journal = ROLL_OUT.clone();
        let update = find(&journal, "UpdateService", 0);
        let last = (0..update).rev().find(|at| {
            journal[*at]
                .called()
                .is_some_and(|it| it.operation == operation)
        });
        spoil(called(&mut journal[last.unwrap()]));
        assert!(broken(&journal).contains(&Invariant::S8), "{operation}");
    }
}

fn fail(called: &mut Called) {
    called.is_done = false;
    called.faults = vec!["serverError"];
}

fn fall_out(called: &mut Called) {
    called.faults = vec!["partial"];
    called.outcome = Ok(
        json!({ "failures": [{ "arn": "arn:aws:ecs:::service/prod/api", "reason": "MISSING" }] }),
    );
}

#[test]
fn s8_a_service_that_is_only_said_to_be_missing_is_not_created() {
    let mut journal = ROLL_OUT.clone();
    let create = find(&journal, "CreateService", 0);
    let listed = journal[..create].iter().filter_map(Entry::called);
    assert!(
        listed
            .filter(|called| called.operation == "ListServices")
            .count()
            > 0,
        "an honest daemon asks twice"
    );
    // It was there before.
    let mut made = journal[create].clone();
    called(&mut made).by = Caller::Hand;
    journal.insert(0, made);
    assert_eq!(broken(&journal), []);
    journal.retain(|entry| {
        entry
            .called()
            .is_none_or(|called| called.operation != "ListServices")
    });
    assert_eq!(broken(&journal), [Invariant::S8]);
}

#[test]
fn s9_writes_stay_under_a_quarter_of_the_quota() {
    let mut journal = ROLL_OUT.clone();
    let update = find(&journal, "UpdateService", 0);
    let write = Called {
        operation: "TagResource".to_owned(),
        outcome: Err(emulator::core::ApiError {
            status: 400,
            code: "ClientException",
            message: String::new(),
        }),
        ..called(&mut journal[update]).clone()
    };
    let entry = Entry {
        at: journal[update].at,
        what: What::Called(Box::new(write)),
    };
    // A quarter of a burst of 20, and one on its way. An honest one follows.
    let many = |count| {
        let mut journal = ROLL_OUT.clone();
        journal.splice(update..update, vec![entry.clone(); count]);
        broken(&journal)
    };
    assert_eq!(many(5), []);
    assert_eq!(many(6), [Invariant::S9]);
}

#[test]
fn s9_many_services_are_not_deployed_at_once_unasked() {
    // Each is deployed by an edit, and then once more.
    let of = |name: &str, at: u64, journal: &mut Vec<Entry>| {
        let honest = &ROLL_OUT[find(&ROLL_OUT, "UpdateService", 0)];
        let mut entry = honest.clone();
        entry.at = START + Duration::from_secs(at);
        let called = called(&mut entry);
        called.input["service"] = json!(name);
        let Change { before, after } = called.change.as_mut().unwrap();
        for sight in [before, after] {
            set_tag(
                &mut sight.service,
                "evenkeel:owner",
                &format!("{OWNER}/prod/{name}"),
            );
        }
        let look = Called {
            operation: "DescribeServices".to_owned(),
            input: json!({ "services": [name] }),
            change: None,
            ..called.clone()
        };
        let look = Entry {
            at: entry.at,
            what: What::Called(Box::new(look)),
        };
        journal.extend([look, entry]);
    };
    let deployed = |many: usize| {
        let names: Vec<_> = (0..10).map(|number| format!("s{number}")).collect();
        let files = names
            .iter()
            .map(|name| Manifest::new(name, "1").file())
            .collect();
        let mut journal = vec![note(What::Manifests(files)), note(What::Started(0))];
        for (number, name) in names.iter().enumerate() {
            of(name, 60 * (number as u64 + 1), &mut journal);
        }
        for (number, name) in names.iter().take(many).enumerate() {
            of(name, 3_600 + number as u64, &mut journal);
        }
        broken(&journal)
    };
    assert_eq!(deployed(2), []);
    assert_eq!(deployed(3), [Invariant::S9]);
}

const START: Timestamp = Timestamp::constant(1_790_000_000, 0);

fn note(what: What) -> Entry {
    Entry { at: START, what }
}

#[test]
fn s10_what_matches_is_left_alone() {
    let nothing = forged(&ROLL_OUT, "TagResource", 0, |called| {
        let change = change(called);
        change.after = change.before.clone();
    });
    assert_eq!(broken(&nothing), [Invariant::S10]);
    let mut at_rest = ROLL_OUT.clone();
    let tagged = find(&at_rest, "TagResource", 0);
    let rest = at_rest
        .iter()
        .position(|entry| matches!(entry.what, What::Rest(_)))
        .unwrap();
    let when = at_rest[rest].at + Duration::from_secs(1);
    let looked = find(&at_rest, "DescribeServices", 0);
    again(&mut at_rest, looked, when);
    again(&mut at_rest, tagged, when);
    assert_eq!(broken(&at_rest), [Invariant::S10]);
}

#[test]
fn l1_action_follows_soon_and_arrival_soon_after() {
    let late = |by: u32, operation: &str| {
        let mut journal = ROLL_OUT.clone();
        let first = find(
            &journal,
            operation,
            if operation == "TagResource" { 0 } else { 1 },
        );
        for entry in &mut journal[first..] {
            entry.at += Duration::from_secs(by.into());
            // ECS rolls out as long as it did, later.
            if let What::Seen(_, sight) = &mut entry.what {
                delay(sight, f64::from(by));
            }
        }
        broken(&journal)
    };
    assert_eq!(late(20, "RegisterTaskDefinition"), []);
    assert!(late(40, "RegisterTaskDefinition").contains(&Invariant::L1));
}

fn delay(sight: &mut Sight, by: f64) {
    for deployment in &mut sight.deployments {
        for member in ["createdAt", "finishedAt"] {
            if let Some(at) = deployment[member].as_f64() {
                deployment[member] = json!(at + by);
            }
        }
    }
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
