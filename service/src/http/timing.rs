//! `Server-Timing`, for callers who ask (<https://www.w3.org/TR/server-timing/>). Pure.
//!
//! The specification leaves open how one asks; here it is `Prefer: server-timing` (RFC 7240), which servers that do not know it ignore.

use std::fmt::Write as _;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};

use super::text::Text;
use crate::waits::Waits;

pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Whether the caller asks for the header by this value of `Prefer`.
pub(crate) fn is_wanted(prefer: &HeaderValue) -> bool {
    let preferences = prefer.to_str().unwrap_or_default();
    preferences
        .split(',')
        // A preference may have parameters.
        .filter_map(|preference| preference.split(';').next())
        .any(|preference| preference.trim().eq_ignore_ascii_case("server-timing"))
}

/// The header's value, in milliseconds. The total is more than the sum of the waits.
pub(crate) fn header(total: Duration, waits: Waits) -> HeaderValue {
    let parts = [
        ("cache", waits.cache),
        ("database", waits.database),
        ("total", Some(total)),
    ];
    let mut text = Text::<120>::new();
    for (name, took) in parts {
        let Some(took) = took else { continue };
        let separator = if text.as_str().is_empty() { "" } else { ", " };
        let milliseconds = took.as_secs_f64() * 1000.0;
        // There is room for what any request takes.
        let _ = write!(text, "{separator}{name};dur={milliseconds:.3}");
    }
    text.header()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_for_those_who_ask() {
        let asks = |value| is_wanted(&HeaderValue::from_static(value));
        assert!(asks("server-timing"));
        assert!(asks("return=minimal, Server-Timing"));
        assert!(asks("server-timing; foo=1, respond-async"));
        assert!(!asks("server-timings"));
        assert!(!asks(""));
    }

    #[test]
    fn durations_are_in_milliseconds() {
        let total = Duration::from_micros(1_500);
        assert_eq!(header(total, Waits::default()), "total;dur=1.500");
        let waits = Waits {
            cache: Some(Duration::from_nanos(250_400)),
            database: Some(Duration::from_millis(1)),
        };
        assert_eq!(
            header(total, waits),
            "cache;dur=0.250, database;dur=1.000, total;dur=1.500"
        );
    }
}
