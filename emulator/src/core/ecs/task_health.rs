//! How a service's tasks do, as its scheduler sees them.

use jiff::Timestamp;

use super::{
    health_check::Health,
    scheduler::Phase,
    service::Service,
    task::{Status, Task},
};
use crate::core::{
    Cloud,
    elb::State,
    time::{self, later},
};

impl Cloud {
    /// A task's first health counts for its deployment; the first sign of ill health is said.
    pub(super) fn note_healthy(&mut self, service: &mut Service, now: Timestamp) {
        let tasks: Vec<String> = self
            .ecs
            .tasks_of(&service.arn)
            .map(|t| t.arn.clone())
            .collect();
        for arn in tasks {
            let Some(task) = self.ecs.tasks.get(&arn) else {
                continue;
            };
            let phase = self.phase(service, task, now);
            let (id, deployment, said) = (
                task.id.clone(),
                task.deployment().map(str::to_owned),
                task.said_unhealthy,
            );
            let ill = self.ill_target(task);
            if let (Some(Phase::Running), Some(started)) = (phase, task.started) {
                // By then time alone will have changed how it counts.
                let turns = if task.targets.is_empty() && !task.is_checked() {
                    self.pace.after(started, time::UNCHECKED)
                } else {
                    later(started, service.settings.grace)
                };
                if turns > now {
                    self.wake_service(&service.arn, turns);
                }
            }
            let Some(task) = self.ecs.tasks.get_mut(&arn) else {
                continue;
            };
            if phase == Some(Phase::Healthy) {
                task.said_unhealthy = false;
                if !task.was_healthy {
                    task.was_healthy = true;
                    service.count_success(deployment.as_deref().unwrap_or_default());
                }
            }
            if phase == Some(Phase::Unhealthy) && !said {
                task.said_unhealthy = true;
                let message = match ill {
                    Some((group, port, cause)) => format!(
                        ") (task {id}) (port {port}) is unhealthy in (target-group {group}) due to (reason {cause})."
                    ),
                    None => format!(") (task {id}) failed container health checks."),
                };
                service.say(&mut self.ids, now, &message);
            }
        }
    }

    /// ECS registers a running task's target again when it was deregistered by hand. Source:
    /// <https://github.com/aws/containers-roadmap/issues/251>
    pub(super) fn register_again(&mut self, service: &Service, now: Timestamp) {
        let lost: Vec<_> = self
            .ecs
            .tasks_of(&service.arn)
            .filter(|task| task.status == Status::Running && !task.is_leaving())
            .flat_map(|task| task.targets.iter().cloned())
            .filter(|(group, target)| {
                matches!(self.elb.state(group, *target), None | Some(State::Draining))
            })
            .collect();
        for (group, target) in lost {
            self.register_target(&group, target, now);
        }
    }

    /// How a task counts; `None` when it counts no more.
    pub(super) fn phase(&self, service: &Service, task: &Task, now: Timestamp) -> Option<Phase> {
        if matches!(task.status, Status::Deprovisioning | Status::Stopped) {
            return None;
        }
        if task.is_leaving() {
            return Some(Phase::Stopping);
        }
        let (Status::Running, Some(started)) = (task.status, task.started) else {
            return Some(Phase::Starting);
        };
        let in_grace = now < later(started, service.settings.grace);
        if task.health() == Health::Unhealthy && !in_grace {
            return Some(Phase::Unhealthy);
        }
        if task.targets.is_empty() && !task.is_checked() {
            let healthy = self.pace.after(started, time::UNCHECKED) <= now;
            return Some(if healthy {
                Phase::Healthy
            } else {
                Phase::Running
            });
        }
        let state = |(group, target): &(String, _)| self.elb.state(group, *target);
        let passes = !task.is_checked() || task.health() == Health::Healthy;
        let mut targets = task.targets.iter();
        if passes && targets.all(|target| state(target) == Some(State::Healthy)) {
            return Some(Phase::Healthy);
        }
        let ill = self.ill_target(task).is_some() && !in_grace;
        Some(if ill {
            Phase::Unhealthy
        } else {
            Phase::Running
        })
    }

    /// The first of a task's targets that fails its checks: group, port, cause.
    pub(super) fn ill_target(&self, task: &Task) -> Option<(String, u16, String)> {
        task.targets
            .iter()
            .find_map(|(group, target)| match self.elb.state(group, *target)? {
                State::Unhealthy(cause) => Some((group.clone(), target.port, cause.text())),
                State::Unused
                | State::Registering
                | State::Checking
                | State::Healthy
                | State::Draining => None,
            })
    }
}
