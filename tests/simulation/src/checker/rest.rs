//! S10: what matches is left alone: nothing is written at rest, and nothing that changes nothing.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Bound, Invariant, Rule};
use crate::{
    journal::{Entry, What},
    sight::Sight,
};

#[derive(Default)]
pub(super) struct Rest {
    until: Option<Timestamp>,
}

impl Rule for Rest {
    fn invariant(&self) -> Invariant {
        Invariant::S10
    }

    fn step(&mut self, entry: &Entry, _: &Bound) -> Option<String> {
        match &entry.what {
            What::Rest(time) => self.until = Some(entry.at + *time),
            // Whoever touches something ends the rest.
            What::Manifests(_) | What::Meddled(_) => self.until = None,
            What::Called(called) if called.is_write_of_daemon() => {
                let is_rest = self.until.is_some_and(|until| entry.at < until);
                return is_rest.then(|| format!("{} {} at rest", called.operation, called.input));
            }
            What::Called(called) if called.change.is_some() => self.until = None,
            What::Called(_) | What::Seen(..) | What::Started(_) | What::Ended(_) => {}
        }
        None
    }
}

/// How long reads may show what is no longer so, once a fault has made them.
const LAGGING: Duration = Duration::from_secs(360);

#[derive(Default)]
pub(super) struct NoEffect {
    /// When a daemon was last told something wrong, or nothing.
    disturbed: Option<Timestamp>,
}

impl Rule for NoEffect {
    fn invariant(&self) -> Invariant {
        Invariant::S10
    }

    fn step(&mut self, entry: &Entry, _: &Bound) -> Option<String> {
        let called = match &entry.what {
            What::Called(called) => called,
            // What the last one has just done, the next one may be about to do.
            What::Ended(_) => {
                self.disturbed = Some(entry.at);
                return None;
            }
            What::Manifests(_)
            | What::Meddled(_)
            | What::Seen(..)
            | What::Started(_)
            | What::Rest(_) => return None,
        };
        if !called.faults.is_empty() {
            self.disturbed = Some(entry.at);
        }
        let is_disturbed = self.disturbed.is_some_and(|at| at + LAGGING >= entry.at);
        if !called.is_write_of_daemon()
            || !called.is_done
            || called.outcome.is_err()
            || is_disturbed
        {
            return None;
        }
        let change = called.change.as_ref()?;
        (essence(&change.before) == essence(&change.after))
            .then(|| format!("{} {} changes nothing", called.operation, called.input))
    }
}

/// What a write is there to change.
fn essence(sight: &Sight) -> Value {
    let mut service = sight.service.clone();
    if let Some(service) = service.as_object_mut() {
        for passing in [
            "runningCount",
            "pendingCount",
            "currentServiceRevisions",
            "deployments",
        ] {
            service.remove(passing);
        }
    }
    let of = |list: &[Value], member: &str| -> Value {
        list.iter().map(|one| one[member].clone()).collect()
    };
    json!({
        "service": service,
        "deployments": of(&sight.deployments, "serviceDeploymentArn"),
        "statuses": of(&sight.deployments, "status"),
        "definitions": of(&sight.definitions, "taskDefinitionArn"),
        "logGroup": sight.log_group,
    })
}
