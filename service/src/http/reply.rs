//! Answers that are not problems.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::conditional::etag;
use super::{Reply, failure::Failure};
use crate::items::{CatalogueError, Document, Source};

/// <https://www.rfc-editor.org/rfc/rfc9211>
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply
}

/// An answer that is JSON already.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    reply.headers_mut().insert(CONTENT_TYPE, json);
    reply
}

/// An item with its entity tag.
pub(crate) fn document(status: StatusCode, document: &Document) -> Result<Reply, Failure> {
    let mut reply = json(status, document.json.clone());
    set(&mut reply, ETAG, &etag(document.version))?;
    Ok(reply)
}

/// Says what the cache did.
pub(crate) fn set_cache_status(reply: &mut Reply, source: Source) -> Result<(), Failure> {
    set(reply, CACHE_STATUS, &cache_status(source))
}

/// Sets a header to a text of our own making.
pub(crate) fn set(reply: &mut Reply, name: HeaderName, text: &str) -> Result<(), Failure> {
    let value = HeaderValue::from_str(text).map_err(|error| {
        let error = serde_json::Error::io(std::io::Error::other(error));
        Failure::Catalogue(CatalogueError::Json(error))
    })?;
    reply.headers_mut().insert(name, value);
    Ok(())
}

fn cache_status(source: Source) -> String {
    match source {
        Source::Hit(left) => format!("api; hit; ttl={}", left.as_secs()),
        Source::Miss { stored: true } => "api; fwd=miss; stored".to_owned(),
        Source::Miss { stored: false } => "api; fwd=miss".to_owned(),
        Source::Bypass => "api; fwd=bypass; detail=unavailable".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_cache_status_follows_rfc_9211() {
        let text = |source| cache_status(source);
        let hit = Source::Hit(Duration::from_millis(42_900));
        assert_eq!(text(hit), "api; hit; ttl=42");
        assert_eq!(text(Source::Miss { stored: true }), "api; fwd=miss; stored");
        assert_eq!(text(Source::Miss { stored: false }), "api; fwd=miss");
        assert_eq!(text(Source::Bypass), "api; fwd=bypass; detail=unavailable");
    }
}
