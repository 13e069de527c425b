//! One look at a service: what the scheduler decides is carried out, and what has come true is said.

use jiff::Timestamp;

use super::{
    scheduler::{Decision, Member, Phase, Side, Situation, decide},
    service::{DeploymentStatus, Life, Rollout, Service},
    task::{Status, StopCode, Task},
};
use crate::core::{
    Cloud,
    elb::State,
    time::{self, later},
};

impl Cloud {
    /// Looks at a service. Looking twice does nothing more than looking once.
    pub(crate) fn step_service(&mut self, arn: &str, now: Timestamp) {
        // Taken out for the time of the look, so that it can change along with its tasks.
        let Some(mut service) = self.ecs.services.remove(arn) else {
            return;
        };
        self.look_at(&mut service, now);
        let gone = service.life == Life::Inactive
            && later(
                service.created.max(last_event(&service)),
                time::KEEP_STOPPED,
            ) <= now;
        if !gone {
            self.ecs.services.insert(arn.to_owned(), service);
        }
    }

    fn look_at(&mut self, service: &mut Service, now: Timestamp) {
        if service.life == Life::Inactive {
            return;
        }
        self.advance_history(service, now);
        self.note_healthy(service, now);
        self.register_again(service, now);
        service.break_circuit(&mut self.ids, now, self.pace);
        let situation = self.situation(service, now);
        let decision = decide(&situation);
        self.carry_out(service, &decision, now);
        self.drop_empty_deployments(service);
        if service.life == Life::Draining {
            self.finish_draining(service, now);
        } else {
            self.settle(service, now);
        }
    }

    /// The record follows what was asked of it a moment ago.
    fn advance_history(&mut self, service: &mut Service, now: Timestamp) {
        for record in &mut service.history {
            if record.due.is_none_or(|due| due > now) {
                if let Some(due) = record.due {
                    self.wake_service(&service.arn, due);
                }
                continue;
            }
            record.due = None;
            record.updated = now;
            match record.status {
                DeploymentStatus::Pending => {
                    record.status = DeploymentStatus::InProgress;
                    record.started = Some(now);
                }
                DeploymentStatus::StopRequested => {
                    record.stopped = Some(now);
                    record.finish(DeploymentStatus::Stopped, now);
                }
                DeploymentStatus::InProgress
                | DeploymentStatus::Stopped
                | DeploymentStatus::Successful
                | DeploymentStatus::RollbackInProgress
                | DeploymentStatus::RollbackSuccessful
                | DeploymentStatus::RollbackFailed => {}
            }
        }
    }

    /// A task's first health counts for its deployment; the first sign of ill health is said.
    fn note_healthy(&mut self, service: &mut Service, now: Timestamp) {
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
                task.deployment.clone(),
                task.said_unhealthy,
            );
            let ill = self.ill_target(task);
            let Some(task) = self.ecs.tasks.get_mut(&arn) else {
                continue;
            };
            if phase == Some(Phase::Healthy) {
                task.said_unhealthy = false;
                if !task.was_healthy {
                    task.was_healthy = true;
                    service.count_success(&deployment);
                }
            }
            if let (Some(Phase::Unhealthy), Some((group, port, cause)), false) = (phase, ill, said)
            {
                task.said_unhealthy = true;
                let message = format!(
                    ") (task {id}) (port {port}) is unhealthy in (target-group {group}) due to (reason {cause})."
                );
                service.say(&mut self.ids, now, &message);
            }
        }
    }

    /// ECS registers a running task's target again when it was deregistered by hand. Source:
    /// <https://github.com/aws/containers-roadmap/issues/251>
    fn register_again(&mut self, service: &Service, now: Timestamp) {
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

    fn situation(&mut self, service: &Service, now: Timestamp) -> Situation {
        let sides = service.deployments.iter().map(|deployment| Side {
            desired: deployment.desired,
            proven: deployment.proven,
            failed: deployment.rollout == Rollout::Failed,
        });
        let mut tasks: Vec<&Task> = self.ecs.tasks_of(&service.arn).collect();
        tasks.sort_by_key(|task| (task.created, task.sequence));
        let members = tasks.into_iter().filter_map(|task| {
            Some(Member {
                task: task.arn.clone(),
                side: service
                    .deployments
                    .iter()
                    .position(|d| d.id == task.deployment)?,
                phase: self.phase(service, task, now)?,
            })
        });
        let held = service.back_off.holds(now);
        let situation = Situation {
            desired: service.desired,
            minimum_percent: service.settings.minimum_percent,
            maximum_percent: service.settings.maximum_percent,
            sides: sides.collect(),
            tasks: members.collect(),
            may_launch: !held,
        };
        if let Some(until) = service.back_off.until.filter(|_| held) {
            self.wake_service(&service.arn, until);
        }
        situation
    }

    /// How a task counts; `None` when it counts no more.
    fn phase(&self, service: &Service, task: &Task, now: Timestamp) -> Option<Phase> {
        if matches!(task.status, Status::Deprovisioning | Status::Stopped) {
            return None;
        }
        if task.is_leaving() {
            return Some(Phase::Stopping);
        }
        let (Status::Running, Some(started)) = (task.status, task.started) else {
            return Some(Phase::Starting);
        };
        if task.targets.is_empty() {
            let healthy = self.pace.after(started, time::UNCHECKED) <= now;
            return Some(if healthy {
                Phase::Healthy
            } else {
                Phase::Running
            });
        }
        let state = |(group, target): &(String, _)| self.elb.state(group, *target);
        if task
            .targets
            .iter()
            .all(|target| state(target) == Some(State::Healthy))
        {
            return Some(Phase::Healthy);
        }
        let in_grace = now < later(started, service.settings.grace);
        let ill = self.ill_target(task).is_some() && !in_grace;
        Some(if ill {
            Phase::Unhealthy
        } else {
            Phase::Running
        })
    }

    /// The first of a task's targets that fails its checks: group, port, cause.
    fn ill_target(&self, task: &Task) -> Option<(String, u16, String)> {
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

    fn carry_out(&mut self, service: &mut Service, decision: &Decision, now: Timestamp) {
        for (deployment, desired) in service.deployments.iter_mut().zip(&decision.desired) {
            if deployment.desired != *desired {
                deployment.desired = *desired;
                deployment.updated = now;
            }
        }
        for start in &decision.starts {
            self.start_tasks(service, start.side, start.count, start.replacing, now);
        }
        self.stop_unhealthy(service, &decision.unhealthy, now);
        self.stop_surplus(service, &decision.surplus, now);
        let blocked = decision.blocked;
        if let Some(primary) = service.deployments.first_mut()
            && blocked
            && !primary.blocked
        {
            primary.blocked = true;
            let message = ") was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.";
            service.say(&mut self.ids, now, message);
        }
    }

    fn start_tasks(
        &mut self,
        service: &mut Service,
        side: usize,
        count: u32,
        replacing: u32,
        now: Timestamp,
    ) {
        let mut ids = Vec::new();
        for _ in 0..count {
            if let Some(id) = self.create_task(service, side, now) {
                ids.push(id);
            }
        }
        if ids.is_empty() {
            return;
        }
        service.steady = false;
        let why = if replacing > 0 {
            format!(" Amazon ECS replaced {replacing} tasks due to an unhealthy status.")
        } else {
            String::new()
        };
        let message = format!(
            ") has started {} tasks: {}.{why}",
            ids.len(),
            tasks_text(&ids)
        );
        service.say(&mut self.ids, now, &message);
    }

    fn stop_unhealthy(&mut self, service: &mut Service, tasks: &[String], now: Timestamp) {
        for arn in tasks {
            let Some(task) = self.ecs.tasks.get(arn) else {
                continue;
            };
            let group = self.ill_target(task).map(|(group, _, _)| group);
            let (id, deployment) = (task.id.clone(), task.deployment.clone());
            let reason = format!(
                "Task failed ELB health checks in (target-group {})",
                group.unwrap_or_default()
            );
            service.count_failure(&deployment);
            service.steady = false;
            let message = format!(") has stopped 1 running tasks: {}.", tasks_text(&[id]));
            service.say(&mut self.ids, now, &message);
            self.say_draining(service, std::slice::from_ref(arn), now);
            self.leave(arn, StopCode::ServiceScheduler, reason, now);
        }
        if !tasks.is_empty() {
            // The breaker may have had enough.
            self.wake_service(&service.arn, now);
        }
    }

    fn stop_surplus(&mut self, service: &mut Service, tasks: &[String], now: Timestamp) {
        let (mut running, mut pending) = (Vec::new(), 0);
        for arn in tasks {
            match self.ecs.tasks.get(arn) {
                Some(task) if task.status == Status::Running => running.push(task.id.clone()),
                Some(_) => pending += 1,
                None => {}
            }
        }
        if !tasks.is_empty() {
            service.steady = false;
        }
        if pending > 0 {
            let message = format!(") stopped {pending} pending tasks.");
            service.say(&mut self.ids, now, &message);
        }
        if !running.is_empty() {
            let message = format!(
                ") has stopped {} running tasks: {}.",
                running.len(),
                tasks_text(&running)
            );
            service.say(&mut self.ids, now, &message);
        }
        self.say_draining(service, tasks, now);
        let primary = service.primary().map(|primary| primary.id.clone());
        let reason = format!(
            "Scaling activity initiated by (deployment ecs-svc/{})",
            primary.unwrap_or_default()
        );
        for arn in tasks {
            self.leave(arn, StopCode::ServiceScheduler, reason.clone(), now);
        }
    }

    /// Says which targets are about to be taken out of rotation.
    fn say_draining(&mut self, service: &mut Service, tasks: &[String], now: Timestamp) {
        let mut groups: Vec<(String, u32)> = Vec::new();
        for task in tasks.iter().filter_map(|arn| self.ecs.tasks.get(arn)) {
            for (group, _) in &task.targets {
                match groups.iter_mut().find(|(known, _)| known == group) {
                    Some((_, count)) => *count += 1,
                    None => groups.push((group.clone(), 1)),
                }
            }
        }
        for (group, count) in &groups {
            let message = format!(") deregistered {count} targets in (target-group {group})");
            service.say(&mut self.ids, now, &message);
            let message = format!(") has begun draining connections on {count} tasks.");
            service.say(&mut self.ids, now, &message);
        }
    }

    /// An old deployment without tasks is forgotten, unless it is what a rollback would go back to.
    fn drop_empty_deployments(&mut self, service: &mut Service) {
        let ecs = &self.ecs;
        let mut completed_kept = false;
        let mut at = 0;
        service.deployments.retain(|deployment| {
            let first = at == 0;
            at += 1;
            let newest_completed = deployment.rollout == Rollout::Completed
                && !std::mem::replace(&mut completed_kept, true);
            let has_tasks = || {
                ecs.tasks_of(&service.arn)
                    .any(|task| task.deployment == deployment.id && task.status != Status::Stopped)
            };
            first || newest_completed || has_tasks()
        });
    }

    /// Completes the deployment, or says that the service is steady, once it is so.
    fn settle(&mut self, service: &mut Service, now: Timestamp) {
        let Some(primary) = service.deployments.first() else {
            return;
        };
        let (id, rollout, begun) = (primary.id.clone(), primary.rollout, primary.begun);
        let phases: Vec<(bool, Phase)> = self
            .ecs
            .tasks_of(&service.arn)
            .filter_map(|task| Some((task.deployment == id, self.phase(service, task, now)?)))
            .collect();
        let healthy = phases
            .iter()
            .filter(|phase| **phase == (true, Phase::Healthy))
            .count();
        let others = phases
            .iter()
            .any(|(own, phase)| !own && *phase != Phase::Stopping);
        let unsettled = phases
            .iter()
            .any(|(own, phase)| *own && !matches!(phase, Phase::Healthy | Phase::Stopping));
        let old_leaving = self
            .ecs
            .tasks_of(&service.arn)
            .any(|task| task.deployment != id && task.status != Status::Stopped);
        let there = usize::try_from(service.desired).is_ok_and(|desired| healthy == desired)
            && !others
            && !unsettled;
        match rollout {
            Rollout::Failed => {}
            Rollout::InProgress if there && !old_leaving => {
                let earliest = self.pace.after(begun, time::SHORTEST_DEPLOYMENT);
                if now < earliest {
                    self.wake_service(&service.arn, earliest);
                } else {
                    self.complete(service, now);
                }
            }
            Rollout::Completed if there && !service.steady => {
                service.steady = true;
                service.placement = None;
                service.say(&mut self.ids, now, ") has reached a steady state.");
            }
            Rollout::InProgress | Rollout::Completed => {}
        }
    }

    fn complete(&mut self, service: &mut Service, now: Timestamp) {
        let Some(primary) = service.deployments.first_mut() else {
            return;
        };
        let id = primary.id.clone();
        primary.rollout = Rollout::Completed;
        primary.reason = format!("ECS deployment ecs-svc/{id} completed.");
        primary.proven = true;
        primary.updated = now;
        service.deployments.truncate(1);
        service.steady = true;
        service.placement = None;
        if let Some(running) = service.running() {
            let outcome = if running.status == DeploymentStatus::RollbackInProgress {
                DeploymentStatus::RollbackSuccessful
            } else {
                DeploymentStatus::Successful
            };
            running.started.get_or_insert(now);
            running.finish(outcome, now);
        }
        let message = format!(") (deployment ecs-svc/{id}) deployment completed.");
        service.say(&mut self.ids, now, &message);
        service.say(&mut self.ids, now, ") has reached a steady state.");
    }

    fn finish_draining(&mut self, service: &mut Service, now: Timestamp) {
        let left = self
            .ecs
            .tasks_of(&service.arn)
            .any(|task| task.status != Status::Stopped);
        if !left {
            service.life = Life::Inactive;
            service.say(&mut self.ids, now, ") has reached a steady state.");
            service.deployments.clear();
            self.wake_service(&service.arn, later(now, 2 * time::KEEP_STOPPED));
        }
    }
}

fn last_event(service: &Service) -> Timestamp {
    service
        .events
        .front()
        .map_or(service.created, |event| event.at)
}

/// `(task ID) (task ID)`.
fn tasks_text(ids: &[String]) -> String {
    let each: Vec<String> = ids.iter().map(|id| format!("(task {id})")).collect();
    each.join(" ")
}
