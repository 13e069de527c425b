//! One pass over one service: look, decide, act, tell.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    aws::{Applied, Aws, AwsError, Class, Described, Memory, Seen},
    event::{Event, Kind},
    manifest::Manifest,
    observed::{LiveService, RolloutState},
    plan::{self, Cause, Plan, Step},
    status::{self, Phase, Progress, ServiceStatus},
};

/// What a service's passes pass on to each other, in this process only. Losing it loses no fact.
#[derive(Debug, Default)]
pub struct Carried {
    /// For the reads.
    pub memory: Memory,
    /// What was told after the last pass.
    pub status: Option<ServiceStatus>,
    /// How the present rollout comes on.
    progress: Option<Progress>,
    /// The deployment that is being followed, and since when by AWS's clock.
    following: Option<(String, Timestamp)>,
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

/// Makes a plan's calls in order, and tells `on_step` of each that was made. Right before the first that changes the
/// service, the service must still be as it was planned for.
///
/// # Errors
/// At the first call that fails; what was done before stays done.
pub async fn carry_out(
    aws: &Aws,
    seen: &Seen,
    plan: &Plan,
    memory: &mut Memory,
    mut on_step: impl FnMut(&Step),
) -> Result<(), Stopped> {
    let mut registered = None;
    let mut is_checked = false;
    for step in &plan.steps {
        if step.changes_service() && !is_checked {
            check_unchanged(aws, seen).await?;
            is_checked = true;
        }
        match aws.apply(step, registered.as_deref()).await? {
            Applied::Registered(arn) => registered = Some(arn),
            Applied::Service(answer) => memory.note_not_taken(&seen.desired, plan, &answer),
            Applied::Done => {}
        }
        on_step(step);
    }
    Ok(())
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

fn tell(seen: &Seen, plan: &Plan, done: Result<(), Stopped>, carried: &mut Carried) -> Passed {
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
    let next = match done {
        Ok(()) => {
            tell_changes(plan, &status, previous.as_ref(), now, &mut events);
            if plan.steps.is_empty() && status.phase != Phase::Progressing {
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
            match error.class {
                Class::Denied | Class::Invalid | Class::NotFound => {
                    status = status::write_failed(status, message, previous.as_ref());
                }
                Class::Throttled | Class::Transient | Class::Unreachable => {
                    status.message = message
                }
            }
            Next::Backoff
        }
    };
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
    following: &mut Option<(String, Timestamp)>,
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
    if let Some((id, since)) = following.clone() {
        let seconds = now.duration_since(since).as_secs_f64();
        let followed = deployments.iter().find(|deployment| deployment.id == id);
        let is_primary = primary.id == id;
        match followed.map(|deployment| deployment.rollout) {
            Some(RolloutState::Completed) if is_primary => {
                ended.push(("completed", seconds));
                let message = format!("{id} completed: {} tasks run", primary.running);
                events.push(event(status, now, Kind::RolloutCompleted, message));
                *following = None;
            }
            state
                if state == Some(RolloutState::Failed)
                    || service.is_rolling_back()
                    || !status.held.is_empty() =>
            {
                ended.push(("rolled_back", seconds));
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
            }
            _ if !is_primary => *following = None,
            _ => {}
        }
    }
    let is_new = primary.rollout == RolloutState::InProgress && !service.is_rolling_back();
    if is_new && following.is_none() && status.held.is_empty() {
        *following = Some((primary.id.clone(), primary.created_at.unwrap_or(now)));
        let message = format!(
            "{}: {} tasks are to be replaced",
            primary.id, primary.desired
        );
        events.push(event(status, now, Kind::RolloutStarted, message));
    }
}

fn tell_changes(
    plan: &Plan,
    status: &ServiceStatus,
    previous: Option<&ServiceStatus>,
    now: Timestamp,
    events: &mut Vec<Event>,
) {
    let was_told = previous.is_some_and(|previous| previous.drift == plan.differences);
    let paths = || {
        plan.differences
            .iter()
            .map(|d| d.path.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let writes = plan
        .steps
        .iter()
        .any(|step| step.operation != plan::Write::TagResource);
    match plan.cause {
        Some(Cause::Create) if writes => {
            events.push(event(
                status,
                now,
                Kind::Created,
                format!("{} was created", status.name),
            ));
        }
        Some(Cause::Edit) if writes => {
            events.push(changed(
                status,
                now,
                Kind::Applied,
                format!("the manifest was edited: {}", paths()),
                plan,
            ));
        }
        Some(Cause::Drift) if writes => {
            events.push(changed(
                status,
                now,
                Kind::Drift,
                format!("drifted and repaired: {}", paths()),
                plan,
            ));
        }
        Some(Cause::Drift) if !was_told => {
            events.push(changed(
                status,
                now,
                Kind::Drift,
                format!("drifted: {}", paths()),
                plan,
            ));
        }
        Some(Cause::Create | Cause::Edit | Cause::Drift) | None => {}
    }
    let entered = previous.is_none_or(|previous| {
        previous.phase != status.phase || previous.message != status.message
    });
    match status.phase {
        Phase::Held if entered => {
            events.push(event(status, now, Kind::Held, status.message.clone()))
        }
        Phase::Degraded if entered => {
            events.push(event(status, now, Kind::Blocked, status.message.clone()))
        }
        Phase::Synced
        | Phase::Progressing
        | Phase::Degraded
        | Phase::Held
        | Phase::Suspended
        | Phase::Orphaned
        | Phase::Unknown => {}
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

fn changed(
    status: &ServiceStatus,
    time: Timestamp,
    kind: Kind,
    message: String,
    plan: &Plan,
) -> Event {
    Event {
        changes: plan.differences.clone(),
        ..event(status, time, kind, message)
    }
}
