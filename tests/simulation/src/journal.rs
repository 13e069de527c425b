//! All that happened in a run, in its order: what the checker judges by.

use std::time::Duration;

use emulator::core::{ApiError, Reply, Service};
use jiff::Timestamp;
use serde_json::Value;

use crate::{manifest::Files, sight::Sight};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A daemon sends a call of AWS's API: as if it arrived at once and nothing went wrong with it. What a write may do is
    /// judged by this, whatever becomes of it.
    Sent(Box<Called>),
    /// A call of AWS's API arrived.
    Called(Box<Called>),
    /// The hand has put these manifests in place of all that there were.
    Manifests(Files),
    /// The hand did something else to the world, in these words.
    Meddled(String),
    /// A daemon was started, the n-th of the run.
    Started(usize),
    /// A daemon ended: it was killed, or told to.
    Ended(usize),
    /// A service as AWS has it, by name.
    Seen(String, Box<Sight>),
    /// From now on nobody touches anything for so long, and everything has come to rest before.
    Rest(Duration),
}

/// A call of AWS's API.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    /// Who made it.
    pub by: Caller,
    /// The service.
    pub service: Service,
    /// The operation's name.
    pub operation: String,
    /// Its input.
    pub input: Value,
    /// What AWS did.
    pub outcome: Result<Reply, ApiError>,
    /// The names of the faults that were applied to it.
    pub faults: Vec<&'static str>,
    /// Whether it was carried out.
    pub is_done: bool,
    /// Whether the caller was told the outcome.
    pub is_told: bool,
    /// Of a read: nothing that came after this time is in what it brought.
    pub shows: Timestamp,
    /// Of a read: the names of what a fault has taken out of the answer.
    pub fallen_out: Vec<String>,
    /// Of a write: what it is about, before and after.
    pub change: Option<Change>,
}

/// What a write is about, as AWS had it right before and right after.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Before.
    pub before: Sight,
    /// After.
    pub after: Sight,
}

/// Who made a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// The n-th daemon of the run.
    Daemon(usize),
    /// A person, a pipeline, another tool.
    Hand,
}

impl Entry {
    /// The call, if it was one.
    #[must_use]
    pub fn called(&self) -> Option<&Called> {
        match &self.what {
            What::Called(called) => Some(called),
            What::Sent(_)
            | What::Manifests(_)
            | What::Meddled(_)
            | What::Started(_)
            | What::Ended(_)
            | What::Seen(..)
            | What::Rest(_) => None,
        }
    }

    /// The write that a daemon sends, if it is that, with what it would change now.
    #[must_use]
    pub fn sent(&self) -> Option<(&Called, &Change)> {
        match &self.what {
            What::Sent(sent) => Some((sent, sent.change.as_ref()?)),
            What::Called(_)
            | What::Manifests(_)
            | What::Meddled(_)
            | What::Started(_)
            | What::Ended(_)
            | What::Seen(..)
            | What::Rest(_) => None,
        }
    }
}

impl Called {
    /// Whether a daemon has changed something, or has tried to.
    #[must_use]
    pub fn is_write_of_daemon(&self) -> bool {
        self.change.is_some() && matches!(self.by, Caller::Daemon(_))
    }

    /// Whether its caller knows what it came to.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.is_done && self.is_told && self.outcome.is_ok()
    }
}
