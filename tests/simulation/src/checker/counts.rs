//! S5: `desiredCount` is never touched when the manifest does not declare it.

use super::{Bound, Invariant, Rule, bound::service_of};
use crate::journal::Entry;

pub(super) struct Counts;

impl Rule for Counts {
    fn invariant(&self) -> Invariant {
        Invariant::S5
    }

    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String> {
        let (sent, _) = entry.sent()?;
        if sent.operation != "UpdateService" || sent.input["desiredCount"].is_null() {
            return None;
        }
        let name = service_of(sent)?;
        let mut manifests = bound.manifests(sent.by, &name, entry.at).into_iter();
        let is_declared = manifests.any(|manifest| manifest.count.is_some());
        (!is_declared).then(|| format!("the count of {name} is changed, and its manifest has none"))
    }
}
