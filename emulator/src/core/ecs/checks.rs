//! Health checks of a task's containers: when each is made, and what follows from it.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    health_check::Health,
    task::{Launch, Task},
};
use crate::core::{
    Check, Cloud, Effect,
    time::{Timer, later},
};

impl Task {
    /// As its essential containers' checks say. Source:
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html>
    pub(super) fn health(&self) -> Health {
        let essential = self.containers.iter().filter(|it| it.essential);
        let checks = essential.filter_map(|it| it.check.as_ref());
        checks
            .map(|check| check.health)
            .min()
            .unwrap_or(Health::Unknown)
    }

    /// Whether its health depends on its containers' checks.
    pub(super) fn is_checked(&self) -> bool {
        let mut containers = self.containers.iter();
        containers.any(|it| it.essential && it.check.is_some())
    }
}

impl Cloud {
    /// The containers have just started; the first check comes an interval later.
    pub(super) fn begin_container_checks(&mut self, task: &Task, now: Timestamp) {
        for container in &task.containers {
            if let Some(check) = &container.check {
                let timer = Timer::Check(task.arn.clone(), container.name.clone());
                self.timers.set(later(now, check.interval), timer);
            }
        }
    }

    /// A check has fallen due.
    pub(crate) fn step_check(&mut self, arn: &str, name: &str) {
        let Some(task) = self.ecs.tasks.get_mut(arn) else {
            return;
        };
        if task.is_leaving() || task.launch != Launch::Started {
            return;
        }
        let container = task.containers.iter_mut().find(|it| it.name == name);
        let Some(container) = container.filter(|it| !it.ended) else {
            return;
        };
        let Some(check) = container.check.as_mut().filter(|it| !it.running) else {
            return;
        };
        check.running = true;
        self.effects.push(Effect::Check(Check {
            task: arn.to_owned(),
            container: name.to_owned(),
            command: check.command.clone(),
            timeout: check.timeout,
        }));
    }

    /// A check has ended.
    pub(crate) fn check_finished(&mut self, arn: &str, name: &str, passed: bool, now: Timestamp) {
        let Some(task) = self.ecs.tasks.get_mut(arn) else {
            return;
        };
        let before = task.health();
        let container = task.containers.iter_mut().find(|it| it.name == name);
        let Some(container) = container.filter(|it| !it.ended) else {
            return;
        };
        let started = container.started.unwrap_or(now);
        let Some(check) = container.check.as_mut().filter(|it| it.running) else {
            return;
        };
        let was = check.health;
        let age = Duration::try_from(now.duration_since(started)).unwrap_or_default();
        check.note(passed, age);
        let (is, next) = (check.health, later(now, check.interval));
        let timer = Timer::Check(arn.to_owned(), name.to_owned());
        self.timers.set(next, timer);
        if is != was {
            task.version += 1;
        }
        if task.health() != before
            && let Some(service) = task.service().map(str::to_owned)
        {
            self.wake_service(&service, now);
        }
    }
}
