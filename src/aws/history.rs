//! A service's past deployments, and what each aimed at: ECS's own record, kept 90 days, is our memory of failures.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    aws::{Ahead, Aws, AwsError, Class, Operation, ecs, observe::object},
    document::{self, Document},
    manifest::Manifest,
    observed::{LiveService, Outcome, PastDeployment, TaskFailure},
};

/// How many deployments are looked at; DescribeServiceDeployments and DescribeServiceRevisions take no more at once.
const LOOKED_AT: u32 = 20;
/// For how long ECS surely lists a deployment: it keeps them for 90 days (API_ListServiceDeployments).
const LISTED_FOR: SignedDuration = SignedDuration::from_hours(24 * 89);

/// What does not change once it is known.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Revisions' documents by ARN.
    revisions: HashMap<String, Document>,
    /// Why the tasks of a failed deployment stopped, by the deployment's ARN.
    failures: HashMap<String, TaskFailure>,
    /// When the newest deployment began that has been listed. A list without any is then no list; nor is it where the
    /// service was created in this time, with its first deployment.
    newest: Option<Timestamp>,
}

impl Aws {
    /// The newest deployments, newest first, for a person to read.
    ///
    /// # Errors
    /// The first read that failed.
    pub async fn recent_deployments(
        &self,
        cluster: &str,
        name: &str,
    ) -> Result<Vec<PastDeployment>, AwsError> {
        let listed = self.list_deployments(cluster, name).await?;
        self.history_of(cluster, name, &listed, &mut Past::default())
            .await
    }

    /// The newest deployments, newest first. Where all have succeeded, only what the list says of them: nothing is held, and
    /// the last good definition is the service's own.
    pub(super) async fn history(
        &self,
        manifest: &Manifest,
        service: Option<&LiveService>,
        past: &mut Past,
        ahead: &mut Ahead,
    ) -> Result<Vec<PastDeployment>, AwsError> {
        let (cluster, name) = (&manifest.cluster, &manifest.name);
        let listed = match ahead.deployments.take() {
            Some(listed) => listed?,
            None => self.list_deployments(cluster, name).await?,
        };
        let rolled_by_ecs = service.filter(|service| service.has_deployments());
        let first = rolled_by_ecs.and_then(LiveService::created_at);
        let is_listed = |began: Timestamp| self.clock().now().duration_since(began) < LISTED_FOR;
        if listed.is_empty() && past.newest.or(first).is_some_and(is_listed) {
            return Err(not_listed(name));
        }
        let began = listed
            .iter()
            .filter_map(|one| document::time(one, "createdAt"));
        past.newest = began.max().or(past.newest);
        if listed.iter().all(has_succeeded) {
            return Ok(listed.iter().map(told_by_list).collect());
        }
        self.history_of(cluster, name, &listed, past).await
    }

    /// The newest deployments as ListServiceDeployments has them.
    pub(super) async fn list_deployments(
        &self,
        cluster: &str,
        name: &str,
    ) -> Result<Vec<Document>, AwsError> {
        let input = object(json!({"cluster": cluster, "service": name, "maxResults": LOOKED_AT}));
        let request = self.clients.ecs.list_service_deployments();
        let listed = ecs!(self, Operation::LIST_SERVICE_DEPLOYMENTS, request, input)?;
        let deployments = document::objects(&listed.document, "serviceDeployments");
        Ok(deployments.cloned().collect())
    }

    async fn history_of(
        &self,
        cluster: &str,
        name: &str,
        listed: &[Document],
        past: &mut Past,
    ) -> Result<Vec<PastDeployment>, AwsError> {
        let arns: Vec<_> = listed
            .iter()
            .map(|deployment| document::text(deployment, "serviceDeploymentArn").to_owned())
            .collect();
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let input = object(json!({"serviceDeploymentArns": arns}));
        let request = self.clients.ecs.describe_service_deployments();
        let described = ecs!(
            self,
            Operation::DESCRIBE_SERVICE_DEPLOYMENTS,
            request,
            input
        )?;
        let deployments: Vec<_> = document::objects(&described.document, "serviceDeployments")
            .cloned()
            .collect();
        let named = |key| {
            deployments
                .iter()
                .map(move |deployment| document::text(deployment, key))
        };
        all_told(
            Operation::DESCRIBE_SERVICE_DEPLOYMENTS,
            &arns,
            named("serviceDeploymentArn"),
        )?;
        self.learn_revisions(&deployments, past).await?;

        let mut history = Vec::new();
        for deployment in deployments {
            history.push(self.past_deployment(&deployment, past).await?);
        }
        history.sort_by_key(|deployment| std::cmp::Reverse(deployment.created_at));
        if let Some(newest) = history
            .iter_mut()
            .find(|deployment| deployment.outcome == Outcome::Failed)
        {
            // Not being able to say why must not keep the next version from going out.
            match self.failure(cluster, name, newest, past).await {
                Ok(failure) => newest.failure = failure,
                Err(error) => {
                    newest.reason = format!(
                        "{} (why its tasks stopped cannot be read: {error})",
                        newest.reason
                    );
                }
            }
        }
        Ok(history)
    }

    async fn learn_revisions(
        &self,
        deployments: &[Document],
        past: &mut Past,
    ) -> Result<(), AwsError> {
        let mut unknown: Vec<_> = deployments
            .iter()
            .map(target_revision)
            .filter(|arn| !arn.is_empty() && !past.revisions.contains_key(*arn))
            .collect();
        // The same ARN twice is answered with a server error.
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        let input = object(json!({"serviceRevisionArns": unknown}));
        let request = self.clients.ecs.describe_service_revisions();
        let described = ecs!(self, Operation::DESCRIBE_SERVICE_REVISIONS, request, input)?;
        let told: Vec<_> = document::objects(&described.document, "serviceRevisions").collect();
        let named = told
            .iter()
            .map(|revision| document::text(revision, "serviceRevisionArn"));
        let unknown: Vec<_> = unknown.into_iter().map(str::to_owned).collect();
        all_told(Operation::DESCRIBE_SERVICE_REVISIONS, &unknown, named)?;
        past.revisions.retain(|arn, _| {
            deployments
                .iter()
                .any(|deployment| target_revision(deployment) == arn)
        });
        for revision in document::objects(&described.document, "serviceRevisions") {
            past.revisions.insert(
                document::text(revision, "serviceRevisionArn").to_owned(),
                revision.clone(),
            );
        }
        Ok(())
    }

    async fn past_deployment(
        &self,
        deployment: &Document,
        past: &Past,
    ) -> Result<PastDeployment, AwsError> {
        let revision = past
            .revisions
            .get(target_revision(deployment))
            .cloned()
            .unwrap_or_default();
        let definition = match document::text(&revision, "taskDefinition") {
            "" => None,
            arn => match self.describe_definition(arn).await {
                Ok(definition) => Some(definition),
                // It has been deleted since.
                Err(error) if error.message.contains("Unable to describe task definition") => None,
                Err(error) => return Err(error),
            },
        };
        Ok(PastDeployment {
            arn: document::text(deployment, "serviceDeploymentArn").to_owned(),
            outcome: outcome(deployment),
            reason: document::text(deployment, "statusReason").to_owned(),
            created_at: document::time(deployment, "createdAt"),
            finished_at: document::time(deployment, "finishedAt")
                .or(document::time(deployment, "updatedAt")),
            revision,
            definition,
            failure: None,
        })
    }

    async fn failure(
        &self,
        cluster: &str,
        name: &str,
        deployment: &PastDeployment,
        past: &mut Past,
    ) -> Result<Option<TaskFailure>, AwsError> {
        if let Some(known) = past.failures.get(&deployment.arn) {
            return Ok(Some(known.clone()));
        }
        let failure = self.explain(cluster, name, deployment).await?;
        if let Some(failure) = &failure {
            // Only the newest is ever asked for.
            past.failures.clear();
            past.failures
                .insert(deployment.arn.clone(), failure.clone());
        }
        Ok(failure)
    }
}

/// What was listed a moment ago and is not described is unknown, not absent, even where it is said to be missing: ECS
/// keeps deployments and their revisions for 90 days, and a failure that is overlooked would be tried again.
fn all_told<'a>(
    operation: Operation,
    asked: &[String],
    told: impl Iterator<Item = &'a str>,
) -> Result<(), AwsError> {
    let known: HashSet<_> = told.collect();
    if asked.iter().all(|arn| known.contains(arn.as_str())) {
        Ok(())
    } else {
        Err(AwsError::unreadable(operation))
    }
}

/// Nothing is said of deployments that there have been.
fn not_listed(name: &str) -> AwsError {
    AwsError {
        operation: "ecs:ListServiceDeployments".to_owned(),
        class: Class::Transient,
        code: "failures".to_owned(),
        message: format!("none of the deployments of {name} is listed, and there have been some"),
    }
}

fn target_revision(deployment: &Document) -> &str {
    let target = deployment
        .get("targetServiceRevision")
        .and_then(|target| target.as_object());
    target
        .map(|target| document::text(target, "arn"))
        .unwrap_or_default()
}

/// Whether the list alone says that a deployment has succeeded. What has stopped, or still runs, may have tripped the
/// circuit breaker, which only its description says.
fn has_succeeded(listed: &Document) -> bool {
    document::text(listed, "status") == "SUCCESSFUL"
}

fn told_by_list(listed: &Document) -> PastDeployment {
    PastDeployment {
        arn: document::text(listed, "serviceDeploymentArn").to_owned(),
        outcome: outcome(listed),
        reason: document::text(listed, "statusReason").to_owned(),
        created_at: document::time(listed, "createdAt"),
        finished_at: document::time(listed, "finishedAt"),
        revision: Document::new(),
        definition: None,
        failure: None,
    }
}

/// The statuses of "View service history using Amazon ECS service deployments" in the Developer Guide.
fn outcome(deployment: &Document) -> Outcome {
    let has_tripped = ["deploymentCircuitBreaker", "alarms"]
        .iter()
        .any(|detector| {
            let detector = deployment
                .get(*detector)
                .and_then(|detector| detector.as_object());
            detector.is_some_and(|detector| document::text(detector, "status") == "TRIGGERED")
        });
    match document::text(deployment, "status") {
        "SUCCESSFUL" => Outcome::Succeeded,
        status if status.starts_with("ROLLBACK") || has_tripped || status == "FAILED" => {
            Outcome::Failed
        }
        "STOPPED" | "STOP_REQUESTED" => Outcome::Superseded,
        _ => Outcome::Running,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_listed_and_is_not_described_is_unknown() {
        let told = |told: &[&str]| {
            let asked = ["one".to_owned(), "two".to_owned()];
            let operation = Operation::DESCRIBE_SERVICE_DEPLOYMENTS;
            all_told(operation, &asked, told.iter().copied()).is_ok()
        };
        assert!(told(&["two", "one"]));
        assert!(!told(&["one"]));
    }
}
