//! The clock of a run: wall time is a start, and what tokio's clock has passed since. A daemon may have one that is wrong.

use std::time::SystemTime;

use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When every run begins.
const START: i64 = 1_790_000_000;

/// A wall clock that goes as tokio's does, or wrong.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Timestamp,
    origin: Instant,
    /// Its seconds in one.
    pace: i32,
}

impl Clock {
    /// A clock that begins now, at the same time in every run.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Timestamp::constant(START, 0),
            origin: Instant::now(),
            pace: 1,
        }
    }

    /// A clock that goes as this one, and is ahead of it, or behind.
    #[must_use]
    pub fn ahead(self, by: SignedDuration) -> Self {
        let start = self.start.saturating_add(by).unwrap_or(self.start);
        Self { start, ..self }
    }

    /// A clock that shows the same now, and goes so many times as fast.
    #[must_use]
    pub fn times(self, pace: i32) -> Self {
        Self { pace, ..self }
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.origin.elapsed());
        let elapsed = elapsed.unwrap_or(SignedDuration::MAX);
        let elapsed = elapsed.saturating_mul(self.pace);
        self.start.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        Clock::now(self).into()
    }
}
