//! A task's way up: its network interface, its images, its containers; and what follows when one of them fails.

use jiff::Timestamp;

use super::{
    deployment::BackOff,
    launch::StartError,
    task::{Launch, Status, Stop, StopCode, Task},
};
use crate::core::{Cloud, Effect, time};

impl Cloud {
    pub(super) fn attach(&mut self, task: &mut Task, now: Timestamp) {
        if let Some(reason) = network_error(task) {
            self.failed_to_start(task, reason, now);
            return;
        }
        task.status = Status::Pending;
        task.attached = Some(now);
        task.pull_started = Some(now);
        let mut delay = time::PULL;
        if let Err(error) = self.resolve(task, now) {
            let reason = match error {
                StartError::Pull(reason) => {
                    delay = time::PULL_RETRIES;
                    reason
                }
                StartError::Resource(reason) => reason,
            };
            task.launch = Launch::Doomed(reason);
        }
        let at = self.pace.after(now, delay);
        self.schedule(task, at);
    }

    pub(super) fn launch(&mut self, task: &mut Task, now: Timestamp) {
        task.pull_stopped = Some(now);
        if let Launch::Doomed(reason) = &task.launch {
            let reason = reason.clone();
            self.failed_to_start(task, reason, now);
            return;
        }
        match self.resolve(task, now) {
            Ok((launch, digests)) => {
                for container in &mut task.containers {
                    container.digest = digests.get(&container.name).cloned();
                }
                let service = self.ecs.owner_mut(task);
                let deployment = task.deployment().unwrap_or_default();
                if let Some(revision) = service.and_then(|s| s.revision_mut(deployment)) {
                    revision.digests = digests;
                }
                task.launch = Launch::Asked;
                self.effects.push(Effect::StartTask(launch));
            }
            Err(StartError::Pull(reason) | StartError::Resource(reason)) => {
                self.failed_to_start(task, reason, now);
            }
        }
    }

    /// What follows for the service from a task that runs.
    pub(super) fn note_running(&mut self, task: &Task, now: Timestamp) {
        if let Some(service) = self.ecs.owner_mut(task) {
            service.back_off = BackOff::default();
            service.complaints.clear();
        }
        self.wake_owner(task, now);
    }

    pub(super) fn failed_to_start(&mut self, task: &mut Task, reason: String, now: Timestamp) {
        let pace = self.pace;
        if let Some(service) = self.ecs.owner_mut(task)
            && !task.is_leaving()
        {
            let message = format!(") was unable to place a task. Reason: {reason}.");
            service.complain(&mut self.ids, now, pace, &message);
            if service.back_off.note(task.created, now, pace) {
                let message = ") is unable to consistently start tasks successfully.";
                service.complain(&mut self.ids, now, pace, message);
            }
            service.count_failure(task.deployment().unwrap_or_default());
            service.break_circuit(&mut self.ids, now, pace);
        }
        task.stop.get_or_insert(Stop {
            code: StopCode::FailedToStart,
            reason,
        });
        for container in &mut task.containers {
            container.ended = true;
        }
        self.deprovision(task, now);
    }
}

/// Why a task gets no network interface. There is no EC2 here that could tell which ids exist; what is called
/// `sg-deleted…` or `subnet-deleted…` does not. Source of the first words:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>
fn network_error(task: &Task) -> Option<String> {
    let network = task.network.get("awsvpcConfiguration")?;
    let mut groups = network.get("securityGroups")?.as_array()?.iter();
    let code = if task.subnet.starts_with("subnet-deleted") {
        "InvalidSubnetID.NotFound"
    } else if groups.any(|group| {
        group
            .as_str()
            .is_some_and(|id| id.starts_with("sg-deleted"))
    }) {
        "InvalidGroup.NotFound"
    } else {
        return None;
    };
    let public = match network.get("assignPublicIp")?.as_str()? {
        "ENABLED" => " with public IP assignment enabled",
        _ => "",
    };
    Some(format!(
        "Unexpected EC2 error while attempting to Create Network Interface{public} in subnet '{}': {code}",
        task.subnet
    ))
}
