//! What must have been read before a write: S6 to S8.

use super::*;

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
    // Of an edit, targets are not asked about.
    for (write, operation, spoil) in [
        ("UpdateService", "DescribeServices", fail as fn(&mut Called)),
        ("UpdateService", "DescribeLogGroups", fail),
        ("CreateService", "DescribeTargetHealth", fail),
        ("UpdateService", "DescribeServices", fall_out),
    ] {
        let mut journal = ROLL_OUT.clone();
        let write = find(&journal, write, 0);
        let last = (0..write).rev().find(|at| {
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
