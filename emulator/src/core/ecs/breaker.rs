//! The deployment circuit breaker.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>

use jiff::Timestamp;

use super::{
    deployment::{DeploymentStatus, Rollout},
    rollback::Cause,
    service::{Breaker, Service, Threshold},
};
use crate::core::{ids::Ids, time::Pace};

const STOPPED: &str = "Service deployment failed: tasks failed to start.";

impl Breaker {
    /// How many failures trip it for this many desired tasks.
    pub(super) fn threshold(&self, desired: u32) -> u32 {
        let percent = || desired.saturating_mul(self.value).div_ceil(100);
        match self.kind {
            Threshold::BoundedPercent => percent().clamp(3, 200),
            Threshold::UnboundedPercent => percent().max(1),
            Threshold::Count => self.value,
        }
    }
}

impl Service {
    /// Counts a failed task against its deployment, unless that has failed already.
    pub(super) fn count_failure(&mut self, deployment: &str) {
        let owner = self.deployment_mut(deployment);
        if let Some(owner) = owner.filter(|owner| owner.rollout != Rollout::Failed) {
            owner.failed = owner.failed.saturating_add(1);
            let failed = owner.failed;
            self.show_failures(deployment, failed);
        }
    }

    /// A task of the deployment became healthy for the first time.
    pub(super) fn count_success(&mut self, deployment: &str) {
        if !self.settings.breaker.reset_on_healthy {
            return;
        }
        if let Some(owner) = self.deployment_mut(deployment) {
            owner.failed = 0;
            self.show_failures(deployment, 0);
        }
    }

    fn show_failures(&mut self, deployment: &str, failures: u32) {
        if let Some(running) = self.running()
            && running.deployment == deployment
        {
            running.failures = failures;
        }
    }

    /// Fails the primary deployment once its tasks have failed often enough, and goes back if it is to.
    pub(super) fn break_circuit(&mut self, ids: &mut Ids, now: Timestamp, pace: Pace) {
        if !self.is_active() || self.is_asked_back() {
            return;
        }
        let breaker = self.settings.breaker.clone();
        let threshold = breaker.threshold(self.desired);
        if let Some(running) = self.running() {
            running.threshold = threshold;
        }
        let Some(primary) = self.deployments.first_mut() else {
            return;
        };
        if !breaker.enable || primary.rollout != Rollout::InProgress || primary.failed < threshold {
            return;
        }
        primary.rollout = Rollout::Failed;
        primary.updated = now;
        "ECS deployment circuit breaker: tasks failed to start.".clone_into(&mut primary.reason);
        let id = primary.id.clone();
        let failed =
            format!(") (deployment ecs-svc/{id}) deployment failed: tasks failed to start.");
        self.say(ids, now, &failed);
        let was_rolling_back = self
            .running()
            .is_some_and(|running| running.status == DeploymentStatus::RollbackInProgress);
        if was_rolling_back {
            if let Some(running) = self.running() {
                running.finish(DeploymentStatus::RollbackFailed, now);
            }
        } else if breaker.rollback {
            if let Some(running) = self.running() {
                running.triggered = true;
            }
            self.roll_back(ids, Cause::Breaker, now);
        } else if let Some(running) = self.running() {
            running.triggered = true;
            running.stop_for(STOPPED, now, pace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(kind: Threshold, value: u32, desired: u32) -> u32 {
        let breaker = Breaker {
            enable: true,
            rollback: true,
            reset_on_healthy: true,
            kind,
            value,
        };
        breaker.threshold(desired)
    }

    #[test]
    fn thresholds_are_as_documented() {
        for (desired, expected) in [
            (0, 3),
            (1, 3),
            (6, 3),
            (7, 4),
            (25, 13),
            (400, 200),
            (999, 200),
        ] {
            assert_eq!(threshold(Threshold::BoundedPercent, 50, desired), expected);
        }
        assert_eq!(threshold(Threshold::UnboundedPercent, 50, 999), 500);
        assert_eq!(threshold(Threshold::Count, 7, 999), 7);
    }
}
