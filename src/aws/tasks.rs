//! A service's tasks.

use serde_json::json;

use crate::{
    aws::{Aws, AwsError, Operation, ecs, observe::object},
    document::{self, Document},
};

/// The most that ListTasks lists and DescribeTasks takes (API_ListTasks, API_DescribeTasks).
const PER_CALL: usize = 100;
/// The most pages that are read; each costs two calls.
const MOST_PAGES: usize = 5;

/// Tasks as DescribeTasks returns them.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    pub(super) found: Vec<Document>,
    /// Whether these are all of them.
    pub(super) is_complete: bool,
}

impl Aws {
    /// The tasks that are to run (`RUNNING`), or that stopped within about the last hour (`STOPPED`).
    pub(super) async fn tasks(
        &self,
        cluster: &str,
        service: &str,
        desired_status: &str,
    ) -> Result<Tasks, AwsError> {
        let mut tasks = Tasks::default();
        let mut input = object(json!({
            "cluster": cluster, "serviceName": service, "desiredStatus": desired_status, "maxResults": PER_CALL,
        }));
        let mut listed = 0;
        for _ in 0..MOST_PAGES {
            let request = self.clients.ecs.list_tasks();
            let page = ecs!(self, Operation::LIST_TASKS, request, input)?;
            let arns: Vec<_> = document::texts(&page.document, "taskArns").collect();
            listed += arns.len();
            if !arns.is_empty() {
                let input = object(json!({"cluster": cluster, "tasks": arns}));
                let request = self.clients.ecs.describe_tasks();
                let described = ecs!(self, Operation::DESCRIBE_TASKS, request, input)?;
                tasks
                    .found
                    .extend(document::objects(&described.document, "tasks").cloned());
            }
            match page.document.get("nextToken") {
                Some(token) => input.insert("nextToken".to_owned(), token.clone()),
                None => {
                    tasks.is_complete = tasks.found.len() == listed;
                    break;
                }
            };
        }
        Ok(tasks)
    }
}
