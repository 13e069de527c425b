//! One look at a service: what the scheduler decides is carried out, and what has come true is said.

use jiff::Timestamp;

use super::{
    deployment::{DeploymentStatus, Rollout},
    scheduler::{Member, Phase, Side, Situation, decide},
    service::{Life, Service},
    task::{Status, Task},
};
use crate::core::{
    Cloud,
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
        let mut roll_back = false;
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
                DeploymentStatus::RollbackRequested => roll_back = true,
                DeploymentStatus::InProgress
                | DeploymentStatus::Stopped
                | DeploymentStatus::Successful
                | DeploymentStatus::RollbackInProgress
                | DeploymentStatus::RollbackSuccessful
                | DeploymentStatus::RollbackFailed => {}
            }
        }
        if roll_back {
            service.roll_back_as_asked(&mut self.ids, now);
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
                    .position(|d| task.deployment() == Some(&d.id))?,
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
                ecs.tasks_of(&service.arn).any(|task| {
                    task.deployment() == Some(&deployment.id) && task.status != Status::Stopped
                })
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
            .filter_map(|task| {
                Some((
                    task.deployment() == Some(&id),
                    self.phase(service, task, now)?,
                ))
            })
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
            .any(|task| task.deployment() != Some(&id) && task.status != Status::Stopped);
        let there = usize::try_from(service.desired).is_ok_and(|desired| healthy == desired)
            && !others
            && !unsettled;
        match rollout {
            Rollout::Failed => {}
            Rollout::InProgress if service.is_asked_back() => {}
            Rollout::InProgress if there && !old_leaving => {
                let earliest = self.pace.after(begun, time::SHORTEST_DEPLOYMENT);
                if now < earliest {
                    self.wake_service(&service.arn, earliest);
                } else {
                    self.complete(service, now);
                }
            }
            Rollout::Completed if there && !self.is_said(service.steady, now) => {
                self.say_steady(service, now);
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
        self.say_steady(service, now);
    }

    /// Whether something said at that time need not be said again yet.
    fn is_said(&self, at: Option<Timestamp>, now: Timestamp) -> bool {
        at.is_some_and(|at| now < self.pace.after(at, time::REPEAT))
    }

    fn say_steady(&mut self, service: &mut Service, now: Timestamp) {
        service.steady = Some(now);
        service.complaints.clear();
        service.say(&mut self.ids, now, ") has reached a steady state.");
        let again = self.pace.after(now, time::REPEAT);
        self.wake_service(&service.arn, again);
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
