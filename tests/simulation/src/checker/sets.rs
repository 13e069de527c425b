//! S6: a service is changed only by a manifest that binds the daemon, and what is in force only for want of another set
//! starts nothing.

use super::{Bound, Invariant, Rule, bound::service_of, deployment::starts};
use crate::journal::Entry;

pub(super) struct Sets;

impl Rule for Sets {
    fn invariant(&self) -> Invariant {
        Invariant::S6
    }

    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String> {
        let (sent, change) = entry.sent()?;
        let name = service_of(sent)?;
        let operation = &sent.operation;
        let manifests = bound.manifests(sent.by, &name, entry.at);
        if manifests.is_empty() {
            return Some(format!(
                "{operation} of {name}, which no manifest in force describes"
            ));
        }
        if manifests.iter().all(|manifest| manifest.suspend) {
            return Some(format!("{operation} of {name}, which is suspended"));
        }
        let is_written = bound.is_written(&name, entry.at);
        let starts = operation == "CreateService" || starts(change);
        (starts && !is_written)
            .then(|| format!("{operation} of {name}, whose manifest is gone, starts tasks"))
    }
}
