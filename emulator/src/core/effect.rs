//! What the model asks of the world, and what the world reports back. The driver carries effects out.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::elb::Route;

/// Something to be done outside the model.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Start every container of a task. Answered by [`Event::TaskStarted`] or [`Event::TaskFailedToStart`],
    /// then one [`Event::ContainerExited`] per container that was started.
    StartTask(TaskLaunch),
    /// SIGTERM to every container now, SIGKILL to what is left of each after its `stop_timeout`.
    StopTask {
        /// The task's ARN.
        task: String,
    },
    /// Make one HTTP health check. Answered by exactly one [`Event::ProbeFinished`].
    Probe(Probe),
    /// Run a container's health check. Answered by one [`Event::CheckFinished`], unless the container ends meanwhile.
    Check(Check),
    /// The balancer's whole table has changed to this. It must be in force before any later effect is carried out.
    Routes(Vec<Route>),
}

/// Everything the driver needs to start a task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskLaunch {
    /// The task's ARN.
    pub task: String,
    /// The task's address on the wire, unique among live tasks; only the driver knows what it maps to.
    pub address: Ipv4Addr,
    /// ECS's `group`, such as `service:api`, and the family: labels for the metrics discovery file.
    pub group: String,
    /// At least one.
    pub containers: Vec<ContainerLaunch>,
}

/// One container: a local process. Its `Debug` form names the environment's variables and not their values.
#[derive(Clone, PartialEq)]
pub struct ContainerLaunch {
    /// The container's name in the definition.
    pub name: String,
    /// The resolved image.
    pub image: LocalImage,
    /// Replaces the image's arguments when given.
    pub command: Option<Vec<String>>,
    /// The definition's environment with secrets resolved; it wins over the image's.
    /// `HOST`, `PORT` (first port) and `<NAME>_PORT` per named port are added by the driver and win over both.
    pub environment: BTreeMap<String, String>,
    /// The container's port mappings, in the definition's order.
    pub ports: Vec<Port>,
    /// Where its output goes; dropped when there is none.
    pub log: Option<LogTarget>,
    /// From SIGTERM to SIGKILL.
    pub stop_timeout: Duration,
}

impl fmt::Debug for ContainerLaunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.environment.keys().collect();
        f.debug_struct("ContainerLaunch")
            .field("name", &self.name)
            .field("image", &self.image)
            .field("command", &self.command)
            .field("environment", &names)
            .field("ports", &self.ports)
            .field("log", &self.log)
            .field("stop_timeout", &self.stop_timeout)
            .finish()
    }
}

/// A declared container port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The mapping's name, such as `metrics`.
    pub name: Option<String>,
    /// The port on the wire; the driver maps (address, container port) to a port on loopback.
    pub container_port: u16,
}

/// The log stream of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    /// The log group's name.
    pub group: String,
    /// The stream's name, `prefix/container/task-id`.
    pub stream: String,
}

/// The content of an image's manifest. An image is an executable on this machine; its digest in the registry is the
/// sha256 of the manifest's bytes, as in ECR. Media type: [`LocalImage::MEDIA_TYPE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalImage {
    /// Always 2, as in every image manifest.
    pub schema_version: u32,
    /// [`LocalImage::MEDIA_TYPE`].
    pub media_type: String,
    /// `sha256:<hex>` of the executable, which lies in the blob directory under `sha256/<hex>`.
    pub executable: String,
    /// Environment of the process.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Arguments of the process.
    #[serde(default)]
    pub args: Vec<String>,
}

impl LocalImage {
    /// The media type of such a manifest.
    pub const MEDIA_TYPE: &str = "application/vnd.evenkeel.local-image.v1+json";
}

/// One health check of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Echoed in the answer.
    pub id: u64,
    /// The target's address on the wire.
    pub address: Ipv4Addr,
    /// The target's port on the wire.
    pub port: u16,
    /// The path, with its query.
    pub path: String,
    /// From connecting to the response's head.
    pub timeout: Duration,
}

/// One health check of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The task's ARN.
    pub task: String,
    /// The container's name.
    pub container: String,
    /// The program and its arguments. It has the container's environment.
    pub command: Vec<String>,
    /// From its start to SIGKILL.
    pub timeout: Duration,
}

/// Something that happened outside the model.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Every container of the task runs.
    TaskStarted {
        /// The task's ARN.
        task: String,
    },
    /// A container could not be started; what had been started is stopped again.
    TaskFailedToStart {
        /// The task's ARN.
        task: String,
        /// In ECS's words, such as `CannotStartContainerError: …`.
        reason: String,
    },
    /// A container's process ended and its output was read to the end and reported before this.
    ContainerExited {
        /// The task's ARN.
        task: String,
        /// The container's name.
        container: String,
        /// The exit code; 128 + the signal's number when it was ended by one.
        exit_code: i32,
    },
    /// A target's health check ended.
    ProbeFinished {
        /// The probe's id.
        id: u64,
        /// How it ended.
        result: ProbeResult,
    },
    /// A container's health check ended.
    CheckFinished {
        /// The task's ARN.
        task: String,
        /// The container's name.
        container: String,
        /// It ended in time, with exit code 0.
        passed: bool,
    },
    /// Lines of a container's output.
    Output {
        /// Where they go.
        log: LogTarget,
        /// When each was read, and its text without the line end, in order.
        lines: Vec<(Timestamp, String)>,
    },
}

/// How a health check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeResult {
    /// A response with this status.
    Status(u16),
    /// No response in time.
    TimedOut,
    /// The connection was refused or broke.
    Failed,
}
