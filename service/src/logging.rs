//! Log lines: JSON on stdout, one object per line, fields at the top level.

use std::error::Error;
use std::io;
use std::panic;

use tracing_subscriber::EnvFilter;

/// Starts logging, and turns the panic message into a log line. `filter` has been checked by the configuration.
pub(crate) fn start(filter: &str) {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stdout)
        .init();
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(location, panic = message, "panicked");
    }));
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
