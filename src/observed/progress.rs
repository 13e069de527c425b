//! How the rollout under way comes on, over several looks.

use std::time::Duration;

use jiff::Timestamp;

use crate::observed::{LiveService, RolloutState, Targets};

/// The last time that a rollout came nearer to its end. Times are AWS's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    deployment: String,
    /// The most new tasks that have run, and new targets that have been healthy, at once: one more of either is a task
    /// that has come nearer.
    reached: u32,
    at: Timestamp,
    /// Every new task is healthy. What is left is ECS's to do.
    has_arrived: bool,
}

impl Progress {
    /// What is known of the present rollout's progress after another look; `None` while none is under way, or while ECS
    /// takes one back.
    pub fn follow(
        before: Option<Self>,
        service: &LiveService,
        targets: Option<&Targets>,
        now: Timestamp,
    ) -> Option<Self> {
        let deployments = service.deployments();
        let (primary, others) = deployments.split_first()?;
        if primary.rollout != RolloutState::InProgress || service.is_rolling_back() {
            return None;
        }
        let old: u32 = others.iter().map(|old| old.running).sum();
        // Which target is whose is not known; the old tasks are the healthy ones.
        let healthy = targets.map(|targets| targets.healthy.saturating_sub(old));
        let reached = primary.running.saturating_add(healthy.unwrap_or(0));
        let has_arrived = primary.running >= primary.desired
            && healthy.is_none_or(|healthy| healthy >= primary.desired);
        let before = before.filter(|before| before.deployment == primary.id);
        let at = match &before {
            Some(before) if has_arrived || before.has_arrived || reached > before.reached => now,
            Some(before) => before.at,
            // First seen, maybe after a restart: ECS knows when it last changed.
            None => primary.updated_at.or(primary.created_at).unwrap_or(now),
        };
        Some(Self {
            deployment: primary.id.clone(),
            reached: before.map_or(reached, |before| before.reached.max(reached)),
            at,
            has_arrived,
        })
    }

    /// When the rollout counts as failed, unless one more new task becomes healthy; `None` once all of them are.
    pub fn deadline(&self, timeout: Duration) -> Option<Timestamp> {
        let deadline = self.at.checked_add(timeout).ok();
        deadline.filter(|_| !self.has_arrived)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// A rollout of two tasks that began at 100, while two old ones run.
    fn rollout(running: u32) -> LiveService {
        let service = json!({"deployments": [
            {"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "IN_PROGRESS", "desiredCount": 2,
                "runningCount": running, "createdAt": 100, "updatedAt": 100},
            {"id": "ecs-svc/1", "status": "ACTIVE", "rolloutState": "COMPLETED", "desiredCount": 2, "runningCount": 2},
        ]});
        LiveService(service.as_object().unwrap().clone())
    }

    fn targets(healthy: u32) -> Targets {
        Targets {
            healthy,
            total: healthy,
            ..Targets::default()
        }
    }

    fn deadlines(looks: &[(i64, u32, u32)]) -> Vec<Option<i64>> {
        let mut progress = None;
        let mut deadlines = Vec::new();
        for (now, running, healthy) in looks {
            let (service, targets) = (rollout(*running), targets(*healthy));
            progress = Progress::follow(progress, &service, Some(&targets), at(*now));
            let deadline = progress.as_ref().and_then(|p| p.deadline(TIMEOUT));
            deadlines.push(deadline.map(Timestamp::as_second));
        }
        deadlines
    }

    #[test]
    fn one_more_healthy_task_restarts_the_clock_and_a_crash_loop_does_not() {
        let looks = [
            (110, 0, 2),
            (120, 1, 2),
            (130, 0, 2),
            (140, 1, 2),
            (150, 2, 2),
        ];
        assert_eq!(
            deadlines(&looks),
            [Some(160), Some(180), Some(180), Some(180), Some(210)]
        );
    }

    #[test]
    fn old_tasks_that_go_are_no_progress() {
        assert_eq!(deadlines(&[(110, 1, 2), (120, 1, 2)]), [Some(160); 2]);
    }

    #[test]
    fn there_is_no_deadline_once_all_are_healthy_and_a_whole_one_when_one_falls_ill() {
        assert_eq!(
            deadlines(&[(110, 2, 4), (900, 2, 4), (910, 2, 1)]),
            [None, None, Some(970)]
        );
    }

    #[test]
    fn a_rollback_has_no_deadline_of_ours() {
        let mut service = rollout(1);
        let reason =
            json!("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.");
        service.0["deployments"][0]["rolloutStateReason"] = reason;
        assert_eq!(Progress::follow(None, &service, None, at(500)), None);
    }
}
