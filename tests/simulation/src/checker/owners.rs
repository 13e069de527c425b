//! S1: nothing without our owner tag is changed, unless the manifest says `adopt`. Nothing is deleted. Whoever takes the
//! tag away after a daemon's last look, which comes right before its writes (S7), is heeded by the next look.

use std::collections::BTreeMap;

use emulator::core::Service;
use jiff::Timestamp;
use serde_json::Value;

use super::{Bound, Invariant, Rule, bound::service_of, deployment::tag};
use crate::{
    daemon::OWNER,
    furniture::CLUSTER,
    journal::{Called, Caller, Change, Entry},
};

/// Everything that a daemon may ever do to change something.
const MAY: [&str; 10] = [
    "CreateLogGroup",
    "CreateService",
    "DeleteRetentionPolicy",
    "DeregisterTaskDefinition",
    "PutRetentionPolicy",
    "RegisterTaskDefinition",
    "StopServiceDeployment",
    "TagResource",
    "UntagResource",
    "UpdateService",
];

const OWNER_TAG: &str = "evenkeel:owner";
const LABELS_TAG: &str = "evenkeel:labels";

#[derive(Default)]
pub(super) struct Owners {
    /// When somebody else last took our owner tag away from a service.
    untagged: BTreeMap<String, Timestamp>,
}

impl Rule for Owners {
    fn invariant(&self) -> Invariant {
        Invariant::S1
    }

    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String> {
        self.note(entry);
        let (sent, change) = entry.sent()?;
        let operation = sent.operation.as_str();
        if sent.service == Service::S3 {
            return None;
        }
        if !MAY.contains(&operation) {
            return Some(format!("{operation} is nothing that a daemon may do"));
        }
        let name = service_of(sent)?;
        let manifests = bound.manifests(sent.by, &name, entry.at);
        let ours = format!("{OWNER}/{CLUSTER}/{name}");
        let owner = owner(sent, change);
        match owner {
            // What is not there belongs to nobody.
            Owned::Absent => {}
            Owned::By(Some(owner)) if owner == ours => {}
            Owned::By(None) if manifests.iter().any(|manifest| manifest.adopt) => {}
            Owned::By(None) if self.is_untagged_unseen(sent.by, &name, bound) => {}
            Owned::By(owner) => {
                let owner = owner.unwrap_or("nobody");
                return Some(format!("{operation} of {name}, which is {owner}'s"));
            }
        }
        let labels = manifests.iter().flat_map(|manifest| manifest.labels.keys());
        let labels: Vec<&str> = labels.map(String::as_str).collect();
        foreign_tag(sent, change, &labels)
    }
}

impl Owners {
    fn note(&mut self, entry: &Entry) {
        let Some(called) = entry.called().filter(|it| it.by == Caller::Hand) else {
            return;
        };
        let keys = texts(&called.input["tagKeys"], |key| key);
        if called.operation == "UntagResource" && keys.contains(&OWNER_TAG) {
            let untagged = service_of(called).map(|name| (name, entry.at));
            self.untagged.extend(untagged);
        }
    }

    /// Whether the sender's last look at a service is from before its tag was taken away.
    fn is_untagged_unseen(&self, by: Caller, name: &str, bound: &Bound) -> bool {
        let view = bound.known.view(by, "DescribeServices", name);
        let untagged = self.untagged.get(name);
        view.zip(untagged)
            .is_some_and(|(view, at)| view.shows <= *at)
    }
}

enum Owned<'a> {
    Absent,
    By(Option<&'a str>),
}

fn owner<'a>(called: &'a Called, change: &'a Change) -> Owned<'a> {
    let before = &change.before;
    match called.operation.as_str() {
        // It adds a revision and changes none.
        "RegisterTaskDefinition" | "CreateService" => Owned::Absent,
        "DeregisterTaskDefinition" => {
            let arn = &called.input["taskDefinition"];
            let named = before
                .definitions
                .iter()
                .find(|one| one["taskDefinitionArn"] == *arn);
            named.map_or(Owned::Absent, |one| Owned::By(tag(&one["tags"], OWNER_TAG)))
        }
        _ if !before.log_group.is_null() => Owned::By(before.log_group["tags"][OWNER_TAG].as_str()),
        _ if !before.service.is_null() => Owned::By(tag(&before.service["tags"], OWNER_TAG)),
        _ => Owned::Absent,
    }
}

/// A tag that is changed and neither ours nor a label's.
fn foreign_tag(called: &Called, change: &Change, labels: &[&str]) -> Option<String> {
    let before = tag(&change.before.service["tags"], LABELS_TAG).unwrap_or_default();
    let known = |key: &str| {
        key.starts_with("evenkeel:")
            || labels.contains(&key)
            || before.split(' ').any(|one| one == key)
    };
    let keys: Vec<&str> = match called.operation.as_str() {
        "TagResource" => texts(&called.input["tags"], |tag| &tag["key"]),
        "UntagResource" => texts(&called.input["tagKeys"], |key| key),
        _ => Vec::new(),
    };
    let foreign = keys.into_iter().find(|key| !known(key))?;
    Some(format!(
        "{} of the tag {foreign}, which is not ours",
        called.operation
    ))
}

fn texts<'a>(list: &'a Value, text: impl Fn(&'a Value) -> &'a Value) -> Vec<&'a str> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| text(item).as_str()).collect()
}
