//! One pass over one service: look, decide, act, tell.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::{
    aws::{Applied, Aws, AwsError, Class, Described, Memory, Seen},
    diff::Difference,
    event::{Event, Kind},
    manifest::Manifest,
    observed::{Deployment, LiveService, RolloutState},
    plan::{self, Cause, Plan, Step},
    status::{self, Phase, Progress, ServiceStatus},
};

/// How long a view without our last write is taken for an old one. "Eventually consistent" means seconds; AWS advises
/// to look for up to five minutes (API_RunTask).
const VIEWS_LAG: SignedDuration = SignedDuration::from_mins(5);

/// What a service's passes pass on to each other, in this process only. Losing it loses no fact.
#[derive(Debug, Default)]
pub struct Carried {
    /// For the reads.
    pub memory: Memory,
    /// What was told after the last pass.
    pub status: Option<ServiceStatus>,
    /// How the present rollout comes on.
    progress: Option<Progress>,
    /// The deployment that is being followed.
    following: Option<Following>,
    /// The deployment that our last write began, until a look shows it. A look without it is older than the write.
    expected: Option<Deployment>,
}

/// A rollout under way.
#[derive(Debug, Clone)]
struct Following {
    /// The deployment's id.
    id: String,
    since: Timestamp,
    /// It has been counted as failed already.
    is_overdue: bool,
}

/// What a pass came to.
#[derive(Debug)]
pub struct Passed {
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// Rollouts that ended: how, and how many seconds they took.
    pub ended: Vec<(&'static str, f64)>,
    /// What to do next.
    pub next: Next,
}

/// When to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// With the next resync.
    Resync,
    /// Soon: something is under way.
    Follow,
    /// At once: AWS was not as it had been planned for.
    Again,
    /// After a wait that grows with each failure.
    Backoff,
}

/// One pass. Whatever fails is told in the status; the next pass begins anew.
pub async fn pass(
    aws: &Aws,
    manifest: &Arc<Manifest>,
    owner: &str,
    described: Described,
    aws_time: Timestamp,
    carried: &mut Carried,
) -> Passed {
    if carried.is_older_than_our_write(&described, aws_time) {
        return Passed {
            events: Vec::new(),
            ended: Vec::new(),
            next: Next::Follow,
        };
    }
    // Look (calls AWS).
    let seen = match described {
        Ok(service) => {
            aws.observe(manifest, owner, service, aws_time, &mut carried.memory)
                .await
        }
        Err(error) => Err(error),
    };
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => return failed_to_look(manifest, &error, aws_time, carried),
    };
    // Decide (pure).
    let plan = plan::plan(
        &seen.desired,
        &seen.observed,
        carried.memory.not_taken(&manifest.digest),
    );
    carried.memory.forget_all_but(&plan.differences);
    // Act (calls AWS).
    let done = carry_out(aws, &seen, &plan, &mut carried.memory, |_| {}).await;
    // Tell (pure).
    tell(&seen, &plan, done, carried)
}

/// Why a plan was not carried out to its end.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The service is not as it was when the plan was made.
    #[error("the service has changed since it was looked at")]
    Changed,
    /// A call failed.
    #[error(transparent)]
    Failed(#[from] AwsError),
}

/// Makes a plan's calls in order, tells `on_step` of each that was made, and returns the deployment that the service
/// has moved to. Right before the first that changes the service, the service must still be as it was planned for.
///
/// # Errors
/// At the first call that fails; what was done before stays done.
pub async fn carry_out(
    aws: &Aws,
    seen: &Seen,
    plan: &Plan,
    memory: &mut Memory,
    mut on_step: impl FnMut(&Step),
) -> Result<Option<Deployment>, Stopped> {
    let digest = &seen.desired.manifest.digest;
    let mut registered: Option<String> = None;
    let mut moved_to = None;
    let mut is_checked = false;
    for step in &plan.steps {
        if step.changes_service() && !is_checked {
            check_unchanged(aws, seen).await?;
            is_checked = true;
        }
        match aws.apply(step, registered.as_deref()).await? {
            Applied::Registered(revision) => {
                memory.note_not_taken(
                    digest,
                    plan::not_registered(&seen.desired, &revision.document),
                );
                registered = Some(revision.arn().to_owned());
            }
            Applied::Service(answer) => {
                memory.note_not_taken(digest, plan::not_taken(&seen.desired, plan, &answer));
                moved_to = answer.primary();
            }
            Applied::Done => {}
        }
        on_step(step);
    }
    Ok(moved_to)
}

async fn check_unchanged(aws: &Aws, seen: &Seen) -> Result<(), Stopped> {
    let manifest = &seen.desired.manifest;
    let (mut described, _) = aws
        .describe_services(&manifest.cluster, std::slice::from_ref(&manifest.name))
        .await;
    let now = described.remove(&manifest.name).transpose()?.flatten();
    let basis = |service: Option<&LiveService>| service.map(LiveService::basis);
    if basis(now.as_ref()) == basis(seen.observed.service.as_ref()) {
        Ok(())
    } else {
        Err(Stopped::Changed)
    }
}

impl Carried {
    /// Whether a view lacks what our last write has begun and shows nothing newer. Reads of ECS are eventually
    /// consistent; deciding on such a view would do the same again.
    fn is_older_than_our_write(&mut self, described: &Described, now: Timestamp) -> bool {
        let (Some(expected), Ok(service)) = (&self.expected, described) else {
            return false;
        };
        let deployments = service
            .as_ref()
            .map(LiveService::deployments)
            .unwrap_or_default();
        let lacks_it = deployments.iter().all(|deployment| {
            deployment.id != expected.id && deployment.created_at <= expected.created_at
        });
        let is_recent = expected
            .created_at
            .is_some_and(|created| now.duration_since(created) < VIEWS_LAG);
        if !lacks_it || !is_recent {
            self.expected = None;
        }
        lacks_it && is_recent
    }
}

fn failed_to_look(
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

fn tell(
    seen: &Seen,
    plan: &Plan,
    done: Result<Option<Deployment>, Stopped>,
    carried: &mut Carried,
) -> Passed {
    let now = seen.observed.aws_time;
    let previous = carried.status.take();
    carried.progress = Progress::follow(carried.progress.take(), &seen.observed);
    let mut status = status::status(
        &seen.desired,
        &seen.observed,
        plan,
        carried.progress.as_ref(),
        previous.as_ref(),
    );
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
    tell_changes(
        plan,
        done.is_ok(),
        &status,
        previous.as_ref(),
        now,
        &mut events,
    );
    let next = match done {
        Ok(moved_to) => {
            carried.expected = moved_to.or(carried.expected.take());
            let is_settled = plan.steps.is_empty()
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
        } else if !is_overdue
            && status
                .rollout
                .as_ref()
                .is_some_and(|rollout| rollout.is_overdue(now))
        {
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
        let since = primary.created_at.unwrap_or(now);
        *following = Some(Following {
            id: primary.id.clone(),
            since,
            is_overdue: false,
        });
        let message = format!(
            "{}: {} tasks are to be replaced",
            primary.id, primary.desired
        );
        events.push(event(status, now, Kind::RolloutStarted, message));
    }
}

/// What differs is told when it is first seen, whatever becomes of the repair.
fn tell_changes(
    plan: &Plan,
    is_done: bool,
    status: &ServiceStatus,
    previous: Option<&ServiceStatus>,
    now: Timestamp,
    events: &mut Vec<Event>,
) {
    if previous.is_some_and(|previous| !status.drift.is_empty() && previous.drift == status.drift) {
        return;
    }
    let acts = !plan.steps.is_empty();
    let outcome = match (acts, is_done) {
        (true, true) => ", repaired",
        (true, false) => ", not repaired yet",
        (false, _) => ", left as it is",
    };
    let paths = plan
        .differences
        .iter()
        .map(|difference| difference.path.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let (kind, message) = match plan.cause {
        Some(Cause::Create) if acts && is_done => {
            (Kind::Created, format!("{} was created", status.name))
        }
        Some(Cause::Edit) if acts => (Kind::Applied, format!("the manifest was edited: {paths}")),
        Some(Cause::Drift) => (Kind::Drift, format!("drifted{outcome}: {paths}")),
        Some(Cause::Create | Cause::Edit) | None => return,
    };
    let changes = plan
        .differences
        .iter()
        .cloned()
        .map(Difference::masked)
        .collect();
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

    fn view(deployments: &[(&str, i64)]) -> Described {
        let deployments: Vec<_> = deployments
            .iter()
            .map(|(id, created)| json!({"id": id, "status": "PRIMARY", "createdAt": created}))
            .collect();
        let service = json!({"serviceName": "api", "deployments": deployments});
        Ok(Some(LiveService(service.as_object().unwrap().clone())))
    }

    fn after_a_write() -> Carried {
        let Ok(Some(answer)) = view(&[("ecs-svc/2", 1_000)]) else {
            unreachable!()
        };
        Carried {
            expected: answer.primary(),
            ..Carried::default()
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_view_without_our_last_write_is_not_acted_on() {
        let mut carried = after_a_write();
        assert!(carried.is_older_than_our_write(&view(&[("ecs-svc/1", 500)]), at(1_002)));
        assert!(carried.is_older_than_our_write(&Ok(None), at(1_002)));
        assert!(!carried.is_older_than_our_write(&view(&[("ecs-svc/2", 1_000)]), at(1_004)));
        assert!(
            !carried.is_older_than_our_write(&view(&[("ecs-svc/1", 500)]), at(1_006)),
            "it has been seen"
        );
    }

    #[test]
    fn something_newer_or_a_long_time_ends_the_wait() {
        assert!(
            !after_a_write().is_older_than_our_write(&view(&[("ecs-svc/3", 1_001)]), at(1_002))
        );
        assert!(!after_a_write().is_older_than_our_write(&Ok(None), at(1_301)));
    }
}
