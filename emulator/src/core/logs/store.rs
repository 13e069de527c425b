//! What is kept of containers' output: bounded per line, per stream and in all.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use crate::core::LogTarget;

/// The longest message, with its overhead. Source:
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
const LINE_BYTES: usize = 1024 * 1024 - OVERHEAD;
const STREAM_LINES: usize = 20_000;
const STREAM_BYTES: usize = 2 * 1024 * 1024;
const ALL_BYTES: usize = 64 * 1024 * 1024;
const STREAMS: usize = 2_000;
/// What an event costs beside its text.
pub(super) const OVERHEAD: usize = 26;

/// All log groups by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logs {
    pub(super) groups: BTreeMap<String, Group>,
    bytes: usize,
    sequence: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) created: Timestamp,
    pub(super) retention_days: Option<i64>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) streams: BTreeMap<String, Stream>,
}

#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) created: Timestamp,
    pub(super) ingested: Option<Timestamp>,
    /// In the order of their places.
    pub(super) events: VecDeque<LogEvent>,
    pub(super) bytes: usize,
}

#[derive(Debug, Clone)]
pub(super) struct LogEvent {
    /// Rises over all streams.
    pub(super) sequence: u64,
    pub(super) at: Timestamp,
    pub(super) ingested: Timestamp,
    pub(super) message: String,
}

/// Where an event stands among others: by its time in milliseconds, then by its arrival.
pub(super) type Place = (u64, u64);

impl LogEvent {
    pub(super) fn place(&self) -> Place {
        let millis = u64::try_from(self.at.as_millisecond()).unwrap_or(0);
        (millis, self.sequence)
    }
}

impl Group {
    pub(super) fn new(created: Timestamp) -> Self {
        Self {
            created,
            retention_days: None,
            tags: BTreeMap::new(),
            streams: BTreeMap::new(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.streams.values().map(|stream| stream.bytes).sum()
    }
}

impl Logs {
    pub(crate) fn has_group(&self, name: &str) -> bool {
        self.groups.contains_key(name)
    }

    /// Removes a group with all it holds. `false` when there is none.
    pub(super) fn delete_group(&mut self, name: &str) -> bool {
        let group = self.groups.remove(name);
        self.bytes -= group.as_ref().map_or(0, Group::bytes);
        group.is_some()
    }

    /// Removes a stream with all it holds. `false` when there is none.
    pub(super) fn delete_stream(&mut self, group: &str, stream: &str) -> bool {
        let group = self.groups.get_mut(group);
        let stream = group.and_then(|group| group.streams.remove(stream));
        self.bytes -= stream.as_ref().map_or(0, |stream| stream.bytes);
        stream.is_some()
    }

    /// What `awslogs-create-group` does.
    pub(crate) fn ensure_group(&mut self, name: &str, now: Timestamp) {
        self.groups
            .entry(name.to_owned())
            .or_insert_with(|| Group::new(now));
    }

    /// Makes a container's stream. The oldest streams give way to it.
    pub(crate) fn open_stream(&mut self, log: &LogTarget, now: Timestamp) {
        let Some(group) = self.groups.get(&log.group) else {
            return;
        };
        if group.streams.contains_key(&log.stream) {
            return;
        }
        if group.streams.len() >= STREAMS {
            let oldest = group
                .streams
                .iter()
                .min_by_key(|(_, stream)| stream.ingested.unwrap_or(stream.created))
                .map(|(name, _)| name.clone());
            if let Some(stream) = oldest {
                self.delete_stream(&log.group, &stream);
            }
        }
        let stream = Stream {
            created: now,
            ingested: None,
            events: VecDeque::new(),
            bytes: 0,
        };
        if let Some(group) = self.groups.get_mut(&log.group) {
            group.streams.insert(log.stream.clone(), stream);
        }
    }

    /// Appends lines. Output for a group that does not exist is dropped, as CloudWatch's agent would.
    pub(crate) fn append(
        &mut self,
        log: &LogTarget,
        lines: Vec<(Timestamp, String)>,
        now: Timestamp,
    ) {
        self.open_stream(log, now);
        let Some(stream) = self
            .groups
            .get_mut(&log.group)
            .and_then(|group| group.streams.get_mut(&log.stream))
        else {
            return;
        };
        let before = stream.bytes;
        stream.ingested = Some(now);
        for (at, mut message) in lines {
            message.truncate(message.floor_char_boundary(LINE_BYTES));
            self.sequence += 1;
            stream.insert(LogEvent {
                sequence: self.sequence,
                at,
                ingested: now,
                message,
            });
        }
        while stream.events.len() > STREAM_LINES || stream.bytes > STREAM_BYTES {
            stream.drop_oldest();
        }
        self.bytes = self.bytes - before + stream.bytes;
        while self.bytes > ALL_BYTES && self.drop_oldest_stream() {}
    }

    /// Empties the stream that has been silent longest.
    fn drop_oldest_stream(&mut self) -> bool {
        let oldest = self
            .groups
            .values_mut()
            .flat_map(|group| group.streams.values_mut())
            .filter(|stream| stream.bytes > 0)
            .min_by_key(|stream| stream.ingested);
        let Some(stream) = oldest else {
            return false;
        };
        self.bytes -= stream.bytes;
        stream.bytes = 0;
        stream.events.clear();
        true
    }
}

impl Stream {
    fn insert(&mut self, event: LogEvent) {
        self.bytes += event.message.len() + OVERHEAD;
        let place = event.place();
        let at = match self.events.back() {
            Some(last) if last.place() > place => {
                self.events.partition_point(|other| other.place() < place)
            }
            Some(_) | None => self.events.len(),
        };
        self.events.insert(at, event);
    }

    fn drop_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.message.len() + OVERHEAD;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_bounded_and_keeps_its_newest_lines() {
        let mut logs = Logs::default();
        let now = Timestamp::UNIX_EPOCH;
        let log = LogTarget {
            group: "/ecs/api".to_owned(),
            stream: "api/api/1".to_owned(),
        };
        logs.ensure_group(&log.group, now);
        for batch in 0..30 {
            let lines = (0..1_000)
                .map(|line| (now, format!("{batch} {line}")))
                .collect();
            logs.append(&log, lines, now);
        }
        let stream = &logs.groups["/ecs/api"].streams["api/api/1"];
        assert_eq!(stream.events.len(), STREAM_LINES);
        assert_eq!(stream.events.back().unwrap().message, "29 999");
        assert_eq!(logs.bytes, stream.bytes);
    }

    #[test]
    fn output_without_a_group_is_dropped() {
        let mut logs = Logs::default();
        let log = LogTarget {
            group: "/gone".to_owned(),
            stream: "s".to_owned(),
        };
        let now = Timestamp::UNIX_EPOCH;
        logs.append(&log, vec![(now, "x".to_owned())], now);
        assert!(logs.groups.is_empty());
    }
}
