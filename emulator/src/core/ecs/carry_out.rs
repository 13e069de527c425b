//! The scheduler's decision, carried out and said in ECS's words.

use jiff::Timestamp;

use super::{
    scheduler::Decision,
    service::Service,
    task::{Status, StopCode},
};
use crate::core::Cloud;

impl Cloud {
    pub(super) fn carry_out(&mut self, service: &mut Service, decision: &Decision, now: Timestamp) {
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
        service.steady = None;
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
            let (id, deployment) = (task.id.clone(), task.deployment().map(str::to_owned));
            let reason = match group {
                Some(group) => format!("Task failed ELB health checks in (target-group {group})"),
                None => "Task failed container health checks".to_owned(),
            };
            service.count_failure(deployment.as_deref().unwrap_or_default());
            service.steady = None;
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
            service.steady = None;
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
            service.say_draining(&mut self.ids, group, *count, now);
        }
    }
}

/// `(task ID) (task ID)`.
fn tasks_text(ids: &[String]) -> String {
    let each: Vec<String> = ids.iter().map(|id| format!("(task {id})")).collect();
    each.join(" ")
}
