//! From what should be and what is to the calls that make them one. Pure: the same values give the same plan.
//!
//! A plan is so exact that carrying it out leaves no choice: its steps are AWS operations with their inputs, in order.
//! What it will not do, it says: differences left alone, a change held back, what has to end first.

mod health;
mod held;
mod lessons;
mod log_group;
mod overdue;
mod revisions;
mod step;
mod tagging;
#[cfg(test)]
mod tests;
mod update;

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

pub use health::{Incident, is_below_minimum};
pub use held::Hold;
pub use lessons::Lessons;
pub use overdue::is_overdue;
pub use step::{REGISTERED, Step, Write, forgive};
pub use update::{needs_history, not_registered, not_taken, starts_deployment};

use crate::{
    desired::Desired,
    diff::Difference,
    observed::{Image, Observed},
    plan::log_group::LogGroupPlan,
    tags,
};

/// What is to be done about one service, and what is not.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Why anything differs; `None` when nothing does.
    pub cause: Option<Cause>,
    /// Every difference between the manifest and AWS that the manifest does not tell us to ignore.
    pub differences: Vec<Difference>,
    /// The calls to make, in order.
    pub steps: Vec<Step>,
    /// Why differences are left standing.
    pub blocked: Vec<Blocked>,
    /// The failed deployment that forbids trying the same again.
    pub hold: Option<Hold>,
}

impl Plan {
    /// Whether there is nothing to do and nothing left undone.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
            && self.differences.is_empty()
            && self.blocked.is_empty()
            && self.hold.is_none()
    }

    /// Leaves everything as it is, for this reason.
    pub fn stop(&mut self, why: Blocked) {
        self.steps.clear();
        self.blocked.push(why);
    }

    /// The differences that the steps take away.
    pub fn mended(&self) -> impl Iterator<Item = &Difference> {
        let is_mended = |difference: &&Difference| self.steps.iter().any(|s| s.mends(difference));
        self.differences.iter().filter(is_mended)
    }

    /// Whether carrying it out starts tasks.
    pub fn starts_deployment(&self) -> bool {
        self.steps.iter().any(Step::starts_deployment)
    }
}

/// Why AWS is not as the manifest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The service does not exist.
    Create,
    /// The manifest has changed since it was last matched.
    Edit,
    /// The manifest is the one that was matched: AWS has changed.
    Drift,
    /// Nothing differs, but someone said `retry` for a deployment that failed where it stands.
    Retry,
    /// Nothing differs, but too few targets have been healthy for too long.
    TargetHealth,
}

/// Why something is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "detail")]
pub enum Blocked {
    /// The manifest says `suspend`, with this reason, which may be empty.
    Suspended(String),
    /// The service carries another owner's tag.
    OwnedByOther(String),
    /// The service exists, carries no owner tag, and the manifest does not say `adopt: true`.
    NotOwned,
    /// The service is being deleted.
    Draining,
    /// The image's tag does not exist.
    ImageMissing(String),
    /// UpdateService cannot change these members.
    NeedsReplacement(Vec<String>),
    /// AWS accepted these fields' values and did not take them.
    NotTaken(Vec<String>),
    /// This log group exists and is not ours.
    LogGroupNotOwned(String),
    /// Somebody else keeps changing these fields back.
    Contested(Vec<String>),
    /// The service does not exist, and this one has a target group of its manifest.
    TargetGroupTaken(String),
    /// ECS is rolling back; what starts a deployment waits for its end.
    RollingBack,
    /// Whether many services differ at once is not known before the others have been looked at.
    AskingAround,
    /// Our share of a quota of AWS's allows it only from this time on, by AWS's clock.
    Quota(Timestamp),
    /// Too many services differ at once for it to be chance, in these words.
    Brake(String),
    /// The manifest is in force only because the set of manifests may not shrink as it did.
    Undescribed,
    /// The manifest says `drift.policy: report`.
    ReportOnly,
}

impl Blocked {
    /// Whether it goes on by itself.
    pub fn is_a_wait(&self) -> bool {
        matches!(self, Self::AskingAround | Self::Quota(_))
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspended(reason) if reason.is_empty() => f.write_str("suspended by the manifest"),
            Self::Suspended(reason) => write!(f, "suspended by the manifest: {reason}"),
            Self::OwnedByOther(owner) => {
                write!(f, "the service is owned by {owner} (tag {}); nothing is changed", tags::OWNER)
            }
            Self::NotOwned => f.write_str(
                "the service exists and has no owner tag; set `adopt: true` in its manifest to take it over",
            ),
            Self::Draining => f.write_str("the old service of this name is still draining; it is created anew after that"),
            Self::ImageMissing(problem) => f.write_str(problem),
            Self::NeedsReplacement(members) => write!(
                f,
                "needs replacement: UpdateService cannot change {}; delete the service and let it be created anew",
                members.join(", ")
            ),
            Self::NotTaken(paths) => write!(
                f,
                "AWS accepted but did not take {}; it is not sent again until the manifest changes",
                paths.join(", ")
            ),
            Self::LogGroupNotOwned(name) => write!(
                f,
                "the log group {name} exists and has no owner tag of ours; set `adopt: true` to have its retention changed"
            ),
            Self::Contested(paths) => write!(
                f,
                "{} was set back three times within an hour, and somebody changes it again; it is left alone for an hour, or \
                 until the manifest changes. Find out who does, or put it under drift.ignore",
                paths.join(", ")
            ),
            Self::TargetGroupTaken(by) => write!(
                f,
                "service {by} has a target group of this manifest; nothing is created beside it. Delete that service \
                 (`evenkeel delete {by}`), or give one of the two another target group"
            ),
            Self::AskingAround => f.write_str("the other services are looked at first"),
            Self::Quota(until) => write!(f, "it waits for its share of AWS's request quotas until {until:.0}"),
            Self::Brake(why) => f.write_str(why),
            Self::Undescribed => f.write_str(
                "its manifest is gone, and stays in force only because too many are gone at once: nothing is created or \
                 deployed by it. Put it back, or start the daemon again without it",
            ),
            Self::RollingBack => f.write_str("ECS is rolling back; the change waits for its end"),
            Self::ReportOnly => f.write_str("drift is reported only (drift.policy: report)"),
        }
    }
}

/// Compares and decides.
pub fn plan(desired: &Desired, observed: &Observed, lessons: &Lessons) -> Plan {
    let mut plan = Plan::default();
    if let Some(reason) = &desired.manifest.suspend {
        plan.blocked.push(Blocked::Suspended(reason.clone()));
        return plan;
    }
    if let Image::Missing { problem, .. } = &observed.image {
        plan.blocked.push(Blocked::ImageMissing(problem.clone()));
    }
    let log_group = log_group::log_group(desired, observed);
    match &observed.service {
        None => create(desired, observed, log_group, lessons, &mut plan),
        Some(service) if service.status() == "DRAINING" => plan.blocked.push(Blocked::Draining),
        Some(service) => match service.tags().get(tags::OWNER) {
            Some(owner) if *owner != desired.owner => {
                plan.blocked.push(Blocked::OwnedByOther(owner.clone()))
            }
            None if !desired.manifest.adopt => plan.blocked.push(Blocked::NotOwned),
            Some(_) => update::update(desired, observed, service, log_group, lessons, &mut plan),
            None => {
                plan.steps
                    .push(step::tag_owner(service.arn(), &desired.owner));
                update::update(desired, observed, service, log_group, lessons, &mut plan);
            }
        },
    }
    plan
}

/// Nothing is there: register unless a revision fits, then create with every tag at once.
fn create(
    desired: &Desired,
    observed: &Observed,
    log_group: LogGroupPlan,
    lessons: &Lessons,
    plan: &mut Plan,
) {
    plan.cause = Some(Cause::Create);
    plan.steps.extend(log_group.steps);
    plan.blocked.extend(log_group.blocked);
    if let Some(rival) = &observed.rival {
        plan.blocked.push(Blocked::TargetGroupTaken(rival.clone()));
        plan.steps.clear();
        return;
    }
    if let Some(definition) = revisions::choose(desired, observed, lessons, plan) {
        plan.steps.push(step::create_service(desired, &definition));
    }
}
