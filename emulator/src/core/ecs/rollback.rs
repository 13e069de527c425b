//! The way back to the last deployment that completed: after a failure, or because someone asked for it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CODE,
    deployment::{BackOff, DeploymentStatus, Rollback, Rollout},
    service::Service,
};
use crate::core::{
    ApiError, Cloud, Reply, error::fault, ids::Ids, input::Input, time::SERVICE_DEPLOYMENT,
};

/// Observed as a service deployment's `statusReason`.
const NO_CANDIDATE: &str = "No rollback candidate was found to run the rollback.";

/// Why a service goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Breaker,
    /// StopServiceDeployment.
    Asked,
}

impl Cause {
    /// The service deployment's `statusReason`; the breaker's was observed.
    fn reason(self) -> &'static str {
        match self {
            Self::Breaker => {
                "Service deployment rolled back because the circuit breaker threshold was exceeded."
            }
            Self::Asked => "Service deployment rolled back because it was stopped by a user.",
        }
    }

    /// The beginning of the `rolloutStateReason` of the deployment gone back to; the breaker's was observed.
    fn who(self) -> &'static str {
        match self {
            Self::Breaker => "ECS deployment circuit breaker:",
            Self::Asked => "ECS deployment stopped by a user:",
        }
    }
}

impl Service {
    /// The newest deployment that has completed becomes the primary again, under its old id. When there is none,
    /// the rollback fails at once and the primary stalls.
    pub(super) fn roll_back(&mut self, ids: &mut Ids, cause: Cause, now: Timestamp) {
        let target = self
            .deployments
            .iter()
            .position(|deployment| deployment.rollout == Rollout::Completed);
        let Some(at) = target else {
            if let Some(running) = self.running() {
                running.reason = Some(NO_CANDIDATE.to_owned());
                running.finish(DeploymentStatus::RollbackFailed, now);
            }
            return;
        };
        let mut target = self.deployments.remove(at);
        let id = target.id.clone();
        target.rollout = Rollout::InProgress;
        let who = cause.who();
        target.reason = format!("{who} rolling back to deploymentId ecs-svc/{id}.");
        target.failed = 0;
        target.begun = now;
        target.updated = now;
        target.blocked = false;
        self.deployments.insert(0, target);
        self.back_off = BackOff::default();
        self.complaints.clear();
        let message = format!(") rolling back to deployment ecs-svc/{id}.");
        self.say(ids, now, &message);
        if let Some(running) = self.running() {
            running.status = DeploymentStatus::RollbackInProgress;
            running.reason = Some(cause.reason().to_owned());
            running.updated = now;
            running.due = None;
            running.rollback = Some(Rollback {
                reason: cause.reason().to_owned(),
                started: now,
                to: id,
            });
        }
    }

    /// Fails the primary and goes back, as StopServiceDeployment asked a moment ago.
    pub(super) fn roll_back_as_asked(&mut self, ids: &mut Ids, now: Timestamp) {
        if let Some(primary) = self.deployments.first_mut() {
            primary.rollout = Rollout::Failed;
            primary.reason = format!(
                "ECS deployment ecs-svc/{} was stopped by a user.",
                primary.id
            );
            primary.updated = now;
        }
        self.roll_back(ids, Cause::Asked, now);
    }
}

impl Cloud {
    /// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html>
    pub(super) fn stop_service_deployment(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["serviceDeploymentArn", "stopType"])?;
        let arn = input.need("serviceDeploymentArn")?;
        if input.word("stopType", &["ABORT", "ROLLBACK"])? == Some("ABORT") {
            return Err(input.error("stopType should be ROLLBACK"));
        }
        let missing = || {
            fault(
                "ServiceDeploymentNotFoundException",
                "Service deployment not found.",
            )
        };
        let service = self.service_of_resource(arn, "service-deployment/");
        let service = service.ok_or_else(missing)?.arn.clone();
        let at = self.pace.after(now, SERVICE_DEPLOYMENT);
        let record = self
            .ecs
            .services
            .get_mut(&service)
            .and_then(|service| service.history.iter_mut().find(|record| record.arn == arn))
            .ok_or_else(missing)?;
        match record.status {
            DeploymentStatus::Pending | DeploymentStatus::InProgress => {
                record.status = DeploymentStatus::RollbackRequested;
                record.started.get_or_insert(now);
                record.updated = now;
                record.due = Some(at);
                self.wake_service(&service, at);
            }
            DeploymentStatus::StopRequested
            | DeploymentStatus::RollbackRequested
            | DeploymentStatus::RollbackInProgress => {}
            DeploymentStatus::Stopped
            | DeploymentStatus::Successful
            | DeploymentStatus::RollbackSuccessful
            | DeploymentStatus::RollbackFailed => {
                return Err(fault(
                    "ConflictException",
                    format!(
                        "The service deployment cannot be stopped because it is {}.",
                        record.status.word()
                    ),
                ));
            }
        }
        Ok(json!({ "serviceDeploymentArn": arn }))
    }
}
