//! What a pass has to tell: the status, the events, and when to look again. Pure.

use jiff::Timestamp;

use crate::{
    aws::{AwsError, Class, Seen},
    diff::Difference,
    event::{Event, Kind},
    manifest::Manifest,
    observed::{Deployment, LiveService, RolloutState},
    plan::{self, Blocked, Cause, Plan},
    reconcile::{Carried, Following, Next, Passed, Stopped},
    status::{self, Phase, ServiceStatus},
};

pub(super) fn failed_to_look(
    manifest: &Manifest,
    error: &AwsError,
    now: Timestamp,
    carried: &mut Carried,
) -> Passed {
    let previous = carried.status.take();
    let status = status::unknown(manifest.key(), error.to_string(), previous.as_ref(), now);
    let mut events = Vec::new();
    if previous.is_none_or(|previous| previous.message != status.message) {
        events.push(event(&status, now, Kind::Error, status.message.clone()));
    }
    carried.status = Some(status);
    Passed {
        events,
        ended: Vec::new(),
        next: Next::Backoff,
    }
}

pub(super) fn tell(
    seen: &Seen,
    plan: &Plan,
    done: Result<Option<Deployment>, Stopped>,
    carried: &mut Carried,
) -> Passed {
    let now = seen.observed.aws_time;
    let previous = carried.status.take();
    let mut status = status::status(&seen.desired, &seen.observed, plan, previous.as_ref());
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
    follow(
        seen,
        &status,
        now,
        &mut carried.following,
        &mut events,
        &mut ended,
    );
    if !plan.blocked.contains(&Blocked::AskingAround) {
        tell_changes(plan, done.is_ok(), &status, &carried.told, now, &mut events);
        carried.told.clone_from(&status.drift);
    }
    let next = match done {
        Ok(moved_to) => {
            // It may fail before the next look, and must be known then.
            if let Some(deployment) = moved_to.as_ref().filter(|_| plan.starts_deployment()) {
                let manifest = &seen.desired.manifest;
                let live = seen
                    .observed
                    .service
                    .as_ref()
                    .map(LiveService::desired_count);
                let tasks = manifest
                    .desired_count
                    .or(live)
                    .unwrap_or(manifest.initial_count);
                let begun = begin(deployment, live.is_none(), tasks, &status, now, &mut events);
                carried.following = Some(begun);
            }
            carried.expected = moved_to.or(carried.expected.take());
            let is_settled = plan.steps.is_empty()
                && !plan.blocked.contains(&Blocked::AskingAround)
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
                    status::write_failed(status, message, previous.as_ref(), now)
                }
                Class::Throttled | Class::Transient | Class::Unreachable => {
                    ServiceStatus { message, ..status }
                }
            };
            Next::Backoff
        }
    };
    tell_phase(&status, previous.as_ref(), now, &mut events);
    carried.status = Some(status);
    Passed {
        events,
        ended,
        next,
    }
}

/// Follows a rollout by its deployment's id: a rollback also ends in a steady state, under another id.
fn follow(
    seen: &Seen,
    status: &ServiceStatus,
    now: Timestamp,
    following: &mut Option<Following>,
    events: &mut Vec<Event>,
    ended: &mut Vec<(&'static str, f64)>,
) {
    let Some(service) = &seen.observed.service else {
        return;
    };
    let deployments = service.deployments();
    let Some(primary) = deployments.first() else {
        return;
    };
    if let Some(Following {
        id,
        since,
        is_overdue,
    }) = following.clone()
    {
        let seconds = now.duration_since(since).as_secs_f64();
        let followed = deployments.iter().find(|deployment| deployment.id == id);
        let has_failed = match followed.map(|deployment| deployment.rollout) {
            Some(RolloutState::Failed) => true,
            // It is gone already; what is desired is held because of it.
            None => !status.held.is_empty(),
            Some(RolloutState::InProgress | RolloutState::Completed | RolloutState::Unknown) => {
                false
            }
        };
        if primary.id == id && primary.rollout == RolloutState::Completed {
            ended.extend((!is_overdue).then_some(("completed", seconds)));
            let message = format!("{id} completed: {} tasks run", primary.running);
            events.push(event(status, now, Kind::RolloutCompleted, message));
            *following = None;
        } else if has_failed || (primary.id != id && service.is_rolling_back()) {
            ended.extend((!is_overdue).then_some(("rolled_back", seconds)));
            let reason = status.held.first().map_or_else(
                || {
                    followed
                        .map(|deployment| deployment.reason.clone())
                        .unwrap_or_default()
                },
                |held| held.reason.clone(),
            );
            events.push(event(
                status,
                now,
                Kind::RolledBack,
                format!("{id} failed: {reason}"),
            ));
            *following = None;
        } else if primary.id != id {
            *following = None;
        } else if !is_overdue && plan::is_overdue(&seen.desired, &seen.observed) {
            ended.push(("timed_out", seconds));
            *following = Some(Following {
                id,
                since,
                is_overdue: true,
            });
        }
    }
    let is_new = primary.rollout == RolloutState::InProgress && !service.is_rolling_back();
    if is_new && following.is_none() {
        let is_first = deployments.len() == 1;
        *following = Some(begin(
            primary,
            is_first,
            primary.desired,
            status,
            now,
            events,
        ));
    }
}

/// A deployment has begun: by another hand, or by the call that was just made.
fn begin(
    deployment: &Deployment,
    is_first: bool,
    tasks: u32,
    status: &ServiceStatus,
    now: Timestamp,
    events: &mut Vec<Event>,
) -> Following {
    let what = if is_first { "started" } else { "replaced" };
    let message = format!("{}: {tasks} tasks are to be {what}", deployment.id);
    events.push(event(status, now, Kind::RolloutStarted, message));
    Following {
        id: deployment.id.clone(),
        since: deployment.created_at.unwrap_or(now),
        is_overdue: false,
    }
}

/// What differs is told when it is first seen, whatever becomes of the repair.
fn tell_changes(
    plan: &Plan,
    is_done: bool,
    status: &ServiceStatus,
    told: &[Difference],
    now: Timestamp,
    events: &mut Vec<Event>,
) {
    let is_fresh = |difference: &&Difference| !told.contains(difference);
    let fresh: Vec<_> = status.drift.iter().filter(is_fresh).cloned().collect();
    if !status.drift.is_empty() && fresh.is_empty() {
        return;
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
        Some(Cause::Edit) if acts => (Kind::Applied, format!("the manifest was edited: {paths}")),
        Some(Cause::Retry) if acts && is_done => {
            (Kind::Applied, "what failed is tried again".to_owned())
        }
        Some(Cause::Drift) => (Kind::Drift, format!("drifted{outcome}: {paths}")),
        Some(Cause::TargetHealth) if acts && is_done => (
            Kind::Redeployed,
            "too few targets were healthy for too long: the tasks are being replaced".to_owned(),
        ),
        Some(Cause::Create | Cause::Edit | Cause::Retry | Cause::TargetHealth) | None => return,
    };
    events.push(Event {
        changes,
        ..event(status, now, kind, message)
    });
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
        let mut events = Vec::new();
        tell_changes(&plan, true, &status, &differences(told), now, &mut events);
        let paths = |event: Event| {
            event
                .changes
                .into_iter()
                .map(|change| change.path)
                .collect()
        };
        events.into_iter().map(paths).collect()
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
