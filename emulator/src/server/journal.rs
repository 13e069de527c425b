//! What was called, for tests and for the curious.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    core::{Call, Service, is_write},
    faults::{Answer, ServiceName},
};

const MAX_ENTRIES: usize = 10_000;
/// A longer input, as JSON, is replaced by a marker. At the bound of entries, too, this keeps memory small.
const MAX_INPUT: usize = 16 * 1024;

/// The last calls, oldest first.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: VecDeque<Entry>,
    next: u64,
}

/// One call and its outcome.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    seq: u64,
    time: Timestamp,
    service: &'static str,
    operation: String,
    write: bool,
    caller: String,
    user_agent: String,
    input: Value,
    code: &'static str,
    status: u16,
    /// The faults that were applied to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<&'static str>,
}

/// A part of the journal.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    /// What to ask for next time, to get only what is new by then.
    next: u64,
    entries: Vec<Entry>,
}

impl Journal {
    pub(super) fn record(
        &mut self,
        call: Call,
        user_agent: String,
        answer: &Answer,
        faults: Vec<&'static str>,
        now: Timestamp,
    ) {
        let (code, status) = match answer {
            Answer::Reply(Ok(_)) | Answer::Lost(Ok(_)) => ("OK", 200),
            Answer::Reply(Err(error)) | Answer::Lost(Err(error)) => (error.code, error.status),
            Answer::Unheard | Answer::Never => ("NoAnswer", 0),
        };
        if self.entries.len() >= MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry {
            seq: self.next,
            time: now,
            service: ServiceName::from(call.service).name(),
            write: is_write(call.service, &call.operation),
            operation: call.operation,
            caller: call.caller,
            user_agent,
            input: bounded(without_content(call.service, call.input)),
            code,
            status,
            faults,
        });
        self.next += 1;
    }

    /// The entries from number `since` on, as far as they are still known.
    pub(super) fn since(&self, since: u64) -> Page {
        let entries = self.entries.iter().filter(|entry| entry.seq >= since);
        Page {
            next: self.next,
            entries: entries.cloned().collect(),
        }
    }
}

/// An object's content is nobody's business.
fn without_content(service: Service, mut input: Value) -> Value {
    if service == Service::S3
        && let Some(input) = input.as_object_mut()
    {
        input.shift_remove("Body");
    }
    input
}

fn bounded(input: Value) -> Value {
    let length = input.to_string().len();
    if length <= MAX_INPUT {
        input
    } else {
        json!({"tooLong": length})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Service;

    fn record(journal: &mut Journal, input: Value) {
        let call = Call {
            service: Service::Ecs,
            operation: "UpdateService".into(),
            input,
            caller: "AKID".into(),
        };
        let answer = Answer::Reply(Ok(json!({})));
        journal.record(
            call,
            "test".into(),
            &answer,
            Vec::new(),
            Timestamp::UNIX_EPOCH,
        );
    }

    #[test]
    fn asking_again_with_next_gives_only_what_is_new() {
        let mut journal = Journal::default();
        record(&mut journal, json!({"n": 0}));
        let page = journal.since(0);
        assert_eq!((page.next, page.entries.len()), (1, 1));
        assert!(journal.since(page.next).entries.is_empty());
        record(&mut journal, json!({"n": 1}));
        let page = serde_json::to_value(journal.since(page.next)).unwrap();
        assert_eq!(
            page,
            json!({"next": 2, "entries": [{
                "seq": 1, "time": "1970-01-01T00:00:00Z", "service": "ecs", "operation": "UpdateService", "write": true,
                "caller": "AKID", "userAgent": "test", "input": {"n": 1}, "code": "OK", "status": 200,
            }]})
        );
    }

    #[test]
    fn it_is_bounded() {
        let mut journal = Journal::default();
        for _ in 0..MAX_ENTRIES + 5 {
            record(&mut journal, json!({}));
        }
        let page = journal.since(0);
        assert_eq!(page.entries.len(), MAX_ENTRIES);
        assert_eq!(page.entries[0].seq, 5);
        record(&mut journal, json!({"text": "x".repeat(MAX_INPUT)}));
        let page = journal.since(page.next);
        assert_eq!(page.entries[0].input, json!({"tooLong": MAX_INPUT + 11}));
    }
}
