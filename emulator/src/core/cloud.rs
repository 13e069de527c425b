//! The whole model behind one door.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

use super::{
    ApiError, Call, Effect, Event, Reply, Service,
    ecr::Ecr,
    ecs::Ecs,
    elb::Elb,
    ids::Ids,
    logs::Logs,
    s3::S3,
    time::{Pace, Timer, Timers},
};

/// What a cloud is made with.
#[derive(Clone)]
pub struct Settings {
    /// The account's twelve digits.
    pub account: String,
    /// The region's name, such as `eu-central-1`.
    pub region: String,
    /// Divides AWS's own delays. Intervals that a caller sets, such as a health check's, are exact.
    pub speed: f64,
    /// All randomness comes from here.
    pub seed: u64,
    /// Secrets by ARN.
    pub secrets: BTreeMap<String, String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("account", &self.account)
            .field("region", &self.region)
            .field("speed", &self.speed)
            .field("seed", &self.seed)
            .field("secrets", &format_args!("{} redacted", self.secrets.len()))
            .finish()
    }
}

/// One account in one region. State is in memory.
///
/// Time enters only as `now`, which must not go back. Effects are to be carried out in their order.
#[derive(Debug, Clone)]
pub struct Cloud {
    pub(super) settings: Settings,
    pub(super) pace: Pace,
    pub(super) ids: Ids,
    pub(super) timers: Timers,
    pub(super) effects: Vec<Effect>,
    /// Orders what is made in the same instant.
    pub(super) sequence: u64,
    pub(super) ecs: Ecs,
    pub(super) elb: Elb,
    pub(super) logs: Logs,
    pub(super) ecr: Ecr,
    pub(super) s3: S3,
}

impl Cloud {
    /// An empty account.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            pace: Pace::new(settings.speed),
            ids: Ids::new(settings.seed, &settings.account, &settings.region),
            settings,
            timers: Timers::default(),
            effects: Vec::new(),
            sequence: 0,
            ecs: Ecs::default(),
            elb: Elb::default(),
            logs: Logs::default(),
            ecr: Ecr::default(),
            s3: S3::default(),
        }
    }

    /// Answers one call, and says what follows from it at once. What follows later comes from [`Cloud::tick`].
    ///
    /// # Errors
    /// The reply is AWS's own error: an unknown operation, an input that is malformed or not accepted, or one that
    /// does not fit the state. A failed call has changed nothing.
    pub fn handle(
        &mut self,
        call: &Call,
        now: Timestamp,
    ) -> (Result<Reply, ApiError>, Vec<Effect>) {
        let reply = match call.service {
            Service::Ecs => self.ecs(call, now),
            Service::Elbv2 => self.elb(call, now),
            Service::Logs => self.logs(call, now),
            Service::Ecr => self.ecr(call, now),
            Service::Sts => self.sts(call),
            Service::S3 => self.s3(call, now),
        };
        (reply, self.take_effects())
    }

    /// Does what has fallen due.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Task(arn) => self.step_task(&arn, now),
                Timer::Target(group, target) => self.step_target(&group, target, now),
                Timer::Check(task, container) => self.step_check(&task, &container),
                Timer::Service(arn) => self.step_service(&arn, now),
                Timer::Definition(arn) => self.step_definition(&arn, now),
            }
        }
        self.take_effects()
    }

    /// When [`Cloud::tick`] has something to do next. It may lie in the past.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// Takes in what happened outside the model, and does what has fallen due by it.
    pub fn on_event(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        match event {
            Event::TaskStarted { task } => self.task_started(&task, now),
            Event::TaskFailedToStart { task, reason } => {
                self.task_failed_to_start(&task, reason, now);
            }
            Event::ContainerExited {
                task,
                container,
                exit_code,
            } => self.container_exited(&task, &container, exit_code, now),
            Event::CheckFinished {
                task,
                container,
                passed,
            } => self.check_finished(&task, &container, passed, now),
            Event::ProbeFinished { id, result } => self.probe_finished(id, result, now),
            Event::Output { log, lines } => self.logs.append(&log, lines, now),
        }
        self.tick(now)
    }
}

/// Whether an operation changes state; for the journal.
#[must_use]
pub fn is_write(_service: Service, operation: &str) -> bool {
    ![
        "Describe",
        "List",
        "Get",
        "Head",
        "BatchGet",
        "BatchCheck",
        "Filter",
    ]
    .iter()
    .any(|verb| operation.starts_with(verb))
}
