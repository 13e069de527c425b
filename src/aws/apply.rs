//! Carrying out one step of a plan: one attempt of one call, as the plan has written it.

use serde_json::{Value, json};

use crate::{
    aws::{Aws, AwsError, Operation, Pays, ecs},
    document::{self, Document},
    observed::{self, LiveService, Revision},
    plan::{REGISTERED, Step, Write},
};

/// What a step brought.
#[derive(Debug, Clone)]
pub enum Applied {
    /// The service as AWS returned it.
    Service(LiveService),
    /// The new revision as AWS returned it.
    Registered(Revision),
    /// Nothing that later steps need.
    Done,
}

impl Aws {
    /// Makes the call, which [`Aws::admit`] has taken from the budget. `registered` stands in for [`REGISTERED`] where the
    /// input says so.
    ///
    /// # Errors
    /// As AWS says. After [`Class::Unreachable`](crate::aws::Class::Unreachable) the write may have been done.
    pub async fn apply(&self, step: &Step, registered: Option<&str>) -> Result<Applied, AwsError> {
        let operation = Operation::of(step.operation);
        let input = with_registered(&step.input, registered);
        let client = &self.clients.ecs_writes;
        let this = Self {
            pays: Pays::Before,
            ..self.clone()
        };
        match step.operation {
            Write::RegisterTaskDefinition => {
                let answer = ecs!(this, operation, client.register_task_definition(), input)?;
                let document = answer
                    .document
                    .get("taskDefinition")
                    .and_then(Value::as_object)
                    .cloned();
                let revision = Revision {
                    document: document.unwrap_or_default(),
                    tags: observed::tags(&answer.document),
                };
                if revision.arn().is_empty() {
                    return Err(AwsError::unreadable(operation));
                }
                Ok(Applied::Registered(revision))
            }
            Write::CreateService => {
                let answer = ecs!(this, operation, client.create_service(), input)?;
                Ok(Applied::Service(service_of(&answer.document)))
            }
            Write::UpdateService => {
                let answer = ecs!(this, operation, client.update_service(), input)?;
                Ok(Applied::Service(service_of(&answer.document)))
            }
            Write::StopServiceDeployment => {
                ecs!(this, operation, client.stop_service_deployment(), input)
                    .map(|_| Applied::Done)
            }
            Write::DeregisterTaskDefinition => {
                ecs!(this, operation, client.deregister_task_definition(), input)
                    .map(|_| Applied::Done)
            }
            Write::TagResource => {
                ecs!(this, operation, client.tag_resource(), input).map(|_| Applied::Done)
            }
            Write::UntagResource => {
                ecs!(this, operation, client.untag_resource(), input).map(|_| Applied::Done)
            }
            Write::CreateLogGroup | Write::PutRetentionPolicy | Write::DeleteRetentionPolicy => {
                this.apply_to_logs(step.operation, operation, &input)
                    .await
                    .map(|()| Applied::Done)
            }
        }
    }

    async fn apply_to_logs(
        &self,
        write: Write,
        operation: Operation,
        input: &Document,
    ) -> Result<(), AwsError> {
        let client = &self.clients.logs_writes;
        let name = document::text(input, "logGroupName");
        match write {
            Write::CreateLogGroup => {
                let tags = input
                    .get("tags")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten();
                let tags = tags
                    .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                    .collect();
                let request = client
                    .create_log_group()
                    .log_group_name(name)
                    .set_tags(Some(tags));
                self.call(operation, request.send()).await.map(|_| ())
            }
            Write::PutRetentionPolicy => {
                let days =
                    i32::try_from(document::count(input, "retentionInDays")).unwrap_or(i32::MAX);
                let request = client
                    .put_retention_policy()
                    .log_group_name(name)
                    .retention_in_days(days);
                self.call(operation, request.send()).await.map(|_| ())
            }
            Write::DeleteRetentionPolicy => {
                let request = client.delete_retention_policy().log_group_name(name);
                self.call(operation, request.send()).await.map(|_| ())
            }
            Write::RegisterTaskDefinition
            | Write::DeregisterTaskDefinition
            | Write::CreateService
            | Write::UpdateService
            | Write::StopServiceDeployment
            | Write::TagResource
            | Write::UntagResource => Ok(()),
        }
    }
}

fn with_registered(input: &Document, registered: Option<&str>) -> Document {
    let mut input = input.clone();
    if let Some(registered) = registered
        && document::text(&input, "taskDefinition") == REGISTERED
    {
        input.insert("taskDefinition".to_owned(), json!(registered));
    }
    input
}

fn service_of(answer: &Document) -> LiveService {
    LiveService(
        answer
            .get("service")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default(),
    )
}
