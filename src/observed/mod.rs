//! What AWS says, as values. Knows nothing of how it was asked.

mod deployment;
mod progress;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

pub use deployment::{Deployment, RolloutState};
pub use progress::Progress;

use crate::document::{self, Document};

/// Everything one pass saw of one service. Whatever could not be read is an error before this exists:
/// a `None` here is proof of absence, never a failure to look.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The service; `None` when AWS says that there is none, or only an inactive one.
    pub service: Option<LiveService>,
    /// The task definition that the service names.
    pub definition: Option<Revision>,
    /// Active revisions of the manifest's family, newest first. Looked up only when a new definition may be needed.
    pub revisions: Vec<Revision>,
    /// Service deployments, newest first. Looked up only when a deployment may be started or has just ended.
    pub history: Vec<PastDeployment>,
    /// The declared log group.
    pub log_group: LogGroup,
    /// What the manifest's image means at present.
    pub image: Image,
    /// The targets of the service's first target group; `None` when it has no load balancer.
    pub targets: Option<Targets>,
    /// How the rollout under way comes on, over this look and those before it.
    pub progress: Option<Progress>,
    /// Since when looks have shown fewer healthy targets than the manifest wants, with no rollout under way.
    pub unhealthy_since: Option<Timestamp>,
    /// Another service of the cluster that has one of the manifest's target groups. Looked up only when there is no
    /// service yet.
    pub rival: Option<String>,
    /// AWS's own clock when the service was described.
    pub aws_time: Timestamp,
}

/// The declared log group as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogGroup {
    /// The manifest declares none.
    NotDeclared,
    /// Declared; in a large fleet its turn to be looked at has not come yet.
    NotLookedAt,
    /// Declared, and not there.
    Missing,
    /// There.
    Present {
        /// Days; `None` is for ever.
        retention_in_days: Option<u32>,
        /// The value of its owner tag; looked up only when the retention differs.
        owner: Option<String>,
    },
}

/// What the manifest's `image` means at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// The manifest has no `image`; its definition names images itself.
    NotUsed,
    /// Use this reference.
    Resolved {
        /// `repository@sha256:…`, or as written when the registry is not ECR.
        reference: String,
        /// `sha256:…` when known.
        digest: Option<String>,
    },
    /// The repository has no such tag. What runs stays.
    Missing {
        /// What to tell people.
        problem: String,
        /// What the tag meant when the same manifest was last matched; it goes on being used.
        pinned: Option<Pinned>,
    },
}

/// An image of ECR by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// `repository@sha256:…`.
    pub reference: String,
    /// `sha256:…`.
    pub digest: String,
}

/// A service as DescribeServices returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveService(pub Document);

impl LiveService {
    /// The service's ARN.
    pub fn arn(&self) -> &str {
        document::text(&self.0, "serviceArn")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        document::text(&self.0, "serviceName")
    }

    /// `ACTIVE`, `DRAINING` or, for a while after it is gone, `INACTIVE`.
    pub fn status(&self) -> &str {
        document::text(&self.0, "status")
    }

    /// Whether it is no service any more.
    pub fn is_gone(&self) -> bool {
        self.status() == "INACTIVE"
    }

    /// When it was created.
    pub fn created_at(&self) -> Option<Timestamp> {
        document::time(&self.0, "createdAt")
    }

    /// Whether ECS itself rolls it out, and so lists its deployments from the first one on.
    pub fn has_deployments(&self) -> bool {
        let controller = self.0.get("deploymentController");
        let kind = controller.and_then(|controller| controller.get("type"));
        kind.is_none_or(|kind| kind == "ECS")
    }

    /// The ARN of the definition it names.
    pub fn task_definition(&self) -> &str {
        document::text(&self.0, "taskDefinition")
    }

    /// How many tasks it should run.
    pub fn desired_count(&self) -> u32 {
        document::count(&self.0, "desiredCount")
    }

    /// How many tasks run, those told to stop excluded.
    pub fn running_count(&self) -> u32 {
        document::count(&self.0, "runningCount")
    }

    /// How many tasks are being started.
    pub fn pending_count(&self) -> u32 {
        document::count(&self.0, "pendingCount")
    }

    /// The service's tags.
    pub fn tags(&self) -> BTreeMap<String, String> {
        tags(&self.0)
    }

    /// The newest event since then in which ECS says why it cannot start tasks ("Amazon ECS service event messages" in
    /// the Developer Guide), without the service's name.
    pub fn complaint(&self, since: Timestamp) -> Option<&str> {
        const WORDS: [&str; 4] = ["unable to", "could not launch", "being throttled", "failed"];
        let events = document::objects(&self.0, "events");
        let recent = events.filter(|event| document::time(event, "createdAt") >= Some(since));
        let messages = recent.map(|event| document::text(event, "message"));
        let mut complaints = messages
            .filter(|message| WORDS.iter().any(|words| message.contains(words)))
            .map(|message| message.split_once(") ").map_or(message, |(_, rest)| rest));
        // ECS lists the newest first.
        complaints.next()
    }

    /// Its deployments, the primary one first.
    pub fn deployments(&self) -> Vec<Deployment> {
        let mut deployments: Vec<_> = document::objects(&self.0, "deployments")
            .map(Deployment::read)
            .collect();
        deployments.sort_by_key(|deployment| deployment.status != "PRIMARY");
        deployments
    }

    /// The deployment that the service is moving to, or has reached.
    pub fn primary(&self) -> Option<Deployment> {
        self.deployments()
            .into_iter()
            .find(|deployment| deployment.status == "PRIMARY")
    }

    /// Whether ECS has taken a failed deployment back and has not finished doing so.
    pub fn is_rolling_back(&self) -> bool {
        self.primary().is_some_and(|primary| {
            primary.rollout == RolloutState::InProgress
                && primary.reason.contains("rolling back to deploymentId")
        })
    }

    /// What must be unchanged when a write planned from this view is made: all but counts, events and times.
    pub fn basis(&self) -> serde_json::Value {
        let mut basis = self.0.clone();
        let volatile = [
            "events",
            "runningCount",
            "pendingCount",
            "deployments",
            "currentServiceDeployment",
            "currentServiceRevisions",
        ];
        for member in volatile {
            basis.remove(member);
        }
        let deployments: Vec<_> = self
            .deployments()
            .into_iter()
            .map(|deployment| (deployment.id, deployment.status, deployment.task_definition))
            .collect();
        basis.insert("tags".to_owned(), serde_json::json!(self.tags()));
        basis.insert("deployments".to_owned(), serde_json::json!(deployments));
        basis.into()
    }

    /// A deployment that failed with nothing to be rolled back to stays where it is.
    pub fn is_stalled(&self) -> bool {
        self.primary()
            .is_some_and(|primary| primary.rollout == RolloutState::Failed)
    }

    /// Whether nothing is being replaced.
    pub fn is_settled(&self) -> bool {
        let deployments = self.deployments();
        deployments.len() == 1
            && deployments
                .iter()
                .all(|deployment| deployment.rollout != RolloutState::InProgress)
    }
}

/// A registered task definition. It never changes, but for its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// The whole definition as DescribeTaskDefinition returns it.
    pub document: Document,
    /// Its tags, which stand beside the definition on the wire.
    pub tags: BTreeMap<String, String>,
}

impl Revision {
    /// `arn:…:task-definition/FAMILY:N`.
    pub fn arn(&self) -> &str {
        document::text(&self.document, "taskDefinitionArn")
    }

    /// The image of the container `name`.
    pub fn image_of(&self, name: &str) -> Option<&str> {
        document::objects(&self.document, "containerDefinitions")
            .find(|container| document::text(container, "name") == name)
            .map(|container| document::text(container, "image"))
    }
}

/// One service deployment with what it aimed at.
#[derive(Debug, Clone, PartialEq)]
pub struct PastDeployment {
    /// Its ARN.
    pub arn: String,
    /// How it ended, or that it has not.
    pub outcome: Outcome,
    /// ECS's words about it.
    pub reason: String,
    /// When it began.
    pub created_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The service fields that its revision carries; empty when the deployment names no revision.
    pub revision: Document,
    /// The revision's task definition, when it still exists.
    pub definition: Option<Revision>,
    /// Why its tasks stopped; looked up for the newest failure only.
    pub failure: Option<TaskFailure>,
}

/// What became of a service deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not over.
    Running,
    /// Reached.
    Succeeded,
    /// Undone by ECS, or stopped by its circuit breaker.
    Failed,
    /// Replaced by a newer one before it was over; says nothing about what it aimed at.
    Superseded,
}

/// Why a task of a failed deployment stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskFailure {
    /// The task's id.
    pub task: String,
    /// ECS's `stoppedReason`.
    pub stopped_reason: String,
    /// The container that ended it, when one did.
    pub container: Option<String>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// The last lines of its log, oldest first.
    pub log: Vec<String>,
}

impl TaskFailure {
    /// One sentence: what happened, and the task's own last word on it.
    pub fn summary(&self) -> String {
        let what = match (&self.container, self.exit_code) {
            (Some(container), Some(code)) => format!("{container} exited {code}"),
            _ => self.stopped_reason.clone(),
        };
        match self.log.last() {
            Some(line) => format!("{what}: {line}"),
            None => what,
        }
    }
}

/// The health of a service's target group; of the one with the fewest healthy targets when it has several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// The service's targets that are sent requests.
    pub healthy: u32,
    /// Its registered targets, those draining excluded.
    pub total: u32,
    /// Registered targets that are no task of the service, `ADDRESS:PORT`. They are sent requests too.
    pub foreign: Vec<String>,
}

/// Tags as ECS writes them: a list of `{key, value}`.
pub fn tags(document: &Document) -> BTreeMap<String, String> {
    document::objects(document, "tags")
        .map(|tag| {
            (
                document::text(tag, "key").to_owned(),
                document::text(tag, "value").to_owned(),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_complaint_of_ecs_is_told_and_old_ones_are_not() {
        let event = |at: i64, words: &str| json!({"createdAt": at, "message": format!("(service api) {words}")});
        let service = json!({"events": [
            event(90, "has reached a steady state."),
            event(80, "was unable to place a task. Reason: CannotPullContainerError: gone."),
            event(10, "is unable to consistently start tasks successfully."),
        ]});
        let service = LiveService(service.as_object().unwrap().clone());
        let since = |seconds| service.complaint(Timestamp::from_second(seconds).unwrap());
        assert_eq!(
            since(50),
            Some("was unable to place a task. Reason: CannotPullContainerError: gone.")
        );
        assert_eq!(since(85), None);
    }
}
