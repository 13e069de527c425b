//! The log line of a request, and which requests have one.

use std::time::Duration;

use hyper::StatusCode;
use hyper::http::request::Parts;

use super::request_id::RequestId;
use super::trace::Span;

/// The share of requests that are logged; those that failed through our mistake always are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AccessLog(f64);

/// What is known when a request is answered.
pub(crate) struct Answered<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) id: &'a RequestId,
    pub(crate) span: &'a Span,
    pub(crate) method: &'static str,
    pub(crate) route: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) took: Duration,
}

impl AccessLog {
    pub(crate) const ON: Self = Self(1.0);
    const OFF: Self = Self(0.0);

    /// Parses `on`, `off`, or a share between 0 and 1.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "on" => Ok(Self::ON),
            "off" => Ok(Self::OFF),
            _ => match text.parse() {
                Ok(share) if (0.0..=1.0).contains(&share) => Ok(Self(share)),
                _ => Err(format!(
                    "is `{text}`, which is not `on`, `off` or a share such as 0.01"
                )),
            },
        }
    }

    /// Logs one request, or not. Nothing is made for a line that is not written.
    pub(crate) fn write(self, answered: &Answered<'_>) {
        let Answered { status, .. } = answered;
        let is_sampled = self == Self::ON || (self != Self::OFF && fastrand::f64() < self.0);
        // A 503 is nobody's mistake, and may be the answer to all: those that are left out are counted by the metrics.
        let is_ours = status.is_server_error() && *status != StatusCode::SERVICE_UNAVAILABLE;
        if !is_sampled && !is_ours {
            return;
        }
        let headers = &answered.head.headers;
        // The load balancer's, where there is one.
        let amazon = headers
            .get("x-amzn-trace-id")
            .and_then(|value| value.to_str().ok());
        let ours = answered.span.text();
        tracing::info!(
            request_id = answered.id.as_str(),
            method = answered.method,
            route = answered.route,
            path = shortened(answered.head.uri.path()),
            status = status.as_u16(),
            duration_ms = answered.took.as_secs_f64() * 1000.0,
            trace = shortened(amazon.unwrap_or(ours.as_str())),
            "answered"
        );
    }
}

/// A client chooses what this holds.
fn shortened(text: &str) -> &str {
    text.split_at_checked(200).map_or(text, |(start, _)| start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_on_off_or_between() {
        assert_eq!(AccessLog::parse("on"), Ok(AccessLog(1.0)));
        assert_eq!(AccessLog::parse("off"), Ok(AccessLog(0.0)));
        assert_eq!(AccessLog::parse("0.01"), Ok(AccessLog(0.01)));
        for bad in ["", "1.1", "-0.1", "NaN", "yes"] {
            assert!(AccessLog::parse(bad).is_err(), "{bad}");
        }
    }
}
