//! S4: what failed is not tried again by itself. The newest outcome of what aims at the same counts.

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
        let (_, change) = entry.sent()?;
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
