//! Tasks that follow scripts, in place of the emulator's processes: effects of the core in, events out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use emulator::core::{Effect, Event, ProbeResult, TaskLaunch};
use jiff::Timestamp;

/// From a probe to its answer.
const ANSWERS: Duration = Duration::from_millis(10);
/// From SIGTERM to the end of a process.
const ENDS: Duration = Duration::from_millis(500);

/// What the tasks of an image do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Starts after this long; then does as it is told to.
    Starts(Duration, Then),
    /// Its process cannot be started.
    NeverStarts,
}

/// What a task does once it has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Works.
    Works,
    /// Works for this long, then answers health checks with an error.
    Sickens(Duration),
    /// Works for this long, then its process ends by itself.
    Crashes(Duration),
}

impl Script {
    /// Works within a moment.
    pub const GOOD: Self = Self::Starts(Duration::from_millis(200), Then::Works);
    /// Crashes within a moment.
    pub const CRASHES: Self = Self::Starts(
        Duration::from_millis(200),
        Then::Crashes(Duration::from_millis(300)),
    );
    /// Runs, and is never healthy.
    pub const UNHEALTHY: Self =
        Self::Starts(Duration::from_millis(200), Then::Sickens(Duration::ZERO));
}

/// Every task that has been started, and what it will do next.
#[derive(Debug, Default)]
pub struct Tasks {
    /// By the executable that an image names.
    scripts: BTreeMap<String, Script>,
    running: BTreeMap<String, Running>,
    by_address: BTreeMap<Ipv4Addr, String>,
    /// Groups, such as `service:api`, whose health checks fail, whatever the script says.
    ill: BTreeSet<String>,
    coming: BTreeMap<(Timestamp, u64), Event>,
    sequence: u64,
}

#[derive(Debug)]
struct Running {
    launch: TaskLaunch,
    /// From when on health checks fail.
    sick_from: Option<Timestamp>,
    /// The containers whose processes run.
    up: BTreeSet<String>,
}

impl Tasks {
    /// The executable of an image whose tasks follow this script: what its manifest is to name.
    pub fn executable(&mut self, script: Script) -> String {
        let name = format!("sha256:{:064x}", self.scripts.len() + 1);
        self.scripts.insert(name.clone(), script);
        name
    }

    /// From now on what is started of an image follows another script.
    pub fn reform(&mut self, executable: &str, script: Script) {
        self.scripts.insert(executable.to_owned(), script);
    }

    /// From now on the health checks of a service fail, or no longer.
    pub fn set_ill(&mut self, service: &str, is_ill: bool) {
        let group = format!("service:{service}");
        if is_ill {
            self.ill.insert(group);
        } else {
            self.ill.remove(&group);
        }
    }

    /// Ends every process of a service's tasks at once.
    pub fn kill(&mut self, service: &str, now: Timestamp) {
        let group = format!("service:{service}");
        let of_service = self
            .running
            .iter()
            .filter(|(_, it)| it.launch.group == group);
        let tasks: Vec<_> = of_service.map(|(task, _)| task.clone()).collect();
        for task in tasks {
            self.end(&task, 137, now);
        }
    }

    /// When something happens next.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.coming.first_key_value().map(|((at, _), _)| *at)
    }

    /// What happens next, and when.
    pub fn pop(&mut self) -> Option<(Timestamp, Event)> {
        loop {
            let ((at, _), event) = self.coming.pop_first()?;
            // A process ends once, by a crash or by a stop, whichever comes first.
            if let Event::ContainerExited {
                task, container, ..
            } = &event
                && !self.has_ended(task, container)
            {
                continue;
            }
            return Some((at, event));
        }
    }

    fn has_ended(&mut self, task: &str, container: &str) -> bool {
        let Some(running) = self.running.get_mut(task) else {
            return false;
        };
        let has_run = running.up.remove(container);
        if running.up.is_empty() {
            self.by_address.remove(&running.launch.address);
            self.running.remove(task);
        }
        has_run
    }

    /// Carries out what the core asks for.
    pub fn carry_out(&mut self, effects: Vec<Effect>, now: Timestamp) {
        for effect in effects {
            match effect {
                Effect::StartTask(launch) => self.start(launch, now),
                Effect::StopTask { task } => self.end(&task, 143, now + ENDS),
                Effect::Probe(probe) => {
                    let result = match self.is_healthy(probe.address, now) {
                        Some(true) => ProbeResult::Status(200),
                        Some(false) => ProbeResult::Status(503),
                        None => ProbeResult::Failed,
                    };
                    let id = probe.id;
                    self.later(now + ANSWERS, Event::ProbeFinished { id, result });
                }
                Effect::Check(check) => {
                    let running = self.running.get(&check.task);
                    let address = running.map(|running| running.launch.address);
                    let passed = address.and_then(|address| self.is_healthy(address, now));
                    let event = Event::CheckFinished {
                        task: check.task,
                        container: check.container,
                        passed: passed.unwrap_or_default(),
                    };
                    self.later(now + ANSWERS, event);
                }
                // Nobody makes requests here.
                Effect::Routes(_) => {}
            }
        }
    }

    fn start(&mut self, launch: TaskLaunch, now: Timestamp) {
        let task = launch.task.clone();
        let executable = launch
            .containers
            .first()
            .map(|first| &first.image.executable);
        let script = executable.and_then(|executable| self.scripts.get(executable));
        let Some(&Script::Starts(after, then)) = script else {
            let reason = "CannotStartContainerError: exec format error".to_owned();
            self.later(now + ANSWERS, Event::TaskFailedToStart { task, reason });
            return;
        };
        let started = now + after;
        self.by_address.insert(launch.address, task.clone());
        let log = launch
            .containers
            .first()
            .and_then(|first| first.log.clone());
        let names = launch.containers.iter();
        let running = Running {
            up: names.map(|container| container.name.clone()).collect(),
            launch,
            sick_from: match then {
                Then::Sickens(after) => Some(started + after),
                Then::Works | Then::Crashes(_) => None,
            },
        };
        self.running.insert(task.clone(), running);
        let event = Event::TaskStarted { task: task.clone() };
        self.later(started, event);
        if let Some(log) = log {
            let lines = vec![(started, "started".to_owned())];
            self.later(started, Event::Output { log, lines });
        }
        if let Then::Crashes(after) = then {
            self.end(&task, 1, started + after);
        }
    }

    fn end(&mut self, task: &str, exit_code: i32, at: Timestamp) {
        let running = self.running.get(task);
        let up: Vec<_> = running.into_iter().flat_map(|it| it.up.clone()).collect();
        for container in up {
            let task = task.to_owned();
            let event = Event::ContainerExited {
                task,
                container,
                exit_code,
            };
            self.later(at, event);
        }
    }

    /// `None` when nobody is there.
    fn is_healthy(&self, address: Ipv4Addr, now: Timestamp) -> Option<bool> {
        let running = self.running.get(self.by_address.get(&address)?)?;
        let is_sick = running.sick_from.is_some_and(|from| from <= now);
        Some(!is_sick && !self.ill.contains(&running.launch.group))
    }

    fn later(&mut self, at: Timestamp, event: Event) {
        self.sequence += 1;
        self.coming.insert((at, self.sequence), event);
    }
}
