//! What a service is: its settings, and what it has said. Values only; what happens to them is elsewhere.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    deployment::{BackOff, Deployment, DeploymentStatus, Revision, Rollout, ServiceDeployment},
    tags::Tags,
};
use crate::core::{
    ids::Ids,
    time::{Pace, later},
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
    /// When the steady state was announced, if nothing has happened since.
    pub(super) steady: Option<Timestamp>,
    /// What it has complained of and when, while the cause lasts; it is not soon repeated.
    pub(super) complaints: Vec<(String, Timestamp)>,
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
pub(super) struct ServiceEvent {
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) message: String,
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

    /// Says something that is not said again until its cause has gone or hours have passed.
    pub(super) fn complain(&mut self, ids: &mut Ids, now: Timestamp, pace: Pace, message: &str) {
        self.complaints
            .retain(|(_, at)| now < pace.after(*at, crate::core::time::REPEAT));
        if self.complaints.iter().any(|(said, _)| said == message) {
            return;
        }
        self.complaints.push((message.to_owned(), now));
        self.complaints.truncate(EVENTS);
        self.say(ids, now, message);
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
        self.complaints.clear();
        self.steady = None;
    }
}
