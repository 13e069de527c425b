//! The policy that Terraform gives to the daemon allows what the daemon asks of AWS in the system tests, and nothing else.
//! `make test` runs this last, over what those tests have written down (`tests/system/record.rs`).
//!
//! Not looked at: conditions; whether the policy is attached; resources of other clusters, families, log groups,
//! repositories and buckets than the policy's; what IAM asks of whoever runs commands.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod needs;
mod statements;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
};

use serde_json::Value;

use crate::needs::Need;

/// Every need, and a test that has it.
fn needed() -> BTreeMap<Need, String> {
    let directory = env::var("EVENKEEL_RECORD")
        .unwrap_or_else(|_| panic!("EVENKEEL_RECORD names no records: run `make test`"));
    let mut needed = BTreeMap::new();
    for file in fs::read_dir(&directory).unwrap() {
        let path = file.unwrap().path();
        let test = path.file_name().unwrap().to_string_lossy().into_owned();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let request: Value = serde_json::from_str(line).unwrap();
            let [service, operation] =
                ["service", "operation"].map(|key| request[key].as_str().unwrap());
            for need in needs::of(service, operation, &request["input"]) {
                needed.entry(need).or_insert_with(|| test.clone());
            }
        }
    }
    assert!(!needed.is_empty(), "{directory} has no records");
    needed
}

#[test]
fn the_daemon_may_do_what_it_does_and_nothing_else() {
    let (needed, statements) = (needed(), statements::of_the_daemon());

    let mut missing = BTreeMap::new();
    for (need, test) in &needed {
        let Need { action, resource } = need;
        let has_action = statements.iter().any(|one| one.actions.contains(action));
        let is_allowed = statements.iter().any(|one| one.allows(action, resource));
        if !has_action || (need.is_of_the_stack() && !is_allowed) {
            // One resource of many.
            let told = format!("missing: {action} on {resource} (in {test})");
            missing.entry(action).or_insert(told);
        }
    }
    let mut wrong: Vec<_> = missing.into_values().collect();

    let actions: BTreeSet<_> = needed.keys().map(|need| need.action.as_str()).collect();
    for statement in &statements {
        for action in &statement.actions {
            if !actions.contains(action.as_str()) {
                wrong.push(format!("unused: {action} in {}", statement.sid));
            }
        }
        for pattern in &statement.resources {
            let is_used = needed.keys().any(|need| {
                statement.actions.contains(&need.action)
                    && statements::matches(pattern, &need.resource)
            });
            if !is_used {
                wrong.push(format!("unused: {pattern} in {}", statement.sid));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn security_md_lists_what_the_policy_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let security = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let statements = statements::of_the_daemon();
    let actions = statements.iter().flat_map(|statement| &statement.actions);
    let mut missing: BTreeSet<_> = actions.map(String::as_str).collect();
    missing.retain(|action| !security.contains(&format!("`{action}`")));
    assert!(missing.is_empty(), "SECURITY.md does not list {missing:?}");
}
