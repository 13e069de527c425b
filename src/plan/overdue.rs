//! A rollout that comes no nearer to its end within `rollout.timeout` counts as failed.

use crate::{
    desired::Desired,
    manifest::DriftPolicy,
    observed::{Observed, Outcome},
    plan::{Step, step},
};

/// Whether the rollout under way has been without progress for longer than the manifest allows.
pub fn is_overdue(desired: &Desired, observed: &Observed) -> bool {
    let deadline = observed
        .progress
        .as_ref()
        .and_then(|progress| progress.deadline(desired.manifest.rollout.timeout));
    deadline.is_some_and(|deadline| deadline <= observed.aws_time)
}

/// Has an overdue rollout taken back, when there is something to go back to. A first deployment is left as it is, for
/// the next edit to supersede; so is everything under `drift.policy: report`.
pub(super) fn give_up(desired: &Desired, observed: &Observed) -> Option<Step> {
    if desired.manifest.drift.policy == DriftPolicy::Report || !is_overdue(desired, observed) {
        return None;
    }
    let newest = observed.history.first()?;
    let has_good = observed
        .history
        .iter()
        .any(|past| past.outcome == Outcome::Succeeded);
    (newest.outcome == Outcome::Running && has_good).then(|| step::roll_back(&newest.arn))
}
