//! PutLogEvents.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{CODE, missing_group, missing_stream, store::OVERHEAD, streams::stream_of};
use crate::core::{ApiError, Cloud, Reply, error::invalid, input::Input, time::later};

// Source of the bounds:
// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
const EVENTS: usize = 10_000;
const BATCH_BYTES: usize = 1_048_576;
const AHEAD: Duration = Duration::from_secs(2 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const OLDEST: Duration = Duration::from_secs(14 * 24 * 3600);

impl Cloud {
    pub(super) fn put_log_events(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let members = [
            "logGroupName",
            "logStreamName",
            "logEvents",
            "sequenceToken",
            "entity",
        ];
        let input = Input::new(input, CODE, &members)?;
        input.refuse(&["entity"])?;
        let log = stream_of(&input)?;
        let group = self.logs.groups.get(&log.group).ok_or_else(missing_group)?;
        if !group.streams.contains_key(&log.stream) {
            return Err(missing_stream());
        }
        let kept = group
            .retention_days
            .and_then(|days| u32::try_from(days).ok())
            .map(|days| DAY * days);
        let events = events(&input)?;
        let before = |time: Duration| now.checked_sub(time).unwrap_or(Timestamp::MIN);
        let too_old = events.partition_point(|(at, _)| *at < before(OLDEST));
        let expired = kept.map_or(0, |kept| {
            events.partition_point(|(at, _)| *at < before(kept))
        });
        let too_new = events.partition_point(|(at, _)| *at <= later(now, AHEAD));
        let mut rejected = Map::new();
        for (key, index, is_there) in [
            ("tooNewLogEventStartIndex", too_new, too_new < events.len()),
            ("tooOldLogEventEndIndex", too_old, too_old > 0),
            ("expiredLogEventEndIndex", expired, expired > 0),
        ] {
            if is_there {
                rejected.insert(key.to_owned(), Value::from(index));
            }
        }
        let first = too_old.max(expired);
        let good: Vec<_> = events.into_iter().take(too_new).skip(first).collect();
        if let (Some((first, _)), Some((last, _))) = (good.first(), good.last())
            && later(*first, DAY) < *last
        {
            return Err(invalid(
                "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
            ));
        }
        if !good.is_empty() {
            self.logs.append(&log, good, now);
        }
        let mut reply = json!({ "nextSequenceToken": format!("{:056}", now.as_millisecond()) });
        if let (false, Some(map)) = (rejected.is_empty(), reply.as_object_mut()) {
            map.insert("rejectedLogEventsInfo".to_owned(), Value::from(rejected));
        }
        Ok(reply)
    }
}

/// The input's events, in order.
fn events(input: &Input<'_>) -> Result<Vec<(Timestamp, String)>, ApiError> {
    let list = input.objects("logEvents", &["timestamp", "message"])?;
    if list.is_empty() || list.len() > EVENTS {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length between 1 and {EVENTS}"
        )));
    }
    let mut events: Vec<(Timestamp, String)> = Vec::with_capacity(list.len());
    let mut bytes = 0;
    for event in list {
        let millis = event.int("timestamp")?.filter(|millis| *millis >= 0);
        let at = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let at = at.ok_or_else(|| event.error("timestamp must be milliseconds since 1970."))?;
        let message = event.need("message")?;
        bytes += message.len() + OVERHEAD;
        if events.last().is_some_and(|(last, _)| *last > at) {
            return Err(invalid(
                "Log events in a single PutLogEvents request must be in chronological order.",
            ));
        }
        events.push((at, message.to_owned()));
    }
    if bytes > BATCH_BYTES {
        return Err(invalid(format!(
            "Upload too large: {bytes} bytes exceeds limit of {BATCH_BYTES}"
        )));
    }
    Ok(events)
}
