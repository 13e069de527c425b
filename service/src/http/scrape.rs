//! `/metrics`, on a port of its own.

use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};

use super::Reply;
use super::reply::empty;
use crate::items::Catalogue;
use crate::logging::chain;
use crate::metrics::Metrics;

/// Answers a scrape.
pub(crate) fn scrape(
    metrics: &Metrics,
    catalogue: &Catalogue,
    method: &Method,
    path: &str,
) -> Reply {
    if path != "/metrics" {
        return empty(StatusCode::NOT_FOUND);
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    catalogue.record_pools(metrics);
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
