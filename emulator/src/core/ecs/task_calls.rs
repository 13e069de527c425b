//! ListTasks, DescribeTasks, StopTask.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CODE, missing,
    task::{StopCode, Task},
};
use crate::core::{
    ApiError, Cloud, Reply,
    error::invalid,
    input::Input,
    page::{Paging, with_token},
};

const PAGING: Paging = Paging {
    token: "nextToken",
    limit: "maxResults",
    default: 100,
    max: 100,
};

impl Cloud {
    pub(super) fn list_tasks(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "cluster",
            "family",
            "nextToken",
            "maxResults",
            "startedBy",
            "serviceName",
            "desiredStatus",
            "launchType",
        ];
        let input = Input::new(input, CODE, &members)?;
        let cluster = self.cluster_of(&input)?;
        let family = input.text("family")?;
        let started_by = input.text("startedBy")?;
        let service = match input.text("serviceName")? {
            Some(name) => Some(self.service_of(&cluster, name)?.arn.as_str()),
            None => None,
        };
        let fargate = input.word("launchType", &["EC2", "FARGATE"])? != Some("EC2");
        let desired = input.word("desiredStatus", &["RUNNING", "PENDING", "STOPPED"])?;
        if started_by.is_some() && (family.is_some() || service.is_some()) {
            return Err(invalid("cannot specify both startedBy and another filter"));
        }
        let desired = desired.unwrap_or("RUNNING");
        let wanted = self.ecs.tasks.values().filter(|task| {
            fargate
                && task.cluster == cluster
                && task.desired_status() == desired
                && family.is_none_or(|family| task.family() == family)
                && service.is_none_or(|service| task.service() == Some(service))
                && started_by.is_none_or(|by| task.origin.started_by().as_deref() == Some(by))
        });
        let arns = wanted.map(|task| (task.arn.clone(), task.arn.clone()));
        let (page, next) = PAGING.cut(&input, arns)?;
        Ok(with_token(json!({ "taskArns": page }), next))
    }

    pub(super) fn describe_tasks(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["cluster", "tasks", "include"])?;
        let cluster = self.cluster_of(&input)?;
        let include = input.texts("include")?;
        if include.iter().any(|word| *word != "TAGS") {
            return Err(invalid("include should be one of [TAGS]"));
        }
        let asked = input.texts("tasks")?;
        if asked.is_empty() {
            return Err(invalid("Tasks cannot be empty."));
        }
        if asked.len() > 100 {
            return Err(invalid("Tasks cannot have more than 100 elements."));
        }
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for reference in asked {
            match self.task_of(&cluster, reference) {
                Some(task) => tasks.push(self.task_view(task, !include.is_empty())),
                None => failures.push(missing(&self.task_arn(&cluster, reference))),
            }
        }
        Ok(json!({ "tasks": tasks, "failures": failures }))
    }

    pub(super) fn stop_task_call(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["cluster", "task", "reason"])?;
        let cluster = self.cluster_of(&input)?;
        let reason = input.text("reason")?.unwrap_or("Task stopped by user");
        if reason.chars().count() > 1024 {
            return Err(invalid("reason cannot be longer than 1024 characters."));
        }
        let arn = self
            .task_of(&cluster, input.need("task")?)
            .map(|task| task.arn.clone())
            .ok_or_else(|| invalid("The referenced task was not found."))?;
        self.leave(&arn, StopCode::User, reason.to_owned(), now);
        let task = self.ecs.tasks.get(&arn);
        Ok(json!({ "task": task.map(|task| self.task_view(task, true)) }))
    }

    /// A task of the cluster by its id or ARN.
    fn task_of(&self, cluster: &str, reference: &str) -> Option<&Task> {
        self.ecs
            .tasks
            .get(&self.task_arn(cluster, reference))
            .filter(|task| task.cluster == cluster)
    }

    pub(super) fn task_arn(&self, cluster: &str, reference: &str) -> String {
        if reference.starts_with("arn:") {
            reference.to_owned()
        } else {
            self.ids.arn("ecs", &format!("task/{cluster}/{reference}"))
        }
    }
}
