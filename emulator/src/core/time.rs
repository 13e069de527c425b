//! When things happen: AWS's own delays, and the queue of what is due.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::elb::Target;

/// Creating a task to its network interface.
pub(crate) const ATTACH: Duration = Duration::from_secs(5);
/// Pulling an image.
pub(crate) const PULL: Duration = Duration::from_secs(12);
/// Retrying a pull until giving up; the first failure of a missing tag was seen after 2:34.
pub(crate) const PULL_RETRIES: Duration = Duration::from_secs(130);
/// Containers running to the task running.
pub(crate) const ACTIVATE: Duration = Duration::from_secs(2);
/// Containers gone to the task stopped.
pub(crate) const DEPROVISION: Duration = Duration::from_secs(10);
/// A change to the scheduler's acting on it.
pub(crate) const SCHEDULE: Duration = Duration::from_secs(2);
/// No deployment completes sooner, not even one of no tasks.
pub(crate) const SHORTEST_DEPLOYMENT: Duration = Duration::from_secs(20);
/// Running to counting as healthy, when nothing checks health. Source:
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>
pub(crate) const UNCHECKED: Duration = Duration::from_secs(40);
/// A service deployment from PENDING to IN_PROGRESS, and from STOP_REQUESTED to STOPPED.
pub(crate) const SERVICE_DEPLOYMENT: Duration = Duration::from_secs(3);
/// What a service says again only after this long, unless something has changed. Source:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages.html>
pub(crate) const REPEAT: Duration = Duration::from_secs(6 * 3600);
/// Registering a target to its first health check.
pub(crate) const REGISTER: Duration = Duration::from_millis(500);
/// A load balancer from provisioning to active.
pub(crate) const BALANCER: Duration = Duration::from_secs(60);
/// How long a stopped task can be described. Not scaled: people and tests want to read it.
pub(crate) const KEEP_STOPPED: Duration = Duration::from_secs(3600);
/// Waits after failed launches in a row; the last is AWS's documented longest. Source:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html>
pub(crate) const BACK_OFF: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_secs(240),
    Duration::from_secs(480),
    Duration::from_secs(960),
    Duration::from_secs(1620),
];

/// Divides AWS's own delays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace(f64);

impl Pace {
    /// A speed that is not a positive number counts as 1.
    pub(crate) fn new(speed: f64) -> Self {
        Self(if speed.is_finite() && speed > 0.001 {
            speed
        } else {
            1.0
        })
    }

    /// When a delay of AWS's that begins now ends.
    pub(crate) fn after(self, now: Timestamp, delay: Duration) -> Timestamp {
        later(now, delay.div_f64(self.0))
    }
}

/// `now + delay`, without overflow.
pub(crate) fn later(now: Timestamp, delay: Duration) -> Timestamp {
    now.checked_add(delay).unwrap_or(Timestamp::MAX)
}

/// ECS's and ECR's form of time: seconds with milliseconds, a JSON number.
pub(crate) fn seconds(at: Timestamp) -> Value {
    let millis = at.as_millisecond();
    #[expect(clippy::cast_precision_loss, reason = "2^53 ms are 285,000 years")]
    let seconds = millis as f64 / 1000.0;
    Value::from(seconds)
}

/// ELBv2's form of time.
pub(crate) fn iso(at: Timestamp) -> Value {
    Value::from(at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// What may fall due. A timer that has become pointless does nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A task's next step, by ARN.
    Task(String),
    /// A target's next step: its group's ARN and itself.
    Target(String, Target),
    /// A container's health check: its task's ARN and its name.
    Check(String, String),
    /// A look at a service, by ARN.
    Service(String),
    /// A look at a deleted task definition, by ARN.
    Definition(String),
}

/// What is due, in order; the same thing at the same time only once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timers(BTreeSet<(Timestamp, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, at: Timestamp, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes out the first that is due.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }
}
