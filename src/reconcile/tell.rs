//! What a pass has to tell: the status, the events, and when to look again. Pure.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    aws::{AwsError, Class, Seen},
    diff::Difference,
    event::{Event, Kind},
    manifest::Manifest,
    metrics::Outcome,
    observed::LiveService,
    plan::{self, Blocked, Cause, Plan},
    reconcile::{
        Carried, Made, Newest, Next, Passed, Stopped,
        following::{Following, Turn},
    },
    status::{self, Phase, ServiceStatus},
};

pub(super) fn failed_to_look(
    manifest: &Manifest,
    error: &AwsError,
    now: Timestamp,
    carried: &mut Carried,
) -> Passed {
    let previous = carried.status.take();
    let status = status::unknown(manifest.key(), error.to_string(), previous.as_deref(), now);
    let mut events = Vec::new();
    if previous.is_none_or(|previous| previous.message != status.message) {
        events.push(event(&status, now, Kind::Error, status.message.clone()));
    }
    carried.status = Some(Arc::new(status));
    Passed {
        events,
        ended: Vec::new(),
        next: Next::Backoff,
    }
}

pub(super) fn tell(
    seen: &Seen,
    plan: &Plan,
    done: Result<Made, Stopped>,
    carried: &mut Carried,
) -> Passed {
    let now = seen.observed.aws_time;
    let previous = carried.status.take();
    let mut status = status::status(&seen.desired, &seen.observed, plan, previous.as_deref());
    let mut events = Vec::new();
    let mut ended = Vec::new();
    if previous
        .as_ref()
        .is_some_and(|previous| previous.phase == Phase::Unknown)
    {
        events.push(event(
            &status,
            now,
            Kind::Recovered,
            "AWS answers again".to_owned(),
        ));
    }
    if let Some(service) = &seen.observed.service {
        let is_held = !status.held.is_empty();
        let is_overdue = plan::is_overdue(&seen.desired, &seen.observed);
        let following = &mut carried.following;
        for turn in Following::look(following, service, is_held, is_overdue, now) {
            ended.extend(counted(&turn));
            events.extend(tell_turn(
                turn,
                service.deployments().len() == 1,
                &status,
                now,
            ));
        }
    }
    if !plan.blocked.iter().any(Blocked::is_a_wait) {
        let told = tell_changes(plan, done.is_ok(), &status, &carried.told, now);
        carried.told = match &told {
            Some(_) => status.drift.clone(),
            None => Vec::from_iter(carried.told.drain(..).filter(|d| status.drift.contains(d))),
        };
        events.extend(told);
    }
    let next = match done {
        Ok(Made { moved_to, .. }) => {
            if let Some(deployment) = moved_to.as_ref().filter(|_| plan.starts_deployment())
                && let Some(turn) = Following::begin(&mut carried.following, deployment, now)
            {
                let is_first = seen.observed.service.is_none();
                events.extend(tell_turn(turn, is_first, &status, now));
            }
            if let Some(deployment) = moved_to {
                let service = seen.observed.service.as_ref();
                carried.newest = Some(Newest {
                    of_service_since: service
                        .map_or(deployment.created_at, LiveService::created_at),
                    deployment,
                    is_seen: false,
                });
            }
            // What drains is created anew as soon as it is gone.
            let goes_on = |blocked: &Blocked| blocked.is_a_wait() || *blocked == Blocked::Draining;
            let is_settled = plan.steps.is_empty()
                && !plan.blocked.iter().any(goes_on)
                && status.rollout.is_none()
                && status.phase != Phase::Progressing;
            if is_settled {
                Next::Resync
            } else {
                Next::Follow
            }
        }
        Err(Stopped::Changed) => Next::Again,
        Err(Stopped::Failed(error)) => {
            let message = error.to_string();
            if previous
                .as_ref()
                .is_none_or(|previous| previous.message != message)
            {
                events.push(event(&status, now, Kind::Error, message.clone()));
            }
            status = match error.class {
                Class::Denied | Class::Invalid | Class::NotFound => {
                    status::write_failed(status, message, previous.as_deref(), now)
                }
                Class::Throttled | Class::Transient | Class::Unreachable => {
                    ServiceStatus { message, ..status }
                }
            };
            Next::Backoff
        }
    };
    tell_phase(&status, previous.as_deref(), now, &mut events);
    carried.status = Some(Arc::new(status));
    Passed {
        events,
        ended,
        next,
    }
}

/// How a rollout ended, and how many seconds it took, for the metrics.
fn counted(turn: &Turn) -> Option<(Outcome, f64)> {
    match turn {
        Turn::Began(_) => None,
        Turn::Completed { seconds, .. } => seconds.map(|seconds| (Outcome::Completed, seconds)),
        Turn::Failed { seconds, .. } => seconds.map(|seconds| (Outcome::RolledBack, seconds)),
        Turn::TimedOut { seconds } => Some((Outcome::TimedOut, *seconds)),
    }
}

fn tell_turn(turn: Turn, is_first: bool, status: &ServiceStatus, now: Timestamp) -> Option<Event> {
    let (kind, message) = match turn {
        Turn::Began(deployment) => {
            let what = if is_first { "started" } else { "replaced" };
            let message = format!("{}: its tasks are being {what}", deployment.id);
            (Kind::RolloutStarted, message)
        }
        Turn::Completed { deployment, .. } => {
            let message = format!(
                "{} completed: {} tasks run",
                deployment.id, deployment.running
            );
            (Kind::RolloutCompleted, message)
        }
        Turn::Failed { id, reason, .. } => {
            let held = status.held.first().map(|held| held.reason.clone());
            let reason = held.or(reason).unwrap_or_default();
            (Kind::RolledBack, format!("{id} failed: {reason}"))
        }
        Turn::TimedOut { .. } => return None,
    };
    Some(event(status, now, kind, message))
}

/// Drift is told when it is first seen, whatever becomes of the repair; an edit, when it has been sent.
fn tell_changes(
    plan: &Plan,
    is_done: bool,
    status: &ServiceStatus,
    told: &[Difference],
    now: Timestamp,
) -> Option<Event> {
    let is_fresh = |difference: &&Difference| !told.contains(difference);
    let fresh: Vec<_> = status.drift.iter().filter(is_fresh).cloned().collect();
    if !status.drift.is_empty() && fresh.is_empty() {
        return None;
    }
    let acts = !plan.steps.is_empty();
    let outcome = match (acts, is_done) {
        (true, true) => ", repaired",
        (true, false) => ", not repaired yet",
        (false, _) => ", left as it is",
    };
    // What has been told of as drift is the same drift for as long as it lasts.
    let changes = match plan.cause {
        Some(Cause::Drift) => fresh,
        Some(Cause::Create | Cause::Edit | Cause::Retry | Cause::TargetHealth) | None => {
            status.drift.clone()
        }
    };
    let paths = changes
        .iter()
        .map(|difference| difference.path.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let (kind, message) = match plan.cause {
        Some(Cause::Create) if acts && is_done => {
            (Kind::Created, format!("{} was created", status.name))
        }
        Some(Cause::Edit) if acts && is_done => {
            (Kind::Applied, format!("the manifest was edited: {paths}"))
        }
        Some(Cause::Retry) if acts && is_done => {
            (Kind::Applied, "what failed is tried again".to_owned())
        }
        Some(Cause::Drift) => (Kind::Drift, format!("drifted{outcome}: {paths}")),
        Some(Cause::TargetHealth) if acts && is_done => (
            Kind::Redeployed,
            "too few targets were healthy for too long: the tasks are being replaced".to_owned(),
        ),
        Some(Cause::Create | Cause::Edit | Cause::Retry | Cause::TargetHealth) | None => {
            return None;
        }
    };
    Some(Event {
        changes,
        ..event(status, now, kind, message)
    })
}

fn tell_phase(
    status: &ServiceStatus,
    previous: Option<&ServiceStatus>,
    now: Timestamp,
    events: &mut Vec<Event>,
) {
    let is_told = previous.is_some_and(|previous| {
        (previous.phase, &previous.message) == (status.phase, &status.message)
    });
    let kind = match status.phase {
        _ if is_told => return,
        Phase::Held => Kind::Held,
        Phase::Degraded => Kind::Blocked,
        Phase::Synced
        | Phase::Progressing
        | Phase::Suspended
        | Phase::Orphaned
        | Phase::Unknown => return,
    };
    if events.iter().all(|event| event.message != status.message) {
        events.push(event(status, now, kind, status.message.clone()));
    }
}

fn event(status: &ServiceStatus, time: Timestamp, kind: Kind, message: String) -> Event {
    Event {
        time,
        service: status.name.clone(),
        cluster: status.cluster.clone(),
        kind,
        message,
        changes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The fields that are told to have drifted when `drift` is seen after `told`.
    fn told_after(told: &[&str], drift: &[&str]) -> Vec<Vec<String>> {
        let differences = |names: &[&str]| -> Vec<_> {
            let difference = |name: &&str| Difference {
                path: format!("service.{name}"),
                pointer: format!("/service/{name}"),
                desired: json!(1),
                live: json!(2),
            };
            names.iter().map(difference).collect()
        };
        let (now, key) = (Timestamp::UNIX_EPOCH, ("prod".to_owned(), "api".to_owned()));
        let plan = Plan {
            cause: Some(Cause::Drift),
            differences: differences(drift),
            ..Plan::default()
        };
        let status = ServiceStatus {
            drift: differences(drift),
            ..status::unknown(key, String::new(), None, now)
        };
        let event = tell_changes(&plan, true, &status, &differences(told), now);
        let paths = |event: Event| {
            event
                .changes
                .into_iter()
                .map(|change| change.path)
                .collect()
        };
        event.into_iter().map(paths).collect()
    }

    #[test]
    fn drift_is_told_once_for_as_long_as_it_lasts() {
        let none: [Vec<String>; 0] = [];
        assert_eq!(told_after(&[], &["a", "b"]), [["service.a", "service.b"]]);
        assert_eq!(told_after(&["a", "b"], &["a", "b"]), none);
        assert_eq!(told_after(&["a", "b"], &["b"]), none, "one was repaired");
        assert_eq!(told_after(&["b"], &["a", "b"]), [["service.a"]]);
    }
}
