//! A task's way from PROVISIONING to STOPPED.
//!
//! Whatever takes a task out of service deregisters its targets first, and the balancer knows before the containers
//! are told to stop.

use jiff::Timestamp;

use super::task::{Launch, Status, Stop, StopCode, Task};
use crate::core::{
    Cloud, Effect,
    elb::{State, Target},
    time::{self, Timer, later},
};

/// Stopped tasks kept in all.
const STOPPED: usize = 2_000;

impl Cloud {
    /// The step that a task takes by itself.
    pub(crate) fn step_task(&mut self, arn: &str, now: Timestamp) {
        // Taken out for the time of the step, so that it can change along with the rest.
        let Some(mut task) = self.ecs.tasks.remove(arn) else {
            return;
        };
        let mut keep = true;
        if task.due.is_some_and(|due| due <= now) {
            task.due = None;
            task.version += 1;
            match task.status {
                Status::Provisioning => self.attach(&mut task, now),
                Status::Pending => self.launch(&mut task, now),
                Status::Activating => {
                    task.status = Status::Running;
                    task.started = Some(now);
                    self.note_running(&task, now);
                }
                Status::Deprovisioning => self.stopped(&mut task, now),
                Status::Stopped => keep = false,
                Status::Running | Status::Deactivating | Status::Stopping => {}
            }
        }
        if keep {
            self.ecs.tasks.insert(arn.to_owned(), task);
        }
    }

    pub(super) fn schedule(&mut self, task: &mut Task, at: Timestamp) {
        task.due = Some(at);
        self.timers.set(at, Timer::Task(task.arn.clone()));
    }

    pub(super) fn deprovision(&mut self, task: &mut Task, now: Timestamp) {
        task.status = Status::Deprovisioning;
        task.stopping.get_or_insert(now);
        task.execution_stopped = Some(now);
        task.version += 1;
        let at = self.pace.after(now, time::DEPROVISION);
        self.schedule(task, at);
        let look = self.pace.after(now, time::SCHEDULE);
        self.wake_owner(task, look);
    }

    fn stopped(&mut self, task: &mut Task, now: Timestamp) {
        task.status = Status::Stopped;
        task.stopped = Some(now);
        self.ecs.addresses.give_back(task.address);
        self.wake_owner(task, now);
        self.schedule(task, later(now, time::KEEP_STOPPED));
        self.forget_oldest_stopped();
    }

    fn forget_oldest_stopped(&mut self) {
        let stopped = || {
            self.ecs
                .tasks
                .values()
                .filter(|task| task.stopped.is_some())
        };
        if stopped().count() >= STOPPED {
            let oldest = stopped().min_by_key(|task| task.stopped);
            if let Some(arn) = oldest.map(|task| task.arn.clone()) {
                self.ecs.tasks.remove(&arn);
            }
        }
    }

    /// The driver has started every container.
    pub(crate) fn task_started(&mut self, arn: &str, now: Timestamp) {
        let Some(mut task) = self.ecs.tasks.remove(arn) else {
            return;
        };
        // A report that comes after its containers' ends says nothing new.
        if task.launch == Launch::Asked && task.status < Status::Deprovisioning {
            task.launch = Launch::Started;
            task.version += 1;
            for container in &mut task.containers {
                container.started = Some(now);
                container.runtime = Some(format!("{}-{}", task.id, self.ids.hex(10)));
            }
            if task.is_leaving() {
                self.terminate(&mut task);
            } else {
                task.status = Status::Activating;
                self.begin_container_checks(&task, now);
                self.register(&mut task, now);
                let at = self.pace.after(now, time::ACTIVATE);
                self.schedule(&mut task, at);
            }
        }
        self.ecs.tasks.insert(arn.to_owned(), task);
    }

    fn register(&mut self, task: &mut Task, now: Timestamp) {
        for balancer in task.balancers.clone() {
            let target = Target {
                address: task.address,
                port: balancer.port,
            };
            self.register_target(&balancer.group, target, now);
            if let Some(service) = self.ecs.owner_mut(task) {
                let message = format!(
                    ") registered 1 targets in (target-group {})",
                    balancer.group
                );
                service.say(&mut self.ids, now, &message);
            }
            task.targets.push((balancer.group, target));
        }
    }

    /// The driver could not start the containers.
    pub(crate) fn task_failed_to_start(&mut self, arn: &str, reason: String, now: Timestamp) {
        let Some(mut task) = self.ecs.tasks.remove(arn) else {
            return;
        };
        if task.launch == Launch::Asked && task.status < Status::Deprovisioning {
            self.failed_to_start(&mut task, reason, now);
        }
        self.ecs.tasks.insert(arn.to_owned(), task);
    }

    /// A container's process has ended.
    pub(crate) fn container_exited(
        &mut self,
        arn: &str,
        name: &str,
        exit_code: i32,
        now: Timestamp,
    ) {
        let Some(mut task) = self.ecs.tasks.remove(arn) else {
            return;
        };
        let container = task.containers.iter_mut().find(|c| c.name == name);
        if let Some(container) = container.filter(|container| !container.ended) {
            container.ended = true;
            container.exit_code = Some(exit_code);
            let essential = container.essential;
            task.version += 1;
            if essential && !task.is_leaving() {
                self.essential_exited(&mut task, now);
            }
            if task.containers.iter().all(|container| container.ended)
                && task.status < Status::Deprovisioning
            {
                if !task.is_leaving() {
                    self.essential_exited(&mut task, now);
                }
                self.deprovision(&mut task, now);
            }
        }
        self.ecs.tasks.insert(arn.to_owned(), task);
    }

    fn essential_exited(&mut self, task: &mut Task, now: Timestamp) {
        task.stop = Some(Stop {
            code: StopCode::EssentialContainerExited,
            reason: "Essential container in task exited".to_owned(),
        });
        task.stopping = Some(now);
        task.due = None;
        if !task.was_healthy
            && let Some(service) = self.ecs.owner_mut(task)
        {
            service.count_failure(task.deployment().unwrap_or_default());
            service.break_circuit(&mut self.ids, now, self.pace);
        }
        self.deregister(task, now);
        if task.containers.iter().any(|container| !container.ended) {
            self.terminate(task);
        }
        let look = self.pace.after(now, time::SCHEDULE);
        self.wake_owner(task, look);
    }

    /// Tells a task to stop: out of rotation first, then drained, then stopped.
    pub(super) fn leave(&mut self, arn: &str, code: StopCode, reason: String, now: Timestamp) {
        let Some(mut task) = self.ecs.tasks.remove(arn) else {
            return;
        };
        if !task.is_leaving() {
            task.stop = Some(Stop { code, reason });
            task.stopping = Some(now);
            task.version += 1;
            match (&task.launch, task.status) {
                (_, Status::Activating | Status::Running) => {
                    task.due = None;
                    self.deregister(&task, now);
                    if self.is_draining(&task) {
                        task.status = Status::Deactivating;
                    } else {
                        self.terminate(&mut task);
                    }
                }
                (Launch::Waiting | Launch::Doomed(_), _) => {
                    for container in &mut task.containers {
                        container.ended = true;
                    }
                    self.deprovision(&mut task, now);
                }
                // Told to start just now; what has been started is stopped when the driver says so.
                (Launch::Asked | Launch::Started, _) => {}
            }
            let look = self.pace.after(now, time::SCHEDULE);
            self.wake_owner(&task, look);
        }
        self.ecs.tasks.insert(arn.to_owned(), task);
    }

    fn deregister(&mut self, task: &Task, now: Timestamp) {
        for (group, target) in &task.targets {
            let left = matches!(self.elb.state(group, *target), None | Some(State::Draining));
            self.deregister_target(group, *target, now);
            // The scheduler holds its service itself, and says this for all the tasks of one step together.
            if !left && let Some(service) = self.ecs.owner_mut(task) {
                service.say_draining(&mut self.ids, group, 1, now);
            }
        }
    }

    fn is_draining(&self, task: &Task) -> bool {
        let mut states = task
            .targets
            .iter()
            .map(|(group, target)| self.elb.state(group, *target));
        states.any(|state| state == Some(State::Draining))
    }

    fn terminate(&mut self, task: &mut Task) {
        task.status = Status::Stopping;
        task.version += 1;
        self.effects.push(Effect::StopTask {
            task: task.arn.clone(),
        });
    }

    /// A target has drained; the task that waited for it goes on.
    pub(crate) fn target_gone(&mut self, target: Target, now: Timestamp) {
        let waiting: Vec<String> = self
            .ecs
            .tasks
            .values()
            .filter(|task| task.status == Status::Deactivating && task.address == target.address)
            .filter(|task| !self.is_draining(task))
            .map(|task| task.arn.clone())
            .collect();
        for arn in waiting {
            if let Some(mut task) = self.ecs.tasks.remove(&arn) {
                self.terminate(&mut task);
                self.ecs.tasks.insert(arn, task);
            }
        }
        self.target_changed(target, now);
    }

    /// A target's health has changed; its service wants to know.
    pub(crate) fn target_changed(&mut self, target: Target, now: Timestamp) {
        let owner = self
            .ecs
            .tasks
            .values()
            .find(|task| task.address == target.address && task.status != Status::Stopped)
            .and_then(|task| task.service().map(str::to_owned));
        if let Some(service) = owner {
            self.wake_service(&service, now);
        }
    }
}
