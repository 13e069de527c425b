//! S8: after a read that failed, or of which something has fallen out, nothing is written before the same has been read
//! whole. A service that is only said to be missing is not created.
//!
//! A page that comes without its items looks like one that has none: nobody can tell, and so it is not held against
//! anybody. But that a service is missing must be said twice, by DescribeServices and by ListServices.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{Bound, Invariant, Rule, bound::service_of};
use crate::journal::{Called, Caller, Entry, What};

/// How long before a service is created all may have been listed.
const LISTED_WITHIN: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Unknown {
    /// The services that there are.
    there: BTreeSet<String>,
    /// What a daemon last failed to read of a service.
    unread: BTreeMap<(Caller, String), BTreeSet<String>>,
    /// When who last listed all services.
    listed: BTreeMap<Caller, Timestamp>,
}

impl Rule for Unknown {
    fn invariant(&self) -> Invariant {
        Invariant::S8
    }

    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String> {
        if let What::Manifests(_) = entry.what {
            // They may no longer ask for what could not be read.
            for unread in self.unread.values_mut() {
                unread.retain(|operation| operation == "DescribeServices");
            }
        }
        let called = entry.called()?;
        let against = self.against(called, entry.at);
        if called.is_write_of_daemon() || called.change.is_some() {
            self.follow(called);
        } else {
            self.note_read(called, entry.at, bound);
        }
        against
    }
}

impl Unknown {
    fn against(&self, called: &Called, at: Timestamp) -> Option<String> {
        // When it was late it had been sent earlier.
        let is_late = called.faults.contains(&"delay");
        let is_judged = called.is_write_of_daemon() && !is_late;
        let name = service_of(called).filter(|_| is_judged)?;
        let key = (called.by, name);
        let (operation, name) = (&called.operation, &key.1);
        let listed = self.listed.get(&called.by);
        let is_proven = listed.is_some_and(|listed| *listed + LISTED_WITHIN >= at);
        if operation == "CreateService" && self.there.contains(name) && !is_proven {
            return Some(format!(
                "{operation} of {name}, which was only said to be missing"
            ));
        }
        let unread = self.unread.get(&key)?.first()?;
        Some(format!("{operation} of {name} after {unread} had failed"))
    }

    fn follow(&mut self, called: &Called) {
        let (Some(change), Some(name)) = (&called.change, service_of(called)) else {
            return;
        };
        // What drains is not listed any more, and may be said to be missing.
        if change.after.service["status"] == "ACTIVE" {
            self.there.insert(name);
        } else if !change.before.service.is_null() {
            self.there.remove(&name);
        }
    }

    fn note_read(&mut self, called: &Called, at: Timestamp, bound: &Bound) {
        let input = |member: &str| called.input[member].as_str().unwrap_or_default();
        let is_answered = called.is_done && called.is_told && called.outcome.is_ok();
        match called.operation.as_str() {
            "DescribeServices" => {
                let fallen = fallen_out(called);
                for name in names(&called.input) {
                    let has_fallen = fallen.contains(name) && self.there.contains(name);
                    self.note(called, name, is_answered && !has_fallen);
                }
            }
            "DescribeLogGroups" => {
                let name = input("logGroupNamePrefix").trim_start_matches("/ecs/");
                self.note(called, name, is_answered);
            }
            "DescribeImages" => {
                // That there is none is an answer.
                let code = called.outcome.as_ref().err().map(|error| error.code);
                let is_none = matches!(
                    code,
                    Some("ImageNotFoundException" | "RepositoryNotFoundException")
                );
                self.note(called, input("repositoryName"), is_answered || is_none);
            }
            "DescribeTargetHealth" => {
                for name in bound.of_target_group(called.by, input("TargetGroupArn")) {
                    self.note(called, &name, is_answered);
                }
            }
            "ListServices" if is_answered => {
                self.listed.insert(called.by, at);
            }
            _ => {}
        }
    }

    fn note(&mut self, called: &Called, name: &str, is_read: bool) {
        let unread = self.unread.entry((called.by, name.to_owned())).or_default();
        if is_read {
            unread.remove(&called.operation);
        } else {
            unread.insert(called.operation.clone());
        }
    }
}

/// The services that a DescribeServices asks for.
pub(super) fn names(input: &Value) -> impl Iterator<Item = &str> {
    let names = input["services"].as_array().into_iter().flatten();
    names
        .filter_map(Value::as_str)
        .map(|name| name.rsplit('/').next().unwrap_or(name))
}

/// What a fault has taken out of an answer, or what is missing in it.
fn fallen_out(called: &Called) -> BTreeSet<String> {
    let is_partial = called.faults.contains(&"partial");
    let reply = called.outcome.as_ref().ok().filter(|_| is_partial);
    let failures = reply.and_then(|reply| reply["failures"].as_array());
    let arns = failures
        .into_iter()
        .flatten()
        .filter_map(|failure| failure["arn"].as_str());
    arns.map(|arn| arn.rsplit('/').next().unwrap_or(arn).to_owned())
        .collect()
}
