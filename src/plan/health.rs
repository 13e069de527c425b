//! Too few healthy targets for too long: one redeployment per incident.
//!
//! ECS replaces unhealthy tasks and registers removed targets again by itself, so this waits for a grace period, and does
//! it once. An incident lasts until the minimum is met again. When one was answered is remembered in the service's tag
//! [`tags::REDEPLOYED`], written before the redeployment itself.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    desired::Desired,
    manifest::{DriftPolicy, TargetHealth, TargetHealthAction},
    observed::{LiveService, Observed},
    plan::{Cause, Plan, Step, Write, step},
    tags,
};

/// How soon after one redeployment another incident may lead to the next.
const APART: SignedDuration = SignedDuration::from_mins(10);

/// Whether fewer targets are healthy than the manifest wants, as long as no rollout runs. A service that is scaled below
/// the minimum cannot have more targets than tasks.
pub fn is_below_minimum(wanted: Option<&TargetHealth>, observed: &Observed) -> bool {
    let (Some(wanted), Some(targets), Some(service)) =
        (wanted, &observed.targets, &observed.service)
    else {
        return false;
    };
    service.is_settled() && targets.healthy < wanted.minimum_healthy.min(service.desired_count())
}

/// Whether it has been so for longer than the grace period, and the manifest wants it answered.
pub(super) fn wants_redeploy(desired: &Desired, observed: &Observed) -> bool {
    let manifest = &desired.manifest;
    let Some(wanted) = &manifest.target_health else {
        return false;
    };
    let grace = SignedDuration::try_from(wanted.grace_period).unwrap_or(SignedDuration::MAX);
    let is_over = observed
        .unhealthy_since
        .is_some_and(|since| observed.aws_time.duration_since(since) >= grace);
    is_over
        && is_below_minimum(Some(wanted), observed)
        && wanted.action == TargetHealthAction::Redeploy
        && manifest.drift.policy == DriftPolicy::Enforce
}

/// Answers an incident, or notes its end. What has failed is not tried again here either.
pub(super) fn watch(
    desired: &Desired,
    observed: &Observed,
    service: &LiveService,
    plan: &mut Plan,
) {
    let incident = Incident::read(service);
    if wants_redeploy(desired, observed) {
        let is_updated = plan
            .steps
            .iter()
            .any(|step| step.operation == Write::UpdateService);
        // What runs may have failed although something else is wanted, of which no image is known.
        if is_updated || plan.hold.is_some() || service.is_stalled() {
            return;
        }
        let was_answered = |at: Timestamp| {
            let newest = observed.history.first();
            newest.is_some_and(|newest| newest.created_at >= Some(at))
        };
        match incident {
            // The mark was written and the call was not made, or not answered.
            Some(incident) if incident.is_open && !was_answered(incident.at) => {}
            Some(incident) if incident.is_open => return,
            Some(incident) if observed.aws_time.duration_since(incident.at) < APART => return,
            Some(_) | None => plan
                .steps
                .push(mark(service, observed.aws_time.to_string())),
        }
        let (cluster, name) = (&desired.manifest.cluster, &desired.manifest.name);
        plan.cause.get_or_insert(Cause::TargetHealth);
        plan.steps.push(step::redeploy(cluster, name));
    } else if let Some(incident) = incident
        && incident.is_open
        && observed.targets.is_some()
        && service.is_settled()
        && !is_below_minimum(desired.manifest.target_health.as_ref(), observed)
    {
        plan.steps
            .push(mark(service, format!("{} {}", incident.at, tags::ENDED)));
    }
}

/// What the service's tag says of the last redeployment for its targets' health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// When it was answered by a redeployment.
    pub at: Timestamp,
    /// Whether the minimum has not been met since.
    pub is_open: bool,
}

impl Incident {
    /// The service's last incident; `None` when it never had one.
    pub fn read(service: &LiveService) -> Option<Self> {
        let live = service.tags();
        let mut words = live.get(tags::REDEPLOYED)?.split_whitespace();
        Some(Self {
            at: words.next()?.parse().ok()?,
            is_open: words.next() != Some(tags::ENDED),
        })
    }
}

fn mark(service: &LiveService, value: String) -> Step {
    let tags = BTreeMap::from([(tags::REDEPLOYED.to_owned(), value)]);
    step::tag(service.arn(), &tags)
}
