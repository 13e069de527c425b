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
        let called = entry
            .called()
            .filter(|called| called.is_write_of_daemon())?;
        let name = service_of(called)?;
        let operation = &called.operation;
        let manifests = bound.manifests(called.by, &name, entry.at);
        if manifests.is_empty() {
            return Some(format!(
                "{operation} of {name}, which no manifest in force describes"
            ));
        }
        if manifests.iter().all(|manifest| manifest.suspend) {
            return Some(format!("{operation} of {name}, which is suspended"));
        }
        let is_written = bound.is_written(&name, entry.at);
        let starts = operation == "CreateService" || called.change.as_ref().is_some_and(starts);
        (starts && !is_written)
            .then(|| format!("{operation} of {name}, whose manifest is gone, starts tasks"))
    }
}
