//! S9: writes stay under a quarter of each documented quota; and the brake: many services are not deployed at once unasked.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    Bound, Invariant, Rule,
    bound::service_of,
    deployment::{starts, tag},
};
use crate::{
    journal::{Called, Caller, Entry},
    manifest::Manifest,
};

/// A quota: its calls, its burst, its refill per second.
struct Quota(&'static [&'static str], f64, f64);

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>. What is not documented there is
/// not counted.
const QUOTAS: [Quota; 5] = [
    Quota(
        &["RegisterTaskDefinition", "DeregisterTaskDefinition"],
        20.0,
        1.0,
    ),
    Quota(
        &["CreateService", "UpdateService", "DeleteService"],
        50.0,
        5.0,
    ),
    Quota(&["TagResource", "UntagResource"], 20.0, 10.0),
    Quota(&["CreateLogGroup"], 10.0, 10.0),
    Quota(&["PutRetentionPolicy", "DeleteRetentionPolicy"], 5.0, 5.0),
];
const SHARE: f64 = 0.25;
/// A plan takes its calls from the budget together and sends them one after the other: one may meet the next plan's.
const IN_A_PLAN: f64 = 1.0;

#[derive(Default)]
pub(super) struct Quotas {
    /// What is left, and when. By daemon: what one has spent another cannot know.
    levels: BTreeMap<(Caller, usize), (f64, Timestamp)>,
}

impl Rule for Quotas {
    fn invariant(&self) -> Invariant {
        Invariant::S9
    }

    fn step(&mut self, entry: &Entry, _: &Bound) -> Option<String> {
        let (sent, _) = entry.sent()?;
        let operation = sent.operation.as_str();
        let mut quotas = QUOTAS.iter().enumerate();
        let (index, Quota(_, burst, refill)) =
            quotas.find(|(_, quota)| quota.0.contains(&operation))?;
        let full = (burst * SHARE).max(1.0) + IN_A_PLAN;
        let (left, since) = self
            .levels
            .entry((sent.by, index))
            .or_insert((full, entry.at));
        let passed = Duration::try_from(entry.at.duration_since(*since)).unwrap_or_default();
        *left = (*left + passed.as_secs_f64() * refill * SHARE).min(full) - 1.0;
        *since = entry.at;
        (*left < 0.0).then(|| format!("{operation} beyond a quarter of its quota"))
    }
}

/// The window in which deployments are started at once.
const AT_ONCE: Duration = Duration::from_secs(30);
/// Fewer are no sign of anything.
const AT_LEAST: usize = 3;
/// One in so many may.
const ONE_IN: usize = 5;

#[derive(Default)]
pub(super) struct Brake {
    /// The manifests by which a service was last deployed or, as it was, found right: what is deployed by the same once
    /// more, no edit has asked for.
    deployed: BTreeMap<String, Manifest>,
    /// What was started unasked.
    unasked: Vec<(Timestamp, Caller, String)>,
}

impl Rule for Brake {
    fn invariant(&self) -> Invariant {
        Invariant::S9
    }

    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String> {
        if let Some(called) = entry.called() {
            self.note(called, entry.at, bound);
        }
        let (sent, change) = entry.sent()?;
        let Caller::Daemon(number) = sent.by else {
            return None;
        };
        let name = service_of(sent)?;
        let manifests = bound.manifests(sent.by, &name, entry.at);
        let manifest = manifests.first().copied()?;
        if self.deployed.get(&name) != Some(manifest) || !starts(change) {
            return None;
        }
        self.unasked.retain(|(at, ..)| *at + AT_ONCE >= entry.at);
        self.unasked.push((entry.at, sent.by, name));
        let own = self.unasked.iter().filter(|(_, by, _)| *by == sent.by);
        let services: BTreeSet<_> = own.map(|(_, _, name)| name).collect();
        let (many, of) = (services.len(), bound.described(number));
        (many >= AT_LEAST && many * ONE_IN > of).then(|| {
            format!("{many} of {of} services are deployed at once, and nobody has asked for it")
        })
    }
}

impl Brake {
    fn note(&mut self, called: &Called, at: Timestamp, bound: &Bound) {
        if called.operation == "PutImage" {
            // A tag that is followed asks by itself.
            let repository = called.input["repositoryName"].as_str().unwrap_or_default();
            self.deployed
                .retain(|name, manifest| name != repository || !manifest.track);
        }
        let change = called.change.as_ref().filter(|_| called.is_done);
        let (Some(change), Some(name)) = (change, service_of(called)) else {
            return;
        };
        let manifests = bound.manifests(called.by, &name, at);
        if let Some(manifest) = manifests.first()
            && (starts(change) || is_found_right(called))
        {
            self.deployed.insert(name, (*manifest).clone());
        }
    }
}

/// Whether a call says that a service is as its manifest wants it. What comes before a deployment, a log group or a
/// definition, does not.
fn is_found_right(called: &Called) -> bool {
    let is_applied = tag(&called.input["tags"], "evenkeel:applied").is_some();
    called.operation == "TagResource" && called.outcome.is_ok() && is_applied
}
