//! The phase that a service is in, and the one sentence for it.

use jiff::SignedDuration;

use crate::{
    desired::Desired,
    document,
    observed::{LiveService, Observed},
    plan::{Blocked, Cause, Plan},
    status::{Phase, Rollout},
};

/// The phase, and the sentence for it. The first that applies, worst first.
pub(super) fn judge(
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    rollout: Option<&Rollout>,
) -> (Phase, String) {
    if let Some(suspended @ Blocked::Suspended(_)) = plan.blocked.first() {
        return (Phase::Suspended, suspended.to_string());
    }
    if let Some(message) = held_message(desired, observed, plan, rollout) {
        return (Phase::Held, message);
    }
    let mut blocked: Vec<_> = plan.blocked.iter().collect();
    if rollout.is_some() {
        blocked.retain(|blocked| **blocked != Blocked::RollingBack);
    }
    if !blocked.is_empty() {
        let all: Vec<_> = blocked.iter().map(ToString::to_string).collect();
        return (Phase::Degraded, all.join("; "));
    }
    if let Some(rollout) = rollout {
        return (Phase::Progressing, rollout_message(rollout, observed));
    }
    if let Some(cause) = plan.cause.filter(|_| !plan.steps.is_empty()) {
        return (Phase::Progressing, steps_message(cause, plan));
    }
    health(desired, observed)
}

/// Why nothing is tried: a failure that is remembered, one with nothing to go back to, or one that takes too long.
fn held_message(
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    rollout: Option<&Rollout>,
) -> Option<String> {
    let stalled = observed
        .service
        .as_ref()
        .filter(|service| service.is_stalled());
    if let Some(hold) = &plan.hold {
        let what = document::short_name(&hold.image);
        let became = match (rollout, stalled) {
            (Some(rollout), _) if rollout.rolling_back => "is being rolled back",
            (_, Some(_)) => "failed and has nothing to be rolled back to",
            (_, None) => "was rolled back",
        };
        return Some(format!("{what} {became}: {}", hold.reason));
    }
    if let Some(primary) = stalled
        .and_then(LiveService::primary)
        .filter(|_| plan.steps.is_empty())
    {
        return Some(format!(
            "{} failed and has nothing to be rolled back to: {}",
            primary.id, primary.reason
        ));
    }
    let overdue = rollout.filter(|rollout| rollout.is_overdue(observed.aws_time))?;
    let timeout =
        SignedDuration::try_from(desired.manifest.rollout.timeout).unwrap_or(SignedDuration::MAX);
    Some(format!(
        "{} has made no progress for {timeout:#}: {} of {} new tasks running; it is left as it is until the manifest changes",
        overdue.deployment, overdue.running, overdue.desired,
    ))
}

fn rollout_message(rollout: &Rollout, observed: &Observed) -> String {
    let verb = if rollout.rolling_back {
        "rolling back, "
    } else {
        ""
    };
    let failed = if rollout.failed > 0 {
        format!(", {} failed in a row", rollout.failed)
    } else {
        String::new()
    };
    let targets = observed.targets.map_or_else(String::new, |targets| {
        format!(", {} of {} targets healthy", targets.healthy, targets.total)
    });
    format!(
        "{verb}{} of {} new tasks running{failed}{targets}",
        rollout.running, rollout.desired
    )
}

fn steps_message(cause: Cause, plan: &Plan) -> String {
    let paths: Vec<_> = plan
        .differences
        .iter()
        .map(|difference| difference.path.as_str())
        .collect();
    match cause {
        Cause::Create => "the service is being created".to_owned(),
        Cause::Edit => format!("applying {}", paths.join(", ")),
        Cause::Drift => format!("repairing {}", paths.join(", ")),
    }
}

fn health(desired: &Desired, observed: &Observed) -> (Phase, String) {
    let Some(service) = &observed.service else {
        return (Phase::Progressing, String::new());
    };
    let (running, wanted) = (service.running_count(), service.desired_count());
    if let (Some(health), Some(targets)) = (&desired.manifest.target_health, observed.targets)
        && targets.healthy < health.minimum_healthy.min(wanted)
    {
        let message = format!(
            "{} of {} targets healthy, {} wanted",
            targets.healthy, targets.total, health.minimum_healthy
        );
        return (Phase::Degraded, message);
    }
    if running < wanted {
        return (
            Phase::Progressing,
            format!("{running} of {wanted} tasks running"),
        );
    }
    (Phase::Synced, String::new())
}
