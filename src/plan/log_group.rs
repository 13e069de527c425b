//! The log group that a manifest declares. Without it a task cannot start, so it comes before everything else.

use serde_json::Value;

use crate::{
    desired::Desired,
    diff::{Difference, is_ignored},
    observed::{LogGroup, Observed},
    plan::{Blocked, Step, step},
};

/// How the group differs, what would mend that, and why it may not be mended.
#[derive(Debug, Default)]
pub(super) struct LogGroupPlan {
    pub(super) differences: Vec<Difference>,
    pub(super) steps: Vec<Step>,
    pub(super) blocked: Option<Blocked>,
}

pub(super) fn log_group(desired: &Desired, observed: &Observed) -> LogGroupPlan {
    let Some(wanted) = &desired.manifest.log_group else {
        return LogGroupPlan::default();
    };
    let mut plan = LogGroupPlan::default();
    let mut differs = |member: &str, desired: Value, live: Value| {
        plan.differences.push(Difference {
            path: format!("logGroup.{member}"),
            pointer: format!("/logGroup/{member}"),
            desired,
            live,
        });
    };
    match &observed.log_group {
        LogGroup::NotDeclared | LogGroup::NotLookedAt => {}
        LogGroup::Missing => {
            differs("name", wanted.name.clone().into(), Value::Null);
            plan.steps
                .push(step::create_log_group(&wanted.name, &desired.owner));
            if wanted.retention_in_days.is_some() {
                plan.steps
                    .push(step::retention(&wanted.name, wanted.retention_in_days));
            }
        }
        LogGroup::Present {
            retention_in_days: live,
            ..
        } if *live == wanted.retention_in_days => {}
        LogGroup::Present {
            retention_in_days: live,
            owner,
        } => {
            differs(
                "retentionInDays",
                wanted.retention_in_days.into(),
                (*live).into(),
            );
            if owner.as_deref() == Some(&desired.owner) || desired.manifest.adopt {
                plan.steps
                    .push(step::retention(&wanted.name, wanted.retention_in_days));
            } else {
                plan.blocked = Some(Blocked::LogGroupNotOwned(wanted.name.clone()));
            }
        }
    }
    if plan
        .differences
        .iter()
        .any(|difference| is_ignored(difference, &desired.manifest.drift.ignore))
    {
        return LogGroupPlan::default();
    }
    plan
}
