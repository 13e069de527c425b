//! S8: after a read that failed, or of which something has fallen out, nothing is written before the same has been read
//! whole. A service that is only said to be missing is not created.
//!
//! A page that comes without its items looks like one that has none, and a service of which something is said to be
//! missing like one that is: nobody can tell, and so it is not held against anybody. But that a service is missing must be
//! said twice, by DescribeServices and by ListServices, before it is created.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    Bound, Invariant, Rule,
    bound::service_of,
    deployment::{moment, starts},
    known::{asked_of, is_answer},
};
use crate::{
    journal::{Called, Caller, Change, Entry, What},
    manifest::Manifest,
};

/// How long before a service is created all are listed: by the pass that creates it, whose calls may be tried again for
/// fifteen seconds each.
const LISTED_WITHIN: Duration = Duration::from_secs(60);
/// A read that was asked so short a time ago may be answered yet, and be that of another service's pass.
const ON_ITS_WAY: Duration = Duration::from_millis(100);

/// What is called to create a service that there is not.
const MADE_FIRST: [&str; 5] = [
    "CreateLogGroup",
    "PutRetentionPolicy",
    "DeleteRetentionPolicy",
    "RegisterTaskDefinition",
    "CreateService",
];

#[derive(Default)]
pub(super) struct Unknown {
    /// What a daemon has asked of a service and not been told, and since when; what has failed, since ever.
    unread: BTreeMap<(Caller, String), BTreeMap<String, Timestamp>>,
    /// Those that were edited and have not been looked at since: another look was under way.
    edited: BTreeSet<(Caller, String)>,
    /// What has fallen out of the last look at it, and looks as if it were missing.
    fallen: BTreeSet<(Caller, String)>,
    /// By which manifest a daemon was last told what its image is. By the same it need not be told again.
    resolved: BTreeMap<(Caller, String), Manifest>,
}

impl Rule for Unknown {
    fn invariant(&self) -> Invariant {
        Invariant::S8
    }

    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String> {
        match &entry.what {
            What::Manifests(_) => {
                for (key, unread) in &mut self.unread {
                    if bound.is_edited(key.0, &key.1, entry.at) {
                        forget_what_was_asked_for(unread);
                        self.edited.insert(key.clone());
                    }
                }
            }
            What::Sent(sent) => match &sent.change {
                Some(change) => return self.against(sent, change, entry.at, bound),
                None => self.ask(sent, entry.at, bound),
            },
            What::Called(called) if called.change.is_none() => {
                self.answer(called, entry.at, bound);
            }
            What::Called(_)
            | What::Meddled(_)
            | What::Started(_)
            | What::Ended(_)
            | What::Seen(..)
            | What::Rest(_) => {}
        }
        None
    }
}

impl Unknown {
    fn ask(&mut self, sent: &Called, at: Timestamp, bound: &Bound) {
        for name in asked_about(sent, bound) {
            let key = (sent.by, name);
            let begins_anew = sent.operation == "DescribeServices" && self.edited.remove(&key);
            let unread = self.unread.entry(key).or_default();
            if begins_anew {
                forget_what_was_asked_for(unread);
            }
            unread.entry(sent.operation.clone()).or_insert(at);
        }
    }

    fn answer(&mut self, called: &Called, at: Timestamp, bound: &Bound) {
        // One that was late may have been given up, and asked again since.
        let is_late = called.faults.contains(&"delay");
        for name in asked_about(called, bound) {
            let (has_fallen, key) = (called.fallen_out.contains(&name), (called.by, name));
            let is_told = is_answer(called) && !has_fallen;
            if is_told && called.operation == "DescribeImages" {
                let manifest = manifest(bound, &key, at).cloned();
                self.resolved
                    .extend(manifest.map(|manifest| (key.clone(), manifest)));
            }
            if called.operation == "DescribeServices" {
                self.fallen.remove(&key);
                self.fallen.extend(has_fallen.then(|| key.clone()));
            }
            let unread = self.unread.entry(key).or_default();
            if is_told {
                unread.remove(&called.operation);
            } else if !is_late {
                unread.insert(called.operation.clone(), Timestamp::MIN);
            }
        }
    }

    fn against(
        &self,
        sent: &Called,
        change: &Change,
        at: Timestamp,
        bound: &Bound,
    ) -> Option<String> {
        let key = (sent.by, service_of(sent)?);
        let (operation, name) = (&sent.operation, &key.1);
        if operation == "CreateService" && !is_proven(sent.by, change, at, bound) {
            return Some(format!(
                "{operation} of {name}, which was only said to be missing"
            ));
        }
        let matters = |(read, since): &(&String, &Timestamp)| {
            let is_due = **since < at.saturating_sub(ON_ITS_WAY).unwrap_or(at);
            let is_asked_for = match read.as_str() {
                "ListTaskDefinitions" => operation == "RegisterTaskDefinition",
                // What is not there has no past.
                "ListServiceDeployments" => operation == "UpdateService" && starts(change),
                "DescribeImages" => {
                    let manifest = manifest(bound, &key, at);
                    let follows = manifest.is_some_and(|manifest| manifest.track);
                    follows || self.resolved.get(&key) != manifest
                }
                "DescribeServices" if self.fallen.contains(&key) => {
                    let creates = MADE_FIRST.contains(&operation.as_str());
                    // That it is missing has been said twice.
                    !creates || !is_proven(sent.by, change, at, bound)
                }
                _ => true,
            };
            is_due && is_asked_for
        };
        let (unread, _) = self.unread.get(&key)?.iter().find(matters)?;
        Some(format!("{operation} of {name} after {unread} had failed"))
    }
}

/// A manifest that was edited may no longer ask for what could not be read.
fn forget_what_was_asked_for(unread: &mut BTreeMap<String, Timestamp>) {
    unread.retain(|operation, _| operation == "DescribeServices");
}

/// Whether the creator of a service was also told by a list that there is none: one that, should there be one, is older
/// or came without its items.
fn is_proven(by: Caller, change: &Change, at: Timestamp, bound: &Bound) -> bool {
    let listed = bound.known.view(by, "ListServices", "");
    listed.is_some_and(|listed| {
        let there = &change.before.service;
        let is_there = there["status"] == "ACTIVE";
        let since = moment(&there["createdAt"]).filter(|_| is_there);
        listed.at + LISTED_WITHIN >= at && since.is_none_or(|since| since >= listed.shows)
    })
}

fn manifest<'a>(
    bound: &'a Bound,
    (by, name): &(Caller, String),
    at: Timestamp,
) -> Option<&'a Manifest> {
    bound.manifests(*by, name, at).first().copied()
}

/// The services about which a read asks.
fn asked_about(read: &Called, bound: &Bound) -> Vec<String> {
    match read.input["TargetGroupArn"].as_str() {
        Some(group) if read.operation == "DescribeTargetHealth" => {
            bound.of_target_group(read.by, group)
        }
        Some(_) | None => asked_of(read),
    }
}
