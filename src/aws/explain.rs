//! Why a deployment failed, in the tasks' own words.

use serde_json::Value;

use crate::{
    aws::{Aws, AwsError, Class, Operation},
    document::{self, Document},
    observed::{PastDeployment, Revision, TaskFailure},
};

/// How much of a stopped task's log is shown.
const LOG_LINES: i32 = 10;
/// The most characters of a line that are shown.
const LONGEST_LINE: usize = 500;

impl Aws {
    /// The last task of `deployment` that failed, or else that stopped, with the end of its log. `None` when ECS has
    /// forgotten them: stopped tasks are kept for about an hour.
    pub(super) async fn explain(
        &self,
        cluster: &str,
        name: &str,
        deployment: &PastDeployment,
    ) -> Result<Option<TaskFailure>, AwsError> {
        let stopped = self.tasks(cluster, name, "STOPPED").await?;
        // A service revision's ARN ends in the digits of the deployment that its tasks name in `startedBy`.
        let revision = document::text(&deployment.revision, "serviceRevisionArn");
        let started_by = format!("ecs-svc/{}", document::short_name(revision));
        let last = stopped
            .found
            .iter()
            .filter(|task| document::text(task, "startedBy") == started_by)
            .max_by_key(|task| {
                let stopped = document::time(task, "stoppedAt");
                let at = stopped.or(document::time(task, "stoppingAt"));
                (!is_scaled_in(task), at)
            });
        match last {
            Some(task) => self
                .task_failure(task, deployment.definition.as_ref())
                .await
                .map(Some),
            None => Ok(None),
        }
    }

    async fn task_failure(
        &self,
        task: &Document,
        definition: Option<&Revision>,
    ) -> Result<TaskFailure, AwsError> {
        let id = document::short_name(document::text(task, "taskArn"));
        let exit_code = |container: &Document| {
            container
                .get("exitCode")
                .and_then(Value::as_i64)
                .and_then(|code| i32::try_from(code).ok())
        };
        // The one that failed, rather than a sidecar that was stopped with it.
        let mut exited: Vec<_> = document::objects(task, "containers")
            .filter(|container| exit_code(container).is_some())
            .collect();
        exited.sort_by_key(|container| exit_code(container) == Some(0));
        let exited = exited.first().copied();
        let container = exited.map(|container| document::text(container, "name").to_owned());
        let log = match (&container, definition) {
            (Some(container), Some(definition)) => {
                self.last_lines(definition, container, id).await?
            }
            _ => Vec::new(),
        };
        // A task that ECS stopped exits too, and how says nothing about why.
        let ended_by_itself = document::text(task, "stopCode") == "EssentialContainerExited";
        Ok(TaskFailure {
            task: id.to_owned(),
            stopped_reason: document::text(task, "stoppedReason").to_owned(),
            exit_code: exited.and_then(exit_code).filter(|_| ended_by_itself),
            container,
            log,
        })
    }

    /// The awslogs driver's stream on Fargate is `PREFIX/CONTAINER/TASK` (API_LogConfiguration).
    async fn last_lines(
        &self,
        definition: &Revision,
        container: &str,
        task: &str,
    ) -> Result<Vec<String>, AwsError> {
        let options = document::objects(&definition.document, "containerDefinitions")
            .find(|candidate| document::text(candidate, "name") == container)
            .and_then(|candidate| {
                candidate
                    .get("logConfiguration")?
                    .get("options")?
                    .as_object()
            });
        let Some(options) = options else {
            return Ok(Vec::new());
        };
        let stream = format!(
            "{}/{container}/{task}",
            document::text(options, "awslogs-stream-prefix")
        );
        let request = self
            .clients
            .logs
            .get_log_events()
            .log_group_name(document::text(options, "awslogs-group"))
            .log_stream_name(stream)
            .limit(LOG_LINES);
        match self.call(Operation::GET_LOG_EVENTS, request.send()).await {
            Ok(page) => Ok(page
                .events()
                .iter()
                .filter_map(|event| event.message())
                .map(shown)
                .collect()),
            // A task that never ran has no stream.
            Err(error) if error.class == Class::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Whether ECS stopped the task because the rollback needs it no more, and not because anything was wrong with it.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>
fn is_scaled_in(task: &Document) -> bool {
    document::text(task, "stoppedReason").starts_with("Scaling activity initiated by")
}

/// A line of somebody else's program, fit to be shown: bounded, and without what a terminal would obey.
fn shown(line: &str) -> String {
    line.trim_end()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_LINE)
        .collect()
}
