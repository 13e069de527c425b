//! S4: what failed is not tried again by itself. The newest outcome of what aims at the same counts. A call that
//! was itself late is not judged: what has failed since it was sent nobody knew.

use super::{
    Bound, Invariant, Rule,
    deployment::{Fate, aim, fate, may_balance_alike, started, tag},
};
use crate::journal::Entry;

pub(super) struct HeldBack;

impl Rule for HeldBack {
    fn invariant(&self) -> Invariant {
        Invariant::S4
    }

    fn step(&mut self, entry: &Entry, _: &Bound) -> Option<String> {
        let called = entry
            .called()
            .filter(|called| called.is_write_of_daemon())?;
        let is_late = called.faults.contains(&"delay");
        let change = called
            .change
            .as_ref()
            .filter(|_| called.is_done && !is_late)?;
        let aims_at = started(change)?;
        let before = &change.before;
        let same = before
            .deployments
            .iter()
            .filter(|one| aim(before, one) == aims_at && may_balance_alike(change, one));
        let newest = same
            .map(|one| (one, fate(one)))
            .find(|(_, fate)| *fate != Fate::Superseded)?;
        let (deployment, fate) = newest;
        let arn = deployment["serviceDeploymentArn"].as_str();
        let is_forgiven = tag(&before.service["tags"], "evenkeel:forgiven") == arn;
        (fate == Fate::Failed && !is_forgiven)
            .then(|| format!("what failed as {} is tried again", arn.unwrap_or_default()))
    }
}
