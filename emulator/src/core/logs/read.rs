//! Reading streams, with CloudWatch's paging.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    CODE, missing_group, missing_stream,
    store::{Group, LogEvent, Stream},
};
use crate::core::{
    ApiError, Cloud, Reply,
    error::invalid,
    input::Input,
    page::{Paging, with_token},
};

/// Both readers: at most 1 MB or 10,000 events a page. Source:
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>
const PAGE_BYTES: usize = 1024 * 1024;
const PAGE_EVENTS: i64 = 10_000;
const STREAM_PAGING: Paging = Paging {
    token: "nextToken",
    limit: "limit",
    default: 50,
    max: 50,
};

/// A place in a stream, as the tokens of GetLogEvents carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// From this event on.
    Forward(u64),
    /// Before this event.
    Backward(u64),
}

impl Position {
    fn parse(token: &str) -> Option<Self> {
        let (direction, rest) = token.split_once('/')?;
        let digits = rest.strip_suffix("/s")?;
        let sequence = digits.parse().ok().filter(|_| digits.len() == 56)?;
        match direction {
            "f" => Some(Self::Forward(sequence)),
            "b" => Some(Self::Backward(sequence)),
            _ => None,
        }
    }

    fn token(self) -> String {
        match self {
            Self::Forward(sequence) => format!("f/{sequence:056}/s"),
            Self::Backward(sequence) => format!("b/{sequence:056}/s"),
        }
    }
}

impl Cloud {
    fn log_group(&self, input: &Input<'_>) -> Result<(&str, &Group), ApiError> {
        let name = match input.text("logGroupIdentifier")? {
            Some(identifier) => identifier
                .strip_prefix(&self.ids.arn("logs", "log-group:"))
                .unwrap_or(identifier),
            None => input.need("logGroupName")?,
        };
        self.logs
            .groups
            .get_key_value(name)
            .map(|(name, group)| (name.as_str(), group))
            .ok_or_else(missing_group)
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
        let mut streams: BTreeMap<String, Value> = BTreeMap::new();
        let mut names: Vec<(i64, &String, &Stream)> = group
            .streams
            .iter()
            .filter(|(name, _)| prefix.is_none_or(|prefix| name.starts_with(prefix)))
            .map(|(name, stream)| {
                let last = stream.events.back().map_or(0, |e| e.at.as_millisecond());
                (if by_time { last } else { 0 }, name, stream)
            })
            .collect();
        names.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        if descending {
            names.reverse();
        }
        for (rank, (_, stream_name, stream)) in names.into_iter().enumerate() {
            let arn = self.ids.arn(
                "logs",
                &format!("log-group:{name}:log-stream:{stream_name}"),
            );
            streams.insert(format!("{rank:08}"), stream_view(stream_name, arn, stream));
        }
        let (page, next) = STREAM_PAGING.cut(&input, streams)?;
        Ok(with_token(json!({ "logStreams": page }), next))
    }

    pub(super) fn get_log_events(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "logGroupName",
            "logGroupIdentifier",
            "logStreamName",
            "startTime",
            "endTime",
            "nextToken",
            "limit",
            "startFromHead",
        ];
        let input = Input::new(input, CODE, &members)?;
        let (_, group) = self.log_group(&input)?;
        let stream = group
            .streams
            .get(input.need("logStreamName")?)
            .ok_or_else(missing_stream)?;
        let start = input.int("startTime")?.unwrap_or(i64::MIN);
        let end = input.int("endTime")?.unwrap_or(i64::MAX);
        let limit = page_limit(&input)?;
        let from_head = input.flag("startFromHead")?.unwrap_or(false);
        let position = match input.text("nextToken")? {
            Some(token) => Position::parse(token)
                .ok_or_else(|| invalid("The specified nextToken is invalid."))?,
            None if from_head => Position::Forward(0),
            None => Position::Backward(u64::MAX),
        };
        let in_time = |event: &&LogEvent| (start..end).contains(&event.at.as_millisecond());
        let page: Vec<&LogEvent> = match position {
            Position::Forward(from) => fill(
                stream
                    .events
                    .iter()
                    .filter(|event| event.sequence >= from)
                    .filter(in_time),
                limit,
            ),
            Position::Backward(before) => {
                let mut page = fill(
                    stream
                        .events
                        .iter()
                        .rev()
                        .filter(|event| event.sequence < before)
                        .filter(in_time),
                    limit,
                );
                page.reverse();
                page
            }
        };
        // At an end of the stream the token that was sent comes back; that is how readers know.
        let newest = stream.events.back().map_or(0, |event| event.sequence + 1);
        let here = match position {
            Position::Forward(from) => from,
            Position::Backward(u64::MAX) => newest,
            Position::Backward(before) => before,
        };
        let forward = page.last().map_or(here, |event| event.sequence + 1);
        let backward = page.first().map_or(here, |event| event.sequence);
        let events: Vec<Value> = page
            .iter()
            .map(|event| {
                json!({
                    "timestamp": event.at.as_millisecond(),
                    "message": event.message,
                    "ingestionTime": event.ingested.as_millisecond(),
                })
            })
            .collect();
        Ok(json!({
            "events": events,
            "nextForwardToken": Position::Forward(forward).token(),
            "nextBackwardToken": Position::Backward(backward).token(),
        }))
    }

    pub(super) fn filter_log_events(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "logGroupName",
            "logGroupIdentifier",
            "logStreamNames",
            "logStreamNamePrefix",
            "startTime",
            "endTime",
            "filterPattern",
            "nextToken",
            "limit",
            "interleaved",
        ];
        let input = Input::new(input, CODE, &members)?;
        let (_, group) = self.log_group(&input)?;
        let names = input.texts("logStreamNames")?;
        let prefix = input.text("logStreamNamePrefix")?;
        if !names.is_empty() && prefix.is_some() {
            return Err(invalid(
                "logStreamNames and logStreamNamePrefix cannot both be given.",
            ));
        }
        if names.len() > 100 {
            return Err(invalid("At most 100 logStreamNames can be given."));
        }
        if names.iter().any(|name| !group.streams.contains_key(*name)) {
            return Err(missing_stream());
        }
        let start = input.int("startTime")?.unwrap_or(i64::MIN);
        let end = input.int("endTime")?.unwrap_or(i64::MAX);
        let terms = terms(input.text("filterPattern")?.unwrap_or_default())?;
        let after = match input.text("nextToken")? {
            Some(token) => Some(
                parse_place(token).ok_or_else(|| invalid("The specified nextToken is invalid."))?,
            ),
            None => None,
        };
        let limit = page_limit(&input)?;
        let mut found: BTreeMap<(i64, u64), (&str, &LogEvent)> = BTreeMap::new();
        for (name, stream) in &group.streams {
            let wanted = (names.is_empty() || names.contains(&name.as_str()))
                && prefix.is_none_or(|prefix| name.starts_with(prefix));
            for event in stream.events.iter().filter(|_| wanted) {
                let place = (event.at.as_millisecond(), event.sequence);
                if (start..=end).contains(&place.0)
                    && after.is_none_or(|after| place > after)
                    && terms.iter().all(|term| event.message.contains(term))
                {
                    found.insert(place, (name, event));
                }
            }
        }
        let page = fill(found.values().map(|(_, event)| *event), limit);
        let next = (page.len() < found.len())
            .then(|| page.last())
            .flatten()
            .map(|event| hex::encode(format!("{}:{}", event.at.as_millisecond(), event.sequence)));
        let events: Vec<Value> = found
            .values()
            .take(page.len())
            .map(|(name, event)| {
                json!({
                    "logStreamName": name,
                    "timestamp": event.at.as_millisecond(),
                    "message": event.message,
                    "ingestionTime": event.ingested.as_millisecond(),
                    "eventId": format!("{:056}", event.sequence),
                })
            })
            .collect();
        let reply = json!({ "events": events, "searchedLogStreams": [] });
        Ok(with_token(reply, next))
    }
}

fn page_limit(input: &Input<'_>) -> Result<usize, ApiError> {
    let limit = input.int_in("limit", 1, PAGE_EVENTS)?;
    Ok(usize::try_from(limit.unwrap_or(PAGE_EVENTS)).unwrap_or(1))
}

/// Takes events until a page is full, at least one.
fn fill<'a>(events: impl Iterator<Item = &'a LogEvent>, limit: usize) -> Vec<&'a LogEvent> {
    let mut bytes = 0;
    events
        .take(limit)
        .take_while(|event| {
            let first = bytes == 0;
            bytes += event.message.len() + 1;
            first || bytes <= PAGE_BYTES
        })
        .collect()
}

fn parse_place(token: &str) -> Option<(i64, u64)> {
    let text = String::from_utf8(hex::decode(token).ok()?).ok()?;
    let (at, sequence) = text.split_once(':')?;
    Some((at.parse().ok()?, sequence.parse().ok()?))
}

/// Terms that must all occur: words or quoted phrases. The rest of AWS's pattern language is refused.
fn terms(pattern: &str) -> Result<Vec<String>, ApiError> {
    let unsupported = || {
        invalid(format!(
            "Invalid filter pattern: the emulator supports words and \"quoted phrases\" only, not {pattern}"
        ))
    };
    let mut terms = Vec::new();
    let mut rest = pattern.trim();
    while !rest.is_empty() {
        let (term, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(unsupported)?,
            None => {
                let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
                let plain = |c: char| c.is_alphanumeric() || c == '_';
                if !word.chars().all(plain) {
                    return Err(unsupported());
                }
                (word, after)
            }
        };
        terms.push(term.to_owned());
        rest = after.trim_start();
    }
    Ok(terms)
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
