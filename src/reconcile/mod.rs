//! One pass over one service: look, decide, act, tell.

mod act;
mod following;
mod orphans;
mod quota;
mod tell;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

pub use act::{Made, Stopped, carry_out};
pub use orphans::orphans;

use crate::{
    aws::{Ahead, Aws, Described, Memory, Urgency, VIEWS_LAG},
    desired::Settings,
    diff::Difference,
    event::Event,
    manifest::Manifest,
    metrics::Outcome,
    observed::{Deployment, LiveService},
    plan::{self, Blocked, Cause, Plan},
    status::ServiceStatus,
};

/// How long a view that shows what our last write has changed as it was before is taken for an old one, where no
/// deployment's id tells. Somebody else may also have changed it back.
const SENT_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// What may lie between the creation of a service and of its first deployment, by one call.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(1);

/// What a service's passes pass on to each other, in this process only. Losing it loses no fact.
#[derive(Debug, Default)]
pub struct Carried {
    /// For the reads.
    pub memory: Memory,
    /// What was told after the last pass.
    pub status: Option<Arc<ServiceStatus>>,
    /// The differences that have been told already.
    told: Vec<Difference>,
    /// Whether this process has seen the service exist. Should it be gone, that was not our manifest's doing.
    has_existed: bool,
    /// The newest rollout.
    following: Option<following::Following>,
    /// What our last write has changed without a deployment, and when. A look that shows the same again may be older.
    sent: Option<(Vec<Difference>, Timestamp)>,
    /// The newest deployment that is known of. A look without it is older.
    newest: Option<Newest>,
    /// What waits for a quota.
    ticket: Option<quota::Ticket>,
}

/// The deployment that our last write began, or a newer one that a look has shown.
#[derive(Debug)]
struct Newest {
    deployment: Deployment,
    /// Whether a look has shown it.
    is_seen: bool,
    /// When the service was created that has it: another one of this name may have been deleted before.
    of_service_since: Option<Timestamp>,
}

/// What a pass begins with.
#[derive(Debug)]
pub struct Look {
    /// The service as AWS describes it.
    pub described: Described,
    /// AWS's own time then.
    pub time: Timestamp,
    /// What was asked at the same time.
    pub ahead: Ahead,
}

/// What a pass came to.
#[derive(Debug)]
pub struct Passed {
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// Rollouts that ended: how, and how many seconds they took.
    pub ended: Vec<(Outcome, f64)>,
    /// What to do next.
    pub next: Next,
}

impl Passed {
    /// The view says nothing new.
    fn nothing(next: Next) -> Self {
        Self {
            events: Vec::new(),
            ended: Vec::new(),
            next,
        }
    }
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
    /// When a quota allows what is to be done; with a resync, where that comes first.
    At(Instant),
    /// After a wait that grows with each failure.
    Backoff,
}

/// Whether something may be started that no edit of a manifest asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit {
    /// Yes.
    Granted,
    /// Not before the other services have been looked at.
    Later,
    /// No, and why.
    Refused(String),
    /// No, and also nothing else that starts tasks: no manifest asks for it any more.
    Undescribed,
}

/// One pass. Before it starts a deployment that no edit asked for, it asks `permit`. Whatever fails is told in the
/// status; the next pass begins anew.
pub async fn pass(
    aws: &Aws,
    manifest: &Arc<Manifest>,
    settings: &Settings,
    look: Look,
    carried: &mut Carried,
    permit: impl FnOnce(bool) -> Permit,
) -> Passed {
    let Look {
        described,
        time: aws_time,
        mut ahead,
    } = look;
    if carried.is_outdated(&described, aws_time) {
        permit(false);
        return Passed::nothing(Next::Follow);
    }
    let described = described.map(|service| service.filter(|service| !service.is_gone()));
    if let Some(at) = carried.still_waits(manifest, &described) {
        permit(false);
        return Passed::nothing(Next::At(at));
    }
    // What has its turn now is no mere look any more.
    let raised = carried.ticket.as_ref().map(|_| aws.raised(Urgency::Follow));
    let aws = raised.as_ref().unwrap_or(aws);
    // Look (calls AWS).
    let seen = match described {
        Ok(service) => {
            let memory = &mut carried.memory;
            aws.observe(manifest, settings, service, aws_time, memory, &mut ahead)
                .await
        }
        Err(error) => Err(error),
    };
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => return tell::failed_to_look(manifest, &error, aws_time, carried),
    };
    // Decide (pure).
    let now = seen.observed.aws_time;
    let lessons = carried.memory.lessons.under(&manifest.digest);
    let mut plan = plan::plan(&seen.desired, &seen.observed, lessons);
    lessons.forget_all_but(&plan.differences);
    if carried.shows_what_was_sent(&plan, now) {
        permit(false);
        return Passed::nothing(Next::Follow);
    }
    match permit(plan.starts_deployment() && is_unasked_for(&plan, carried.has_existed)) {
        Permit::Granted => {}
        Permit::Later => plan.stop(Blocked::AskingAround),
        Permit::Refused(why) => plan.stop(Blocked::Brake(why)),
        Permit::Undescribed => {
            let service = seen.observed.service.as_ref();
            if service.is_none_or(|service| service.status() == "DRAINING") {
                plan = Plan::default();
                plan.stop(Blocked::Undescribed);
            } else if plan.starts_deployment() {
                plan.stop(Blocked::Undescribed);
            }
        }
    }
    let waits_until = carried.admit(aws, &seen, &mut plan).await;
    // Act (calls AWS).
    let done = act::make_calls(aws, &seen, &plan, &mut carried.memory, |_| {}).await;
    if let Ok(made) = &done {
        plan.steps.truncate(made.steps);
        carried.note_sent(&plan, now);
    }
    carried.has_existed |= seen.observed.service.is_some();
    // Tell (pure).
    let passed = tell::tell(&seen, &plan, done, carried);
    match waits_until {
        Some(at) => Passed {
            next: Next::At(at),
            ..passed
        },
        None => passed,
    }
}

/// Whether the world has changed, and not the manifest.
fn is_unasked_for(plan: &Plan, has_existed: bool) -> bool {
    match plan.cause {
        Some(Cause::Drift | Cause::TargetHealth) => true,
        Some(Cause::Create) => has_existed,
        Some(Cause::Edit | Cause::Retry) | None => false,
    }
}

impl Carried {
    /// Notes what a plan that was carried out has changed.
    fn note_sent(&mut self, plan: &Plan, now: Timestamp) {
        let lessons = &mut self.memory.lessons;
        if plan.cause == Some(Cause::Drift) {
            lessons.note_repaired(plan.mended(), now);
        }
        let is_shown =
            |one: &&Difference| !plan::starts_deployment(one) && !lessons.is_not_taken(one);
        let sent: Vec<_> = plan.mended().filter(is_shown).cloned().collect();
        self.sent = (!sent.is_empty()).then_some((sent, now));
    }

    /// Whether a look shows what has just been changed as if it had not been.
    fn shows_what_was_sent(&mut self, plan: &Plan, now: Timestamp) -> bool {
        let shows = |(sent, at): &(Vec<Difference>, Timestamp)| {
            now.duration_since(*at) < SENT_AGAIN_AFTER
                && sent.iter().any(|one| plan.differences.contains(one))
        };
        self.sent.take_if(|sent| !shows(sent));
        self.sent.is_some()
    }

    /// Whether a view lacks the newest deployment that is known of, and shows nothing newer. Reads of ECS are eventually
    /// consistent, and may go back in time; deciding on such a view would do the same again.
    fn is_outdated(&mut self, described: &Described, now: Timestamp) -> bool {
        let Ok(service) = described else {
            return false;
        };
        let deployments = service
            .as_ref()
            .map(LiveService::deployments)
            .unwrap_or_default();
        let is_older_than = |newest: &Newest| {
            let known = &newest.deployment;
            // A rollback that is over shows nothing but the old deployment, changed since.
            let lacks_it = deployments.iter().all(|deployment| {
                deployment.id != known.id
                    && deployment.created_at.max(deployment.updated_at) <= known.created_at
            });
            let is_recent = known
                .created_at
                .is_some_and(|created| now.duration_since(created) < VIEWS_LAG);
            lacks_it && is_recent && !newest.is_gone_with(service.as_ref())
        };
        if self.newest.as_ref().is_some_and(is_older_than) {
            return true;
        }
        let newest = deployments.into_iter().max_by_key(|one| one.created_at);
        self.newest = newest.map(|deployment| Newest {
            deployment,
            is_seen: true,
            of_service_since: service.as_ref().and_then(LiveService::created_at),
        });
        false
    }
}

impl Newest {
    /// Whether its service has been deleted since, by what a look shows. What was seen before may be deleted when there is
    /// nothing; CreateService would be refused if it is not. And a service that is gone is no older view of itself.
    fn is_gone_with(&self, service: Option<&LiveService>) -> bool {
        match service {
            None => self.is_seen,
            Some(service) => {
                let created = service.created_at();
                let is_same = created
                    .zip(self.of_service_since)
                    .is_some_and(|(created, since)| since.duration_since(created) <= AT_ONCE);
                service.is_gone() && (self.is_seen || is_same)
            }
        }
    }
}

#[cfg(test)]
mod tests;
