//! What has been told, so that a line that is read again is not told again.

use std::collections::{HashSet, VecDeque};

use jiff::Timestamp;

use crate::aws::LogLine;

/// Lines remembered as told. What is forgotten is older than what is read again, but for a flood.
const REMEMBERED: usize = 100_000;

/// Lines that have been told.
#[derive(Debug, Default)]
pub(super) struct Told {
    ids: HashSet<String>,
    order: VecDeque<String>,
    /// Lines that were read by stream, which have no ids.
    without_id: HashSet<(Timestamp, String, String, String)>,
}

impl Told {
    /// Whether it is new.
    pub(super) fn note(&mut self, line: &LogLine) -> bool {
        let content = || {
            let LogLine {
                time,
                task,
                container,
                message,
                ..
            } = line.clone();
            (time, task, container, message)
        };
        if line.id.is_empty() {
            self.without_id.insert(content());
            return true;
        }
        if !self.ids.insert(line.id.clone()) {
            return false;
        }
        self.order.push_back(line.id.clone());
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.ids.remove(&oldest);
            }
        }
        !self.without_id.remove(&content())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_again_is_told_once_and_memory_is_bounded() {
        let line = |id: &str| LogLine {
            time: Timestamp::UNIX_EPOCH,
            task: "4c1d".to_owned(),
            container: "api".to_owned(),
            message: format!("line {id}"),
            id: id.to_owned(),
        };
        let mut told = Told::default();
        assert!(told.note(&line("1")));
        assert!(!told.note(&line("1")));
        for id in 2..=REMEMBERED + 5 {
            assert!(told.note(&line(&id.to_string())));
        }
        assert_eq!(told.ids.len(), REMEMBERED);
        assert!(told.note(&line("1")), "forgotten");

        let by_stream = LogLine {
            id: String::new(),
            ..line("9x")
        };
        assert!(told.note(&by_stream));
        assert!(!told.note(&line("9x")), "read again by search");
    }
}
