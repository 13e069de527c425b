//! One of a service's deployments.

use jiff::Timestamp;
use serde::Serialize;

use crate::document::{self, Document};

/// One entry of a service's `deployments`.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// `ecs-svc/<digits>`; never a number.
    pub id: String,
    /// `PRIMARY`, `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// The definition's ARN.
    pub task_definition: String,
    /// How far it is.
    pub rollout: RolloutState,
    /// ECS's words about that.
    pub reason: String,
    /// Tasks it should run.
    pub desired: u32,
    /// Tasks that run.
    pub running: u32,
    /// Tasks being started.
    pub pending: u32,
    /// Failures in a row.
    pub failed: u32,
    /// When it began.
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
}

impl Deployment {
    pub(super) fn read(entry: &Document) -> Self {
        Self {
            id: document::text(entry, "id").to_owned(),
            status: document::text(entry, "status").to_owned(),
            task_definition: document::text(entry, "taskDefinition").to_owned(),
            rollout: RolloutState::read(document::text(entry, "rolloutState")),
            reason: document::text(entry, "rolloutStateReason").to_owned(),
            desired: document::count(entry, "desiredCount"),
            running: document::count(entry, "runningCount"),
            pending: document::count(entry, "pendingCount"),
            failed: document::count(entry, "failedTasks"),
            created_at: document::time(entry, "createdAt"),
            updated_at: document::time(entry, "updatedAt"),
        }
    }
}

/// `rolloutState`, which only services with ECS's own deployment controller have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RolloutState {
    /// Tasks are being replaced.
    InProgress,
    /// Reached. It stays so when the service is scaled later.
    Completed,
    /// The circuit breaker or an alarm ended it.
    Failed,
    /// Not told.
    Unknown,
}

impl RolloutState {
    fn read(word: &str) -> Self {
        match word {
            "IN_PROGRESS" => Self::InProgress,
            "COMPLETED" => Self::Completed,
            "FAILED" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}
