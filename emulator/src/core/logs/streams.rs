//! Log streams: made, described, deleted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CODE, check_limit, missing_group, missing_stream, store::Stream};
use crate::core::{
    ApiError, Cloud, LogTarget, Reply,
    error::{fault, invalid},
    input::Input,
    page::{Paging, flipped, with_token},
};

const PAGING: Paging = Paging {
    token: "nextToken",
    limit: "limit",
    default: 50,
    max: 50,
};

impl Cloud {
    pub(super) fn create_log_stream(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let log = stream_of(&Input::new(
            input,
            CODE,
            &["logGroupName", "logStreamName"],
        )?)?;
        let group = self.logs.groups.get(&log.group).ok_or_else(missing_group)?;
        if group.streams.contains_key(&log.stream) {
            return Err(fault(
                "ResourceAlreadyExistsException",
                "The specified log stream already exists",
            ));
        }
        self.logs.open_stream(&log, now);
        Ok(json!({}))
    }

    pub(super) fn delete_log_stream(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let log = stream_of(&Input::new(
            input,
            CODE,
            &["logGroupName", "logStreamName"],
        )?)?;
        if !self.logs.has_group(&log.group) {
            return Err(missing_group());
        }
        if !self.logs.delete_stream(&log.group, &log.stream) {
            return Err(missing_stream());
        }
        Ok(json!({}))
    }

    pub(super) fn describe_log_streams(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "logGroupName",
            "logGroupIdentifier",
            "logStreamNamePrefix",
            "orderBy",
            "descending",
            "nextToken",
            "limit",
        ];
        let input = Input::new(input, CODE, &members)?;
        let (name, group) = self.log_group(&input)?;
        let prefix = input.text("logStreamNamePrefix")?;
        let by_time =
            input.word("orderBy", &["LogStreamName", "LastEventTime"])? == Some("LastEventTime");
        if by_time && prefix.is_some() {
            return Err(invalid(
                "Cannot order by LastEventTime with a logStreamNamePrefix.",
            ));
        }
        let descending = input.flag("descending")?.unwrap_or(false);
        let streams: BTreeMap<String, Value> = group
            .streams
            .iter()
            .filter(|(name, _)| prefix.is_none_or(|prefix| name.starts_with(prefix)))
            .map(|(stream_name, stream)| {
                let last = stream.events.back().map_or(0, |event| event.place().0);
                let time = if by_time { last } else { 0 };
                let key = format!("{time:020}{stream_name}");
                let key = if descending { flipped(&key) } else { key };
                let resource = format!("log-group:{name}:log-stream:{stream_name}");
                let arn = self.ids.arn("logs", &resource);
                (key, stream_view(stream_name, arn, stream))
            })
            .collect();
        check_limit(&input, 50)?;
        let (page, next) = PAGING.cut(&input, streams)?;
        Ok(with_token(json!({ "logStreams": page }), next))
    }
}

/// The input's group and stream; their names are checked, not whether they exist.
pub(super) fn stream_of(input: &Input<'_>) -> Result<LogTarget, ApiError> {
    let stream = input.need("logStreamName")?;
    if stream.chars().count() > 512 || stream.contains([':', '*']) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{stream}' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*"
        )));
    }
    Ok(LogTarget {
        group: input.need("logGroupName")?.to_owned(),
        stream: stream.to_owned(),
    })
}

fn stream_view(name: &str, arn: String, stream: &Stream) -> Value {
    let mut view = json!({
        "logStreamName": name,
        "creationTime": stream.created.as_millisecond(),
        "arn": arn,
        "storedBytes": 0,
    });
    let times = [
        ("firstEventTimestamp", stream.events.front().map(|e| e.at)),
        ("lastEventTimestamp", stream.events.back().map(|e| e.at)),
        ("lastIngestionTime", stream.ingested),
    ];
    if let Some(map) = view.as_object_mut() {
        for (key, at) in times {
            if let Some(at) = at {
                map.insert(key.to_owned(), Value::from(at.as_millisecond()));
            }
        }
    }
    view
}
