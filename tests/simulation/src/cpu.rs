//! What work has cost.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The CPU time of this thread.
#[must_use]
pub fn of_thread() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .unwrap_or_default()
}
