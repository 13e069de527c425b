//! The logs of a service's tasks, out of CloudWatch.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    aws::{Aws, AwsError, Class, Operation},
    document::{self, Document},
};

/// The most tasks whose logs are read; the newest are taken.
const MOST_TASKS: usize = 500;
/// The most pages that a backward reading of one stream takes: pages may come empty.
const MOST_PAGES: usize = 50;
/// The most events of one page (API_GetLogEvents).
const EVENTS_PER_PAGE: usize = 10_000;

/// Where one container of one task writes: the awslogs driver's stream on Fargate is `PREFIX/CONTAINER/TASK`
/// (API_LogConfiguration).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogStream {
    /// The log group.
    pub group: String,
    /// The driver's `awslogs-stream-prefix`.
    pub prefix: String,
    /// The container.
    pub container: String,
    /// The task's id.
    pub task: String,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When the task wrote it, by its own clock.
    pub time: Timestamp,
    /// The task's id.
    pub task: String,
    /// The container.
    pub container: String,
    /// The line, as it was written.
    pub message: String,
    /// CloudWatch's id of the event; empty where it gives none.
    #[serde(skip)]
    pub id: String,
}

impl LogStream {
    /// The stream's name.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.prefix, self.container, self.task)
    }

    fn line(&self, millis: Option<i64>, message: Option<&str>, id: Option<&str>) -> LogLine {
        LogLine {
            time: millis
                .and_then(|millis| Timestamp::from_millisecond(millis).ok())
                .unwrap_or(Timestamp::UNIX_EPOCH),
            task: self.task.clone(),
            container: self.container.clone(),
            message: message.unwrap_or_default().trim_end().to_owned(),
            id: id.unwrap_or_default().to_owned(),
        }
    }
}

impl Aws {
    /// The streams of a service's tasks that run, and of those that stopped within about the last hour: ECS forgets the
    /// others.
    ///
    /// # Errors
    /// The first read that failed.
    pub async fn log_streams(&self, cluster: &str, name: &str) -> Result<Vec<LogStream>, AwsError> {
        let mut tasks = Vec::new();
        for status in ["RUNNING", "STOPPED"] {
            tasks.extend(self.tasks(cluster, name, status).await?.found);
        }
        tasks.sort_by_key(|task| std::cmp::Reverse(document::time(task, "createdAt")));
        tasks.truncate(MOST_TASKS);
        let mut streams = BTreeSet::new();
        for task in &tasks {
            let definition = document::text(task, "taskDefinitionArn");
            let definition = self.describe_definition(definition).await?;
            let id = document::short_name(document::text(task, "taskArn"));
            streams.extend(streams_of(&definition.document, id));
        }
        Ok(streams.into_iter().collect())
    }

    /// Events of the given streams from `since` on, one call per page: what `streams` has in common must be their group,
    /// prefix and container. `next` is the token of the page before. Done when no token comes back; pages with a token may be empty
    /// (API_FilterLogEvents).
    ///
    /// # Errors
    /// As AWS says; a group that is not there has no events.
    pub async fn log_page(
        &self,
        streams: &[LogStream],
        since: Timestamp,
        next: Option<String>,
    ) -> Result<(Vec<LogLine>, Option<String>), AwsError> {
        let Some(first) = streams.first() else {
            return Ok((Vec::new(), None));
        };
        // By prefix: named streams that do not exist yet would fail the whole call.
        let only = (streams.len() == 1).then(|| first.name());
        let prefix = only.unwrap_or_else(|| format!("{}/{}/", first.prefix, first.container));
        let request = self
            .clients
            .logs
            .filter_log_events()
            .log_group_name(&first.group)
            .log_stream_name_prefix(prefix)
            .start_time(since.as_millisecond())
            .set_next_token(next);
        let page = match self
            .call(Operation::FILTER_LOG_EVENTS, request.send())
            .await
        {
            Ok(page) => page,
            Err(error) if error.class == Class::NotFound => return Ok((Vec::new(), None)),
            Err(error) => return Err(error),
        };
        let lines = page.events().iter().filter_map(|event| {
            let task = document::short_name(event.log_stream_name()?);
            let stream = streams.iter().find(|stream| stream.task == task)?;
            Some(stream.line(event.timestamp(), event.message(), event.event_id()))
        });
        Ok((lines.collect(), page.next_token().map(str::to_owned)))
    }

    /// The last `many` events of one stream that are not older than `since`, oldest first.
    ///
    /// # Errors
    /// As AWS says; a stream that is not there has no events.
    pub async fn log_tail(
        &self,
        stream: &LogStream,
        since: Option<Timestamp>,
        many: usize,
    ) -> Result<Vec<LogLine>, AwsError> {
        let mut newest_first: Vec<LogLine> = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let wanted = many.saturating_sub(newest_first.len()).min(EVENTS_PER_PAGE);
            if wanted == 0 {
                break;
            }
            let request = self
                .clients
                .logs
                .get_log_events()
                .log_group_name(&stream.group)
                .log_stream_name(stream.name())
                .limit(i32::try_from(wanted).unwrap_or(i32::MAX))
                .set_start_time(since.map(Timestamp::as_millisecond))
                .set_next_token(token.clone());
            let page = match self.call(Operation::GET_LOG_EVENTS, request.send()).await {
                Ok(page) => page,
                // A task that never ran has no stream.
                Err(error) if error.class == Class::NotFound => break,
                Err(error) => return Err(error),
            };
            let lines = page.events().iter().rev();
            newest_first
                .extend(lines.map(|event| stream.line(event.timestamp(), event.message(), None)));
            // The end is where the token that was sent comes back; empty pages are none (API_GetLogEvents).
            let next = page.next_backward_token().map(str::to_owned);
            if next.is_none() || next == token {
                break;
            }
            token = next;
        }
        newest_first.reverse();
        Ok(newest_first)
    }
}

/// Where the containers of a definition write, as a task with this id.
pub(super) fn streams_of<'a>(
    definition: &'a Document,
    task: &'a str,
) -> impl Iterator<Item = LogStream> + 'a {
    document::objects(definition, "containerDefinitions").filter_map(move |container| {
        let log = container.get("logConfiguration")?.as_object()?;
        let options = log.get("options")?.as_object()?;
        let prefix = document::text(options, "awslogs-stream-prefix");
        let is_ours = document::text(log, "logDriver") == "awslogs" && !prefix.is_empty();
        is_ours.then(|| LogStream {
            group: document::text(options, "awslogs-group").to_owned(),
            prefix: prefix.to_owned(),
            container: document::text(container, "name").to_owned(),
            task: task.to_owned(),
        })
    })
}
