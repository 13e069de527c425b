//! In each pair, one thing after the other is changed, on either side.

use std::collections::BTreeSet;

use evenkeel::plan::{self, Lessons};

use super::{
    changes::{self, Change, Expected, Side},
    pairs::Pair,
};

/// How many failures of one pair are shown; the first ones say enough.
const SHOWN: usize = 8;

#[test]
fn what_aws_returns_is_what_was_asked_for() {
    let pairs = Pair::all();
    assert!(pairs.len() >= 40, "only {} pairs", pairs.len());
    let mut failures = Vec::new();
    for pair in pairs {
        let plan = plan::plan(&pair.desired, &pair.observed(), &Lessons::default());
        if !plan.is_empty() {
            failures.push(format!(
                "{}: {:?} {:?}",
                pair.name, plan.differences, plan.blocked
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_change_in_aws_is_found_and_named() {
    each_change(Side::Live);
}

#[test]
fn every_change_of_a_manifest_is_found_and_named() {
    each_change(Side::Manifest);
}

fn each_change(side: Side) {
    let mut added = BTreeSet::new();
    let (mut failures, mut count) = (Vec::new(), 0);
    for pair in Pair::all() {
        let changes = changes::of(&pair, side, &mut added);
        count += changes.len();
        let failed = changes
            .iter()
            .filter_map(|change| judge(&pair, side, change).err())
            .map(|why| format!("{}: {why}", pair.name));
        failures.extend(failed.take(SHOWN));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // That the walk reaches the documents at all.
    assert!(count > 3_000, "only {count} changes");
}

pub fn judge(pair: &Pair, side: Side, change: &Change) -> Result<(), String> {
    let (desired, observed) = pair.with(side, change);
    let plan = plan::plan(&desired, &observed, &Lessons::default());
    let found: BTreeSet<_> = plan
        .differences
        .iter()
        .map(|difference| difference.pointer.clone())
        .collect();
    let is_right = match &change.expected {
        Expected::Nothing(_) => found.is_empty(),
        Expected::Named(pointers) => {
            let others = found.difference(pointers);
            pointers.is_subset(&found)
                && others.into_iter().all(|other| comes_with(other, pointers))
        }
    };
    is_right.then_some(()).ok_or_else(|| {
        format!(
            "{}\n    expected {:?}, found {found:?}",
            change.what, change.expected
        )
    })
}

/// Whether a host port counts, the network mode decides.
fn comes_with(other: &str, changed: &BTreeSet<String>) -> bool {
    changed.contains("/taskDefinition/networkMode") && other.ends_with("/hostPort")
}
