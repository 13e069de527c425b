//! `Server-Timing`, for callers who ask (<https://www.w3.org/TR/server-timing/>). Pure.
//!
//! The specification leaves open how one asks; here it is `Prefer: server-timing` (RFC 7240), which servers that do not know it ignore.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::text::Text;

pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What a request's time went to; the total is more than the sum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timings {
    pub(crate) cache: Option<Duration>,
    pub(crate) database: Option<Duration>,
}

/// Whether the caller asks for the header.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        // A preference may have parameters.
        .filter_map(|preference| preference.split(';').next())
        .any(|preference| preference.trim().eq_ignore_ascii_case("server-timing"))
}

/// The header's value, in milliseconds.
pub(crate) fn header(total: Duration, timings: Timings) -> HeaderValue {
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
    let part = |name, duration: Option<Duration>| {
        duration.map_or(Text::of(format_args!("")), |duration| {
            Text::<40>::of(format_args!(", {name};dur={:.3}", milliseconds(duration)))
        })
    };
    let (cache, database) = (part("cache", timings.cache), part("db", timings.database));
    Text::<120>::of(format_args!(
        "total;dur={:.3}{}{}",
        milliseconds(total),
        cache.as_str(),
        database.as_str()
    ))
    .header()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_for_those_who_ask() {
        let asks = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(PREFER, HeaderValue::from_static(value));
            is_wanted(&headers)
        };
        assert!(asks("server-timing"));
        assert!(asks("return=minimal, Server-Timing"));
        assert!(asks("server-timing; foo=1, respond-async"));
        assert!(!asks("server-timings"));
        assert!(!is_wanted(&HeaderMap::new()));
    }

    #[test]
    fn durations_are_in_milliseconds() {
        let total = Duration::from_micros(1_500);
        assert_eq!(header(total, Timings::default()), "total;dur=1.500");
        let timings = Timings {
            cache: Some(Duration::from_nanos(250_400)),
            database: Some(Duration::from_millis(1)),
        };
        assert_eq!(
            header(total, timings),
            "total;dur=1.500, cache;dur=0.250, db;dur=1.000"
        );
    }
}
