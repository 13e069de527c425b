//! What a task is. Values only; what happens to them is elsewhere.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::Value;

use super::{health_check::HealthCheck, service::Balancer, tags::Tags};
use crate::core::elb::Target;

#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) arn: String,
    pub(super) id: String,
    /// Orders tasks of the same instant.
    pub(super) sequence: u64,
    /// The cluster's name.
    pub(super) cluster: String,
    pub(super) origin: Origin,
    /// The task definition's ARN.
    pub(super) definition: String,
    /// `networkConfiguration` as ECS returns it.
    pub(super) network: Value,
    pub(super) overrides: Vec<ContainerOverride>,
    pub(super) execute_command: bool,
    pub(super) balancers: Vec<Balancer>,
    pub(super) tags: Tags,
    /// CPU units and MiB.
    pub(super) size: (String, String),
    /// Ephemeral storage in GiB.
    pub(super) storage: u64,
    pub(super) subnet: String,
    pub(super) address: Ipv4Addr,
    pub(super) attachment: String,
    pub(super) interface: String,
    pub(super) status: Status,
    pub(super) launch: Launch,
    pub(super) containers: Vec<Container>,
    /// What was registered for it.
    pub(super) targets: Vec<(String, Target)>,
    pub(super) stop: Option<Stop>,
    /// It was healthy at some time, as far as anything checks that.
    pub(super) was_healthy: bool,
    pub(super) said_unhealthy: bool,
    pub(super) created: Timestamp,
    pub(super) attached: Option<Timestamp>,
    pub(super) pull_started: Option<Timestamp>,
    pub(super) pull_stopped: Option<Timestamp>,
    pub(super) started: Option<Timestamp>,
    pub(super) stopping: Option<Timestamp>,
    pub(super) execution_stopped: Option<Timestamp>,
    pub(super) stopped: Option<Timestamp>,
    /// Rises with every change.
    pub(super) version: u64,
    /// The next step that comes by itself.
    pub(super) due: Option<Timestamp>,
}

/// Who asked for a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A deployment of a service.
    Service {
        /// The service's ARN.
        arn: String,
        /// The service's name.
        name: String,
        /// The digits of the deployment.
        deployment: String,
    },
    /// A call of RunTask, with its words for `group` and `startedBy`.
    Call {
        group: String,
        started_by: Option<String>,
    },
}

impl Origin {
    /// ECS's `group`.
    pub(super) fn group(&self) -> String {
        match self {
            Self::Service { name, .. } => format!("service:{name}"),
            Self::Call { group, .. } => group.clone(),
        }
    }

    /// ECS's `startedBy`.
    pub(super) fn started_by(&self) -> Option<String> {
        match self {
            Self::Service { deployment, .. } => Some(format!("ecs-svc/{deployment}")),
            Self::Call { started_by, .. } => started_by.clone(),
        }
    }
}

/// What RunTask says in place of the definition's words.
#[derive(Debug, Clone, Default)]
pub(super) struct ContainerOverride {
    /// The container's name.
    pub(super) name: String,
    pub(super) command: Option<Vec<String>>,
    pub(super) environment: Vec<(String, String)>,
}

/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// How far the driver is with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Launch {
    /// Not asked yet.
    Waiting,
    /// It will fail for this reason.
    Doomed(String),
    /// Asked to start its containers.
    Asked,
    /// All containers were started.
    Started,
}

#[derive(Debug, Clone)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) image: String,
    pub(super) digest: Option<String>,
    pub(super) runtime: Option<String>,
    pub(super) cpu: String,
    pub(super) memory: Option<String>,
    pub(super) essential: bool,
    pub(super) exit_code: Option<i32>,
    pub(super) reason: Option<String>,
    pub(super) ended: bool,
    pub(super) started: Option<Timestamp>,
    pub(super) check: Option<HealthCheck>,
}

/// Why a task was told to stop.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) code: StopCode,
    pub(super) reason: String,
}

/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopCode {
    FailedToStart,
    EssentialContainerExited,
    User,
    ServiceScheduler,
}

impl StopCode {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::FailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::User => "UserInitiated",
            Self::ServiceScheduler => "ServiceSchedulerInitiated",
        }
    }
}

impl Task {
    /// The ARN of the service that it belongs to.
    pub(super) fn service(&self) -> Option<&str> {
        match &self.origin {
            Origin::Service { arn, .. } => Some(arn),
            Origin::Call { .. } => None,
        }
    }

    /// The digits of the deployment that it belongs to.
    pub(super) fn deployment(&self) -> Option<&str> {
        match &self.origin {
            Origin::Service { deployment, .. } => Some(deployment),
            Origin::Call { .. } => None,
        }
    }

    /// Told to stop, whatever its status still is.
    pub(super) fn is_leaving(&self) -> bool {
        self.stop.is_some()
    }

    pub(super) fn desired_status(&self) -> &'static str {
        if self.is_leaving() {
            "STOPPED"
        } else {
            "RUNNING"
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.status == Status::Running && !self.is_leaving()
    }

    pub(super) fn is_pending(&self) -> bool {
        self.status < Status::Running && !self.is_leaving()
    }

    pub(super) fn family(&self) -> &str {
        let name = self.definition.rsplit('/').next().unwrap_or_default();
        name.split(':').next().unwrap_or_default()
    }

    pub(super) fn container_status(&self, container: &Container) -> &'static str {
        match self.launch {
            _ if container.ended => "STOPPED",
            Launch::Started => "RUNNING",
            Launch::Waiting | Launch::Doomed(_) | Launch::Asked => "PENDING",
        }
    }
}
