//! `/metrics`, on a port of its own.

use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};

use super::Reply;
use super::reply::empty;
use crate::logging::chain;
use crate::metrics::Metrics;

/// Answers a scrape; `record` sets what is measured only when it is asked for.
pub(crate) fn scrape(
    metrics: &Metrics,
    record: impl FnOnce(&Metrics),
    method: &Method,
    path: &str,
) -> Reply {
    if path != "/metrics" {
        return empty(StatusCode::NOT_FOUND);
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    record(metrics);
    match metrics.text() {
        Ok(text) => {
            let mut reply = Response::new(Full::from(text));
            let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            reply.headers_mut().insert(CONTENT_TYPE, format);
            reply
        }
        Err(error) => {
            tracing::error!(error = chain(&error), "the metrics cannot be written");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}
