//! What a task is, and how DescribeTasks shows it.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    service::Balancer,
    tags::{self, Tags},
};
use crate::core::{Cloud, elb::Target, time::seconds};

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
    fn word(self) -> &'static str {
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
    fn word(self) -> &'static str {
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

    fn container_status(&self, container: &Container) -> &'static str {
        match self.launch {
            _ if container.ended => "STOPPED",
            Launch::Started => "RUNNING",
            Launch::Waiting | Launch::Doomed(_) | Launch::Asked => "PENDING",
        }
    }
}

impl Cloud {
    pub(super) fn task_view(&self, task: &Task, with_tags: bool) -> Value {
        let containers: Vec<Value> = task
            .containers
            .iter()
            .map(|container| container_view(task, container))
            .collect();
        let attachment = match task.status {
            Status::Provisioning => "PRECREATED",
            Status::Stopped => "DELETED",
            Status::Pending
            | Status::Activating
            | Status::Running
            | Status::Deactivating
            | Status::Stopping
            | Status::Deprovisioning => "ATTACHED",
        };
        let [_, _, c, d] = task.address.octets();
        let mut view = json!({
            "attachments": [{
                "id": task.attachment,
                "type": "ElasticNetworkInterface",
                "status": attachment,
                "details": [
                    { "name": "subnetId", "value": task.subnet },
                    { "name": "networkInterfaceId", "value": task.interface },
                    { "name": "macAddress", "value": format!("0a:58:0a:00:{c:02x}:{d:02x}") },
                    { "name": "privateDnsName", "value": format!("ip-10-0-{c}-{d}.{}.compute.internal", self.ids.region) },
                    { "name": "privateIPv4Address", "value": task.address.to_string() },
                ],
            }],
            "attributes": [{ "name": "ecs.cpu-architecture", "value": "x86_64" }],
            "availabilityZone": format!("{}a", self.ids.region),
            "clusterArn": self.cluster_arn(&task.cluster),
            "containers": containers,
            "cpu": task.size.0,
            "createdAt": seconds(task.created),
            "desiredStatus": task.desired_status(),
            "enableExecuteCommand": task.execute_command,
            "group": task.origin.group(),
            "healthStatus": "UNKNOWN",
            "lastStatus": task.status.word(),
            "launchType": "FARGATE",
            "memory": task.size.1,
            "overrides": {
                "containerOverrides": overrides_view(task),
                "inferenceAcceleratorOverrides": [],
            },
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "tags": if with_tags { tags::view(&task.tags) } else { Vec::new() },
            "taskArn": task.arn,
            "taskDefinitionArn": task.definition,
            "version": task.version,
            "ephemeralStorage": { "sizeInGiB": task.storage },
            "fargateEphemeralStorage": { "sizeInGiB": task.storage },
        });
        if let Some(map) = view.as_object_mut() {
            if let Some(started_by) = task.origin.started_by() {
                map.insert("startedBy".to_owned(), Value::from(started_by));
            }
            add_moments(task, map);
        }
        view
    }
}

/// Each container, with what was said in place of the definition's words for it.
fn overrides_view(task: &Task) -> Vec<Value> {
    task.containers
        .iter()
        .map(|container| {
            let mut view = json!({ "name": container.name });
            let said = task.overrides.iter().find(|o| o.name == container.name);
            if let (Some(said), Some(map)) = (said, view.as_object_mut()) {
                if let Some(command) = &said.command {
                    map.insert("command".to_owned(), json!(command));
                }
                let pair =
                    |(name, value): &(String, String)| json!({ "name": name, "value": value });
                if !said.environment.is_empty() {
                    let pairs: Vec<Value> = said.environment.iter().map(pair).collect();
                    map.insert("environment".to_owned(), Value::from(pairs));
                }
            }
            view
        })
        .collect()
}

fn add_moments(task: &Task, map: &mut Map<String, Value>) {
    if task.attached.is_some() {
        map.insert("connectivity".to_owned(), Value::from("CONNECTED"));
    }
    let moments = [
        ("connectivityAt", task.attached),
        ("pullStartedAt", task.pull_started),
        ("pullStoppedAt", task.pull_stopped),
        ("startedAt", task.started),
        ("stoppingAt", task.stopping),
        ("executionStoppedAt", task.execution_stopped),
        ("stoppedAt", task.stopped),
    ];
    for (key, at) in moments {
        if let Some(at) = at {
            map.insert(key.to_owned(), seconds(at));
        }
    }
    if let Some(stop) = &task.stop {
        map.insert("stopCode".to_owned(), Value::from(stop.code.word()));
        map.insert("stoppedReason".to_owned(), Value::from(stop.reason.clone()));
    }
}

fn container_view(task: &Task, container: &Container) -> Value {
    let mut view = json!({
        "containerArn": container.arn,
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "lastStatus": task.container_status(container),
        "networkBindings": [],
        "networkInterfaces": [{
            "attachmentId": task.attachment,
            "privateIpv4Address": task.address.to_string(),
        }],
        "healthStatus": "UNKNOWN",
        "cpu": container.cpu,
    });
    let optional = [
        ("imageDigest", container.digest.clone().map(Value::from)),
        ("runtimeId", container.runtime.clone().map(Value::from)),
        ("exitCode", container.exit_code.map(Value::from)),
        ("reason", container.reason.clone().map(Value::from)),
        ("memory", container.memory.clone().map(Value::from)),
    ];
    if let Some(map) = view.as_object_mut() {
        for (key, value) in optional {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        }
    }
    view
}
