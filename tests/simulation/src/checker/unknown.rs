//! S8: after a read that failed, or of which something is missing, nothing is written before the same has been read whole.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Bound, Invariant, Rule, bound::service_of};
use crate::journal::{Called, Caller, Entry, What};

#[derive(Default)]
pub(super) struct Unknown {
    /// What a daemon last failed to read of a service.
    unread: BTreeMap<(Caller, String), BTreeSet<String>>,
    /// Who failed to list all services.
    unlisted: BTreeSet<Caller>,
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
        if called.is_write_of_daemon() {
            let name = service_of(called)?;
            // Where there is no service, it is not missing by a hole in an answer.
            let is_there = called
                .change
                .as_ref()
                .is_some_and(|change| !change.before.service.is_null());
            let unread = self
                .unread
                .get(&(called.by, name.clone()))
                .into_iter()
                .flatten();
            let unread = unread.map(String::as_str).find(|unread| {
                *unread != "DescribeServices" || called.operation != "CreateService" || is_there
            });
            let is_unlisted =
                called.operation == "CreateService" && self.unlisted.contains(&called.by);
            let unread = unread.or(is_unlisted.then_some("ListServices"))?;
            return Some(format!(
                "{} of {name} after {unread} had failed",
                called.operation
            ));
        }
        let Caller::Daemon(_) = called.by else {
            return None;
        };
        let is_whole = is_whole(called);
        let mut note = |name: &str, is_read: bool| {
            let unread = self.unread.entry((called.by, name.to_owned())).or_default();
            if is_read {
                unread.remove(&called.operation);
            } else {
                unread.insert(called.operation.clone());
            }
        };
        match called.operation.as_str() {
            "DescribeServices" => {
                let fallen = fallen_out(called);
                for name in names(&called.input) {
                    note(
                        name,
                        (is_whole || is_partial(called)) && !fallen.contains(name),
                    );
                }
            }
            "DescribeLogGroups" => {
                let prefix = called.input["logGroupNamePrefix"]
                    .as_str()
                    .unwrap_or_default();
                note(prefix.trim_start_matches("/ecs/"), is_whole);
            }
            "DescribeImages" => {
                let name = called.input["repositoryName"].as_str().unwrap_or_default();
                // That there is none is an answer.
                let is_answered = called.outcome.as_ref().err().is_some_and(|error| {
                    error.code == "ImageNotFoundException"
                        || error.code == "RepositoryNotFoundException"
                });
                note(name, is_whole || is_answered);
            }
            "DescribeTargetHealth" => {
                let group = called.input["TargetGroupArn"].as_str().unwrap_or_default();
                for name in bound.of_target_group(called.by, group) {
                    note(&name, is_whole);
                }
            }
            "ListServices" if is_whole => {
                self.unlisted.remove(&called.by);
            }
            "ListServices" => {
                self.unlisted.insert(called.by);
            }
            _ => {}
        }
        None
    }
}

/// The services that a DescribeServices asks for.
pub(super) fn names(input: &Value) -> impl Iterator<Item = &str> {
    let names = input["services"].as_array().into_iter().flatten();
    names
        .filter_map(Value::as_str)
        .map(|name| name.rsplit('/').next().unwrap_or(name))
}

fn is_whole(called: &Called) -> bool {
    let is_holed = called
        .faults
        .iter()
        .any(|fault| ["partial", "pageLost"].contains(fault));
    called.is_done && called.is_told && called.outcome.is_ok() && !is_holed
}

fn is_partial(called: &Called) -> bool {
    called.faults.contains(&"partial") && called.outcome.is_ok()
}

/// What a fault has taken out of an answer.
fn fallen_out(called: &Called) -> BTreeSet<String> {
    let reply = called.outcome.as_ref().ok().filter(|_| is_partial(called));
    let failures = reply.and_then(|reply| reply["failures"].as_array());
    let arns = failures
        .into_iter()
        .flatten()
        .filter_map(|failure| failure["arn"].as_str());
    arns.map(|arn| arn.rsplit('/').next().unwrap_or(arn).to_owned())
        .collect()
}
