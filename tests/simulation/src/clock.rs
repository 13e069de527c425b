//! The one clock of a run: wall time is a start, and what tokio's clock has passed since.

use std::time::SystemTime;

use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When every run begins.
const START: i64 = 1_790_000_000;

/// A wall clock that goes as tokio's does.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Timestamp,
    origin: Instant,
}

impl Clock {
    /// A clock that begins now, at the same time in every run.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Timestamp::constant(START, 0),
            origin: Instant::now(),
        }
    }

    /// A clock that goes as this one, and is ahead of it.
    #[must_use]
    pub fn ahead(self, by: SignedDuration) -> Self {
        let start = self.start.saturating_add(by).unwrap_or(self.start);
        Self { start, ..self }
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.origin.elapsed());
        let elapsed = elapsed.unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        Clock::now(self).into()
    }
}
