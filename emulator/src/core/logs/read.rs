//! Reading streams, with CloudWatch's paging.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    CODE, check_limit, missing_group, missing_stream,
    position::{Position, after},
    store::{Group, LogEvent, Place},
};
use crate::core::{ApiError, Cloud, Reply, error::invalid, input::Input, page::with_token};

/// Both readers: at most 1 MB or 10,000 events a page. Source:
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>
const PAGE_BYTES: usize = 1024 * 1024;
const PAGE_EVENTS: i64 = 10_000;

impl Cloud {
    pub(super) fn log_group(&self, input: &Input<'_>) -> Result<(&str, &Group), ApiError> {
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
            None if from_head => Position::Forward((0, 0)),
            None => Position::Backward((u64::MAX, u64::MAX)),
        };
        let in_time = |event: &&LogEvent| (start..end).contains(&event.at.as_millisecond());
        let events = || stream.events.iter().filter(in_time);
        let newest = stream
            .events
            .back()
            .map_or((0, 0), |event| after(event.place()));
        let (page, here) = match position {
            Position::Rest(place) => (Vec::new(), place),
            Position::Forward(from) => (
                fill(events().filter(|event| event.place() >= from), limit),
                from,
            ),
            Position::Backward(before) => {
                let older = events().rev().filter(|event| event.place() < before);
                let mut page = fill(older, limit);
                page.reverse();
                (page, before.min(newest))
            }
        };
        // At an end of the stream the token that was sent comes back; that is how readers know.
        let end = page.last().map_or(here, |event| after(event.place()));
        let more = events().any(|event| event.place() >= end);
        let forward = if more && rests(&page) {
            Position::Rest(end)
        } else {
            Position::Forward(end)
        };
        let backward = page.first().map_or(here, |event| event.place());
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
            "nextForwardToken": forward.token(),
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
        let token = input.text("nextToken")?.map(|token| {
            Position::parse_hex(token).ok_or_else(|| invalid("The specified nextToken is invalid."))
        });
        let position = token.transpose()?.unwrap_or(Position::Forward((0, 0)));
        let limit = page_limit(&input)?;
        if let Position::Rest(place) = position {
            let next = Position::Forward(place).hex();
            let reply = json!({ "events": [], "searchedLogStreams": [] });
            return Ok(with_token(reply, Some(next)));
        }
        let mut found: BTreeMap<Place, (&str, &LogEvent)> = BTreeMap::new();
        for (name, stream) in &group.streams {
            let wanted = (names.is_empty() || names.contains(&name.as_str()))
                && prefix.is_none_or(|prefix| name.starts_with(prefix));
            for event in stream.events.iter().filter(|_| wanted) {
                if (start..=end).contains(&event.at.as_millisecond())
                    && event.place() >= position.place()
                    && terms.iter().all(|term| event.message.contains(term))
                {
                    found.insert(event.place(), (name, event));
                }
            }
        }
        let page = fill(found.values().map(|(_, event)| *event), limit);
        let next = (page.len() < found.len())
            .then(|| page.last())
            .flatten()
            .map(|event| after(event.place()))
            .map(|place| match rests(&page) {
                true => Position::Rest(place),
                false => Position::Forward(place),
            })
            .map(Position::hex);
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
    let limit = check_limit(input, PAGE_EVENTS)?;
    Ok(usize::try_from(limit.unwrap_or(PAGE_EVENTS)).unwrap_or(1))
}

/// Some pages are followed by an empty one, as CloudWatch's are; which, depends on nothing but the page.
fn rests(page: &[&LogEvent]) -> bool {
    page.last()
        .is_some_and(|event| event.sequence.is_multiple_of(3))
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
