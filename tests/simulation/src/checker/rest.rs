//! S10: what matches is left alone: nothing is written at rest, and nothing that changes nothing.

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
            What::Called(called) if called.change.is_some() && !called.is_write_of_daemon() => {
                self.until = None;
            }
            What::Sent(sent) if sent.change.is_some() => {
                let is_rest = self.until.is_some_and(|until| entry.at < until);
                return is_rest.then(|| format!("{} {} at rest", sent.operation, sent.input));
            }
            What::Sent(_)
            | What::Called(_)
            | What::Seen(..)
            | What::Started(_)
            | What::Ended(_) => {}
        }
        None
    }
}

/// What changes nothing, unless what makes it so has come after what the daemon's last look has shown.
pub(super) struct NoEffect;

impl Rule for NoEffect {
    fn invariant(&self) -> Invariant {
        Invariant::S10
    }

    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String> {
        let (sent, change) = entry.sent()?;
        let is_same = essence(&change.before) == essence(&change.after);
        (is_same && sent.outcome.is_ok() && !bound.known.has_changed_unseen(sent))
            .then(|| format!("{} {} changes nothing", sent.operation, sent.input))
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
