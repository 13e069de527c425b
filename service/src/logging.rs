//! Log lines: JSON on stdout, one object per line, fields at the top level.

use std::error::Error;
use std::io;
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Starts logging, and turns the panic message into a log line.
pub(crate) fn start(filter: Targets) {
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(io::stdout)
        // It would be told on stderr, and end the process where that cannot be written either.
        .log_internal_errors(false);
    tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .init();
    panic::set_hook(Box::new(log_panic));
}

/// Parses levels and `TARGET=LEVEL`, with commas between them. The library would also take a target alone, and so a level that is
/// misspelt: then nothing would be logged.
pub(crate) fn filter(text: &str) -> Result<Targets, String> {
    let text = text.replace(' ', "");
    let has_levels = text.split(',').all(names_a_level);
    let filter = has_levels.then(|| text.parse().ok()).flatten();
    filter.ok_or_else(|| {
        format!(
            "is `{text}`, which is not a log filter: a level (error, warn, info, debug, trace, off), and others for some modules, \
             such as info,api::http=debug"
        )
    })
}

fn names_a_level(directive: &str) -> bool {
    let level = directive.rsplit('=').next().unwrap_or_default();
    // Nothing is a level to the library.
    !level.is_empty() && level.parse::<LevelFilter>().is_ok()
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
    fn every_word_of_a_filter_names_a_level() {
        let expected = Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("api::http", LevelFilter::DEBUG);
        assert_eq!(filter("info, api::http=debug"), Ok(expected));
        assert_eq!(
            filter("WARN"),
            Ok(Targets::new().with_default(LevelFilter::WARN))
        );
        for bad in ["loud", "", "info,", "api", "api=loud", "api=", "a=b=info"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }

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
