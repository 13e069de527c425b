//! A world in virtual time: it answers the model's effects with events after fixed delays.
//!
//! An image's first argument says how its process behaves: `good`, `crashes`, `unhealthy` or `unstartable`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use emulator::core::{
    ApiError, Call, Cloud, Effect, Event, ProbeResult, Route, Service, Settings, TaskLaunch,
};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-central-1";
/// Its value is JSON, with a `password`.
pub(crate) const JSON_SECRET: &str =
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1-AbCdEf";

pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) now: Timestamp,
    events: BTreeMap<(Timestamp, u64), Event>,
    sequence: u64,
    /// Started tasks and those of their containers that run.
    pub(crate) processes: BTreeMap<String, (TaskLaunch, BTreeSet<String>)>,
    pub(crate) routes: Vec<Route>,
    /// The routes' targets must never be fewer than this.
    pub(crate) floor: usize,
    /// Every effect so far, in order.
    pub(crate) effects: Vec<(Timestamp, Effect)>,
    /// Addresses whose health checks fail although their image is good.
    pub(crate) ill: BTreeSet<Ipv4Addr>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_speed(1.0)
    }

    pub(crate) fn with_speed(speed: f64) -> Self {
        let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf";
        Self {
            cloud: Cloud::new(Settings {
                account: ACCOUNT.to_owned(),
                region: REGION.to_owned(),
                speed,
                seed: 7,
                secrets: BTreeMap::from([
                    (secret.to_owned(), "hunter2".to_owned()),
                    (
                        JSON_SECRET.to_owned(),
                        json!({ "password": "hunter2?" }).to_string(),
                    ),
                ]),
            }),
            now: "2026-10-01T12:00:00Z".parse().unwrap(),
            events: BTreeMap::new(),
            sequence: 0,
            processes: BTreeMap::new(),
            routes: Vec::new(),
            floor: 0,
            effects: Vec::new(),
            ill: BTreeSet::new(),
        }
    }

    /// A call that may fail.
    pub(crate) fn call(
        &mut self,
        service: Service,
        operation: &str,
        input: Value,
    ) -> Result<Value, ApiError> {
        let call = Call {
            service,
            operation: operation.to_owned(),
            input,
            caller: "AKIATEST".to_owned(),
        };
        let (reply, effects) = self.cloud.handle(&call, self.now);
        self.carry_out(effects);
        reply
    }

    pub(crate) fn ecs(&mut self, operation: &str, input: Value) -> Value {
        self.call(Service::Ecs, operation, input).unwrap()
    }

    pub(crate) fn ecs_error(&mut self, operation: &str, input: Value) -> (String, String) {
        let error = self.call(Service::Ecs, operation, input).unwrap_err();
        (error.code.to_owned(), error.message)
    }

    pub(crate) fn elb(&mut self, operation: &str, input: Value) -> Value {
        self.call(Service::Elbv2, operation, input).unwrap()
    }

    pub(crate) fn logs(&mut self, operation: &str, input: Value) -> Value {
        self.call(Service::Logs, operation, input).unwrap()
    }

    pub(crate) fn ecr(&mut self, operation: &str, input: Value) -> Value {
        self.call(Service::Ecr, operation, input).unwrap()
    }

    pub(crate) fn later(&mut self, delay: Duration, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + delay, self.sequence), event);
    }

    /// Lets time pass until the condition holds. Panics when it does not within the limit.
    pub(crate) fn until(
        &mut self,
        limit: Duration,
        what: &str,
        mut holds: impl FnMut(&mut Self) -> bool,
    ) {
        let end = self.now + limit;
        while !holds(self) {
            assert!(
                self.step(end),
                "{what} not within {limit:?}\n{}",
                self.story()
            );
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// The next thing that happens before the end.
    fn step(&mut self, end: Timestamp) -> bool {
        let event = self.events.keys().next().copied();
        let wake = self.cloud.next_wake();
        let next = event.map(|(at, _)| at).into_iter().chain(wake).min();
        let Some(next) = next.filter(|next| *next <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        let effects = match event {
            Some(key) if key.0 <= self.now => {
                let event = self.events.remove(&key).unwrap();
                self.cloud.on_event(event, self.now)
            }
            _ => self.cloud.tick(self.now),
        };
        self.carry_out(effects);
        true
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.effects.push((self.now, effect.clone()));
            match effect {
                Effect::StartTask(launch) => self.start(launch),
                Effect::StopTask { task } => self.stop(&task),
                Effect::Probe(probe) => {
                    let result = self.probe(probe.address);
                    let event = Event::ProbeFinished {
                        id: probe.id,
                        result,
                    };
                    self.later(Duration::from_millis(10), event);
                }
                Effect::Check(check) => {
                    let (launch, _) = &self.processes[&check.task];
                    let passed =
                        behaviour(launch) != "unhealthy" && !self.ill.contains(&launch.address);
                    let event = Event::CheckFinished {
                        task: check.task,
                        container: check.container,
                        passed,
                    };
                    self.later(Duration::from_millis(10), event);
                }
                Effect::Routes(routes) => {
                    self.routes = routes;
                    let served = self.served();
                    assert!(served >= self.floor, "{served} targets\n{}", self.story());
                }
            }
        }
    }

    /// Targets in the routes whose process runs.
    pub(crate) fn served(&self) -> usize {
        let up = |address| {
            self.processes
                .values()
                .any(|(launch, up)| launch.address == address && !up.is_empty())
        };
        let targets = self.routes.iter().flat_map(|route| &route.targets);
        targets.filter(|target| up(target.address)).count()
    }

    fn start(&mut self, launch: TaskLaunch) {
        let task = launch.task.clone();
        let behaviour = behaviour(&launch);
        let names: BTreeSet<String> = launch.containers.iter().map(|c| c.name.clone()).collect();
        let first = launch.containers[0].clone();
        if behaviour == "unstartable" {
            let reason = "CannotStartContainerError: exec format error".to_owned();
            self.later(
                Duration::from_millis(100),
                Event::TaskFailedToStart { task, reason },
            );
            return;
        }
        self.processes.insert(task.clone(), (launch, names));
        self.later(
            Duration::from_millis(200),
            Event::TaskStarted { task: task.clone() },
        );
        if let Some(log) = first.log {
            let text = format!("{behaviour} says hello");
            let lines = vec![(self.now, text)];
            self.later(Duration::from_millis(250), Event::Output { log, lines });
        }
        if behaviour == "crashes" {
            self.exit(&task, 1, Duration::from_millis(400));
        }
    }

    fn stop(&mut self, task: &str) {
        let address = self.processes[task].0.address;
        let routed = self.routes.iter().flat_map(|route| &route.targets);
        assert!(
            routed.clone().all(|target| target.address != address),
            "a task in rotation was told to stop\n{}",
            self.story()
        );
        self.exit(task, 143, Duration::from_millis(500));
    }

    /// Ends every container of a task.
    pub(crate) fn exit(&mut self, task: &str, exit_code: i32, delay: Duration) {
        let names = std::mem::take(&mut self.processes.get_mut(task).unwrap().1);
        for container in names {
            let task = task.to_owned();
            self.later(
                delay,
                Event::ContainerExited {
                    task,
                    container,
                    exit_code,
                },
            );
        }
    }

    fn probe(&self, address: Ipv4Addr) -> ProbeResult {
        let process = self
            .processes
            .values()
            .find(|(launch, up)| launch.address == address && !up.is_empty());
        match process {
            None => ProbeResult::Failed,
            Some((launch, _))
                if behaviour(launch) == "unhealthy" || self.ill.contains(&address) =>
            {
                ProbeResult::Status(503)
            }
            Some(_) => ProbeResult::Status(200),
        }
    }

    /// For a failed assertion.
    fn story(&mut self) -> String {
        let service = self.service();
        format!("at {}\n{service:#}\n{:?}", self.now, self.routes)
    }
}

fn behaviour(launch: &TaskLaunch) -> String {
    launch.containers[0].image.args[0].clone()
}
