//! The emulator's only wall clock.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A wall clock read once; from there on, time passes as tokio says, so that it never jumps and a test may pause it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Timestamp,
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            start: Timestamp::now(),
            origin: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let elapsed =
            SignedDuration::try_from(self.origin.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// The instant at which [`Clock::now`] will have reached `time`; now, if it has passed.
    pub(crate) fn instant(&self, time: Timestamp) -> Instant {
        let ahead = std::time::Duration::try_from(time.duration_since(self.start));
        ahead
            .ok()
            .and_then(|ahead| self.origin.checked_add(ahead))
            .unwrap_or(self.origin)
    }
}
