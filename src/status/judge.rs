//! The phase that a service is in, and the one sentence for it.

use jiff::SignedDuration;

use crate::{
    desired::Desired,
    observed::{LiveService, Observed, Outcome},
    plan::{self, Blocked, Cause, Incident, Plan, Write},
    status::{Phase, Rollout},
};

/// How old an event of ECS may be that explains what is missing now.
const COMPLAINTS: SignedDuration = SignedDuration::from_mins(10);

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
    if let [wait] = blocked[..]
        && wait.is_a_wait()
    {
        let message = steps_message(plan.cause.unwrap_or(Cause::Drift), plan);
        return (Phase::Progressing, format!("{message}; {wait}"));
    }
    if !blocked.is_empty() {
        let all: Vec<_> = blocked.iter().map(ToString::to_string).collect();
        return (Phase::Degraded, all.join("; "));
    }
    if let Some(rollout) = rollout {
        return (Phase::Progressing, rollout_message(rollout, observed, plan));
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
        let what = hold.what();
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
    let overdue = rollout.filter(|_| plan::is_overdue(desired, observed))?;
    let timeout =
        SignedDuration::try_from(desired.manifest.rollout.timeout).unwrap_or(SignedDuration::MAX);
    let newest = observed.history.first();
    let is_stopping = newest.is_some_and(|newest| newest.outcome != Outcome::Running);
    let is_stopped = plan
        .steps
        .iter()
        .any(|step| step.operation == Write::StopServiceDeployment);
    let then = if is_stopping || is_stopped {
        "it is being taken back"
    } else if plan.starts_deployment() {
        // The next one takes its place.
        return None;
    } else {
        "it is left as it is until the manifest changes"
    };
    Some(format!(
        "{} has made no progress for {timeout:#}: {} of {} new tasks running; {then}",
        overdue.deployment, overdue.running, overdue.desired,
    ))
}

fn rollout_message(rollout: &Rollout, observed: &Observed, plan: &Plan) -> String {
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
    let targets = observed
        .targets
        .as_ref()
        .map_or_else(String::new, |targets| {
            format!(", {} of {} targets healthy", targets.healthy, targets.total)
        });
    let waiting = if plan.blocked.contains(&Blocked::RollingBack) {
        "; the change waits for its end"
    } else {
        ""
    };
    format!(
        "{verb}{} of {} new tasks running{failed}{targets}{waiting}",
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
        Cause::Retry => "what failed is tried again".to_owned(),
        Cause::TargetHealth => {
            "too few targets have been healthy for too long; the tasks are being replaced"
                .to_owned()
        }
    }
}

fn health(desired: &Desired, observed: &Observed) -> (Phase, String) {
    let Some(service) = &observed.service else {
        return (Phase::Progressing, String::new());
    };
    let (running, wanted) = (service.running_count(), service.desired_count());
    let recently = observed
        .aws_time
        .saturating_sub(COMPLAINTS)
        .unwrap_or(observed.aws_time);
    let complaint = match service.complaint(recently) {
        Some(complaint) if running < wanted => format!("; ECS {complaint}"),
        Some(_) | None => String::new(),
    };
    if let (Some(health), Some(targets)) = (&desired.manifest.target_health, &observed.targets)
        && plan::is_below_minimum(Some(health), observed)
    {
        let answered = match Incident::read(service) {
            Some(incident) if incident.is_open => format!(
                "; the tasks were replaced at {} and are not again before that is met",
                incident.at
            ),
            Some(_) | None => String::new(),
        };
        let message = format!(
            "{} of {} targets healthy, {} wanted{answered}{complaint}",
            targets.healthy, targets.total, health.minimum_healthy
        );
        return (Phase::Degraded, message);
    }
    if let Some(foreign) = observed.targets.as_ref().map(|targets| &targets.foreign)
        && !foreign.is_empty()
    {
        let message = format!(
            "the target group also has targets that are no tasks of the service, and are sent requests: {}",
            foreign.join(", ")
        );
        return (Phase::Degraded, message);
    }
    if running < wanted {
        return (
            Phase::Progressing,
            format!("{running} of {wanted} tasks running{complaint}"),
        );
    }
    (Phase::Synced, String::new())
}
