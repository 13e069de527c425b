//! Log lines: JSON on stdout, one object per line, fields at the top level.

use std::error::Error;
use std::io;
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

/// Starts logging, and turns the panic message into a log line. `filter` has been checked by the configuration.
pub(crate) fn start(filter: &str) {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stdout)
        // It would be told on stderr, and end the process where that cannot be written either.
        .log_internal_errors(false)
        .init();
    panic::set_hook(Box::new(log_panic));
}

/// The log line of a panic.
pub(crate) fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("no message");
    tracing::error!(location, panic = message, "panicked");
}

/// Lets a line through only so often; for what may happen to every request.
#[derive(Debug)]
pub(crate) struct Sparse {
    /// Between two lines.
    pause: Duration,
    last: Mutex<Option<Instant>>,
    left_out: AtomicU64,
}

impl Sparse {
    pub(crate) const fn new(pause: Duration) -> Self {
        Self {
            pause,
            last: Mutex::new(None),
            left_out: AtomicU64::new(0),
        }
    }

    /// Whether this line may be written, and then how many were left out before it.
    pub(crate) fn admit(&self, now: Instant) -> Option<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.saturating_duration_since(last) < self.pause) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *last = Some(now);
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

/// An error with everything beneath it, in one line. `Display` of our errors never repeats the source.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_left_out_are_counted() {
        let (sparse, now) = (Sparse::new(Duration::from_secs(1)), Instant::now());
        let at = |milliseconds| now + Duration::from_millis(milliseconds);
        assert_eq!(sparse.admit(at(0)), Some(0));
        assert_eq!(sparse.admit(at(500)), None);
        assert_eq!(sparse.admit(at(999)), None);
        assert_eq!(sparse.admit(at(1_000)), Some(2));
        assert_eq!(sparse.admit(at(2_500)), Some(0));
    }
}
