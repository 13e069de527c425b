//! In each pair, one thing after the other is changed, on either side.

use std::collections::BTreeSet;

use evenkeel::{
    diff::Difference,
    plan::{self, Lessons},
};

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

fn judge(pair: &Pair, side: Side, change: &Change) -> Result<(), String> {
    let (desired, observed) = pair.with(side, change);
    let plan = plan::plan(&desired, &observed, &Lessons::default());
    let found = &plan.differences;
    let is_right = match &change.expected {
        Expected::Nothing(_) => found.is_empty(),
        Expected::Named(path) => {
            let (named, others): (Vec<_>, Vec<_>) =
                found.iter().partition(|difference| names(difference, path));
            !named.is_empty() && others.iter().all(|other| comes_with(other, path))
        }
    };
    let paths: Vec<_> = found
        .iter()
        .map(|difference| difference.path.as_str())
        .collect();
    is_right.then_some(()).ok_or_else(|| {
        format!(
            "{}\n    expected {:?}, found {paths:?}",
            change.what, change.expected
        )
    })
}

/// Whether a difference says that `path` has changed: by that name, by one below it, or, when nothing is left around it
/// on one side, by the name of what is gone.
fn names(difference: &Difference, path: &str) -> bool {
    let is_around = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let is_gone = difference.desired.is_null() || difference.live.is_null();
    is_around(path, &difference.path) || (is_gone && is_around(&difference.path, path))
}

/// Whether a host port counts, the network mode decides.
fn comes_with(other: &Difference, path: &str) -> bool {
    path == "taskDefinition.networkMode" && other.path.ends_with(".hostPort")
}
