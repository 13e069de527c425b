//! What a task is, and how DescribeTasks shows it.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    service::Balancer,
    tags::{self, Tags},
};
use crate::core::{Cloud, elb::Target, time::seconds};

#[derive(Debug)]
pub(super) struct Task {
    pub(super) arn: String,
    pub(super) id: String,
    /// Orders tasks of the same instant.
    pub(super) sequence: u64,
    /// The cluster's name.
    pub(super) cluster: String,
    /// The service's ARN.
    pub(super) service: String,
    /// The service's name.
    pub(super) service_name: String,
    /// The digits of the deployment.
    pub(super) deployment: String,
    /// The task definition's ARN.
    pub(super) definition: String,
    pub(super) balancers: Vec<Balancer>,
    pub(super) tags: Tags,
    pub(super) size: (String, String),
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

#[derive(Debug)]
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
            "enableExecuteCommand": false,
            "group": format!("service:{}", task.service_name),
            "healthStatus": "UNKNOWN",
            "lastStatus": task.status.word(),
            "launchType": "FARGATE",
            "memory": task.size.1,
            "overrides": { "containerOverrides": [], "inferenceAcceleratorOverrides": [] },
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "startedBy": format!("ecs-svc/{}", task.deployment),
            "tags": if with_tags { tags::view(&task.tags) } else { Vec::new() },
            "taskArn": task.arn,
            "taskDefinitionArn": task.definition,
            "version": task.version,
            "ephemeralStorage": { "sizeInGiB": 20 },
            "fargateEphemeralStorage": { "sizeInGiB": 20 },
        });
        if let Some(map) = view.as_object_mut() {
            add_moments(task, map);
        }
        view
    }
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
