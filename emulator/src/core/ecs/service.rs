//! What a service is: its settings, its deployments and their history. Values only; what happens to them is elsewhere.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;

use super::tags::Tags;
use crate::core::{
    ids::Ids,
    time::{BACK_OFF, Pace, later},
};

/// DescribeServices shows at most this many events. Source:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages.html>
const EVENTS: usize = 100;
/// Kept of the past, per service; AWS keeps 90 days.
const HISTORY: usize = 200;

#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) arn: String,
    pub(super) name: String,
    /// The cluster's name.
    pub(super) cluster: String,
    pub(super) life: Life,
    pub(super) created: Timestamp,
    pub(super) created_by: String,
    pub(super) tags: Tags,
    pub(super) desired: u32,
    pub(super) settings: ServiceSettings,
    /// The primary first, then newest first.
    pub(super) deployments: Vec<Deployment>,
    /// Newest first.
    pub(super) history: VecDeque<ServiceDeployment>,
    /// Newest first.
    pub(super) revisions: VecDeque<Revision>,
    /// Newest first.
    pub(super) events: VecDeque<ServiceEvent>,
    /// The `clientToken` and the request, without its tags, that made it.
    pub(super) request: (Option<String>, Value),
    pub(super) back_off: BackOff,
    /// The steady state has been announced and nothing has happened since.
    pub(super) steady: bool,
    /// The placement failure announced last; it is not repeated until something changes.
    pub(super) placement: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Active,
    Draining,
    /// Gone, but still described for a while.
    Inactive,
}

/// What UpdateService changes without a new deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServiceSettings {
    pub(super) minimum_percent: u32,
    pub(super) maximum_percent: u32,
    pub(super) breaker: Breaker,
    pub(super) grace: Duration,
    /// Availability zone rebalancing: only remembered, there are no zones here.
    pub(super) rebalancing: String,
    pub(super) propagate_tags: String,
    pub(super) managed_tags: bool,
    pub(super) execute_command: bool,
}

/// The circuit breaker's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breaker {
    pub(super) enable: bool,
    pub(super) rollback: bool,
    pub(super) reset_on_healthy: bool,
    pub(super) kind: Threshold,
    pub(super) value: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threshold {
    BoundedPercent,
    UnboundedPercent,
    Count,
}

/// What a revision of a service carries; a change of it is a new deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// The task definition's ARN.
    pub(super) definition: String,
    /// As asked for, such as `LATEST`.
    pub(super) platform: String,
    /// `networkConfiguration` as ECS returns it.
    pub(super) network: Value,
    pub(super) balancers: Vec<Balancer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Balancer {
    /// The target group's ARN.
    pub(super) group: String,
    pub(super) container: String,
    pub(super) port: u16,
}

#[derive(Debug, Clone)]
pub(super) struct Deployment {
    /// Nineteen digits; `ecs-svc/` goes before them.
    pub(super) id: String,
    pub(super) shape: Shape,
    pub(super) rollout: Rollout,
    pub(super) reason: String,
    /// How many tasks it is to have.
    pub(super) desired: u32,
    /// Failures in a row.
    pub(super) failed: u32,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// When its present rollout began: its creation, or the rollback to it.
    pub(super) begun: Timestamp,
    /// It has completed once, so its lost tasks are replaced even while another deployment runs.
    pub(super) proven: bool,
    /// It was said that the percentages leave no way on.
    pub(super) blocked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rollout {
    InProgress,
    Completed,
    Failed,
}

/// The record of one deployment, from its request to its outcome.
#[derive(Debug, Clone)]
pub(super) struct ServiceDeployment {
    pub(super) arn: String,
    /// The digits of the deployment and of its revision.
    pub(super) deployment: String,
    pub(super) status: DeploymentStatus,
    pub(super) reason: Option<String>,
    pub(super) created: Timestamp,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
    pub(super) stopped: Option<Timestamp>,
    pub(super) updated: Timestamp,
    /// The digits of the revisions that ran when it began.
    pub(super) sources: Vec<String>,
    pub(super) rollback: Option<Rollback>,
    /// As they were when it began.
    pub(super) settings: ServiceSettings,
    pub(super) failures: u32,
    pub(super) threshold: u32,
    pub(super) triggered: bool,
    /// The next change that comes by itself.
    pub(super) due: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub(super) struct Rollback {
    pub(super) reason: String,
    pub(super) started: Timestamp,
    /// The digits of the revision gone back to.
    pub(super) to: String,
}

/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeploymentStatus {
    Pending,
    InProgress,
    StopRequested,
    Stopped,
    Successful,
    RollbackRequested,
    RollbackInProgress,
    RollbackSuccessful,
    RollbackFailed,
}

impl DeploymentStatus {
    pub(super) fn is_over(self) -> bool {
        match self {
            Self::Stopped | Self::Successful | Self::RollbackSuccessful | Self::RollbackFailed => {
                true
            }
            Self::Pending
            | Self::InProgress
            | Self::StopRequested
            | Self::RollbackRequested
            | Self::RollbackInProgress => false,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Revision {
    /// The same digits as its deployment's.
    pub(super) id: String,
    pub(super) shape: Shape,
    pub(super) created: Timestamp,
    /// The service's first; it shows fewer fields.
    pub(super) first: bool,
    /// Each container's image as resolved by the first task.
    pub(super) digests: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub(super) struct ServiceEvent {
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) message: String,
}

/// The waits after launches that fail in a row.
#[derive(Debug, Clone, Default)]
pub(super) struct BackOff {
    failures: usize,
    /// Failures of tasks that are older than this belong to a launch that was counted.
    counted: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

impl BackOff {
    /// Notes that a task made at `created` failed to start. `true` when the launches are now held back.
    pub(super) fn note(&mut self, created: Timestamp, now: Timestamp, pace: Pace) -> bool {
        if self.counted.is_some_and(|counted| created < counted) {
            return false;
        }
        let wait = BACK_OFF.get(self.failures).or(BACK_OFF.last()).copied();
        let wait = wait.unwrap_or_default();
        self.failures += 1;
        self.counted = Some(later(now, Duration::from_nanos(1)));
        self.until = Some(pace.after(now, wait));
        !wait.is_zero()
    }

    pub(super) fn holds(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

impl Service {
    pub(super) fn is_active(&self) -> bool {
        self.life == Life::Active
    }

    pub(super) fn primary(&self) -> Option<&Deployment> {
        self.deployments.first()
    }

    pub(super) fn deployment_mut(&mut self, id: &str) -> Option<&mut Deployment> {
        self.deployments.iter_mut().find(|d| d.id == id)
    }

    pub(super) fn revision_mut(&mut self, id: &str) -> Option<&mut Revision> {
        self.revisions.iter_mut().find(|r| r.id == id)
    }

    /// The record of what runs now, if it is not over.
    pub(super) fn running(&mut self) -> Option<&mut ServiceDeployment> {
        self.history.front_mut().filter(|d| !d.status.is_over())
    }

    /// A rollback was asked for and has not begun.
    pub(super) fn is_asked_back(&self) -> bool {
        let status = self.history.front().map(|record| record.status);
        status == Some(DeploymentStatus::RollbackRequested)
    }

    /// Says something, a millisecond after what was said before.
    pub(super) fn say(&mut self, ids: &mut Ids, now: Timestamp, message: &str) {
        let after_last = self
            .events
            .front()
            .map(|event| later(event.at, Duration::from_millis(1)));
        let at = after_last.map_or(now, |after| after.max(now));
        self.events.push_front(ServiceEvent {
            id: ids.uuid(),
            at,
            message: format!("(service {}{message}", self.name),
        });
        self.events.truncate(EVENTS);
    }

    /// Says that so many of the group's targets leave.
    pub(super) fn say_draining(&mut self, ids: &mut Ids, group: &str, count: u32, now: Timestamp) {
        let message = format!(") deregistered {count} targets in (target-group {group})");
        self.say(ids, now, &message);
        let message = format!(") has begun draining connections on {count} tasks.");
        self.say(ids, now, &message);
    }

    /// Makes a deployment of this shape the primary; what runs is superseded.
    pub(super) fn begin(&mut self, ids: &mut Ids, shape: Shape, now: Timestamp, pace: Pace) {
        let id = ids.digits();
        let token = ids.token();
        if let Some(running) = self.running() {
            running.stop_for("The deployment was superseded by a newer one.", now, pace);
        }
        for old in &mut self.deployments {
            old.updated = now;
        }
        self.history.push_front(ServiceDeployment {
            arn: ids.arn(
                "ecs",
                &format!("service-deployment/{}/{}/{token}", self.cluster, self.name),
            ),
            deployment: id.clone(),
            status: DeploymentStatus::Pending,
            reason: None,
            created: now,
            started: None,
            finished: None,
            stopped: None,
            updated: now,
            sources: self.deployments.iter().map(|d| d.id.clone()).collect(),
            rollback: None,
            settings: self.settings.clone(),
            failures: 0,
            threshold: self.settings.breaker.threshold(self.desired),
            triggered: false,
            due: Some(pace.after(now, crate::core::time::SERVICE_DEPLOYMENT)),
        });
        self.revisions.push_front(Revision {
            id: id.clone(),
            shape: shape.clone(),
            created: now,
            first: self.revisions.is_empty(),
            digests: BTreeMap::new(),
        });
        self.history.truncate(HISTORY);
        self.revisions.truncate(HISTORY);
        let deployment = Deployment {
            reason: format!("ECS deployment ecs-svc/{id} in progress."),
            id,
            shape,
            rollout: Rollout::InProgress,
            desired: 0,
            failed: 0,
            created: now,
            updated: now,
            begun: now,
            proven: false,
            blocked: false,
        };
        self.deployments.insert(0, deployment);
        self.back_off = BackOff::default();
        self.placement = None;
        self.steady = false;
    }
}

impl ServiceDeployment {
    /// It will not be finished; it says so at once and is stopped a little later. The first reason stays.
    pub(super) fn stop_for(&mut self, reason: &str, now: Timestamp, pace: Pace) {
        if self.status == DeploymentStatus::StopRequested {
            return;
        }
        self.status = DeploymentStatus::StopRequested;
        self.reason = Some(reason.to_owned());
        self.updated = now;
        self.due = Some(pace.after(now, crate::core::time::SERVICE_DEPLOYMENT));
    }

    pub(super) fn finish(&mut self, status: DeploymentStatus, now: Timestamp) {
        self.status = status;
        self.updated = now;
        self.finished = Some(now);
        self.due = None;
    }
}
