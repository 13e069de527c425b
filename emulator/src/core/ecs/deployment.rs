//! What a deployment of a service is, and the record that is kept of it. Values only.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::service::{ServiceSettings, Shape};
use crate::core::time::{BACK_OFF, Pace, SERVICE_DEPLOYMENT, later};

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

impl ServiceDeployment {
    /// It will not be finished; it says so at once and is stopped a little later. The first reason stays.
    pub(super) fn stop_for(&mut self, reason: &str, now: Timestamp, pace: Pace) {
        if self.status == DeploymentStatus::StopRequested {
            return;
        }
        self.status = DeploymentStatus::StopRequested;
        self.reason = Some(reason.to_owned());
        self.updated = now;
        self.due = Some(pace.after(now, SERVICE_DEPLOYMENT));
    }

    pub(super) fn finish(&mut self, status: DeploymentStatus, now: Timestamp) {
        self.status = status;
        self.updated = now;
        self.finished = Some(now);
        self.due = None;
    }
}
