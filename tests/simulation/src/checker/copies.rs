//! S3: at most one revision per definition. Nobody registers what there is already, unless it was hidden: by a list that
//! was stale or came without its items, and by no answer to a registration.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Bound, Invariant, Rule,
    bound::service_of,
    deployment::{content, moment, tag},
    known::View,
};
use crate::{
    daemon::OWNER,
    furniture::CLUSTER,
    journal::{Called, Caller, Entry},
};

/// How long before a definition is registered those that there are must be listed: by the pass that registers it, whose
/// calls may be tried again for fifteen seconds each.
const LISTED_WITHIN: Duration = Duration::from_secs(60);
/// How long a daemon must know what it was answered, as lists may not show it yet: "wait up to five minutes",
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>.
const KNOWN_FOR: Duration = Duration::from_secs(300);

#[derive(Default)]
pub(super) struct Copies {
    /// When whose registration was answered, by ARN.
    told: BTreeMap<(Caller, String), Timestamp>,
}

impl Rule for Copies {
    fn invariant(&self) -> Invariant {
        Invariant::S3
    }

    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String> {
        if let Some(called) = entry.called() {
            self.note(called, entry.at);
        }
        let (sent, change) = entry.sent()?;
        if sent.operation != "RegisterTaskDefinition" {
            return None;
        }
        let name = service_of(sent)?;
        let listed = bound.known.view(sent.by, "ListTaskDefinitions", &name);
        let listed = listed.filter(|listed| listed.at + LISTED_WITHIN >= entry.at);
        let newest = change.after.definitions.last()?;
        let ours = format!("{OWNER}/{CLUSTER}/{name}");
        for one in &change.before.definitions {
            let is_same = tag(&one["tags"], "evenkeel:owner") == Some(&ours)
                && content(one) == content(newest);
            if is_same && !self.is_hidden(one, sent.by, entry.at, listed) {
                let arn = &one["taskDefinitionArn"];
                return Some(format!("what {arn} of {name} says is registered again"));
            }
        }
        None
    }
}

impl Copies {
    fn note(&mut self, called: &Called, at: Timestamp) {
        if called.operation != "RegisterTaskDefinition" || !called.is_answered() {
            return;
        }
        let reply = called.outcome.as_ref().unwrap_or(&Value::Null);
        self.told
            .insert((called.by, arn(&reply["taskDefinition"])), at);
    }

    /// Whether a daemon could not know of a revision: each that is there must have been hidden from it, by a reply that was
    /// lost or was another's, and by a list that is older.
    fn is_hidden(&self, one: &Value, by: Caller, at: Timestamp, listed: Option<View>) -> bool {
        let told = self.told.get(&(by, arn(one)));
        let is_told = told.is_some_and(|told| *told + KNOWN_FOR >= at);
        let registered = moment(&one["registeredAt"]);
        let is_listed = listed
            .zip(registered)
            .is_none_or(|(listed, registered)| registered < listed.shows);
        !is_told && !is_listed
    }
}

fn arn(definition: &Value) -> String {
    let arn = definition["taskDefinitionArn"].as_str();
    arn.unwrap_or_default().to_owned()
}
