//! Answers that are not problems.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::conditional::etag;
use super::text::Text;
use super::{Reply, failure::Failure};
use crate::items::{Document, Source};

/// <https://www.rfc-editor.org/rfc/rfc9211>
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply
}

/// An answer to OPTIONS.
pub(crate) fn options(allow: &'static str) -> Reply {
    let mut reply = empty(StatusCode::NO_CONTENT);
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
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
pub(crate) fn document(status: StatusCode, document: &Document) -> Reply {
    let mut reply = json(status, document.json.clone());
    reply
        .headers_mut()
        .insert(ETAG, etag(document.version).header());
    reply
}

/// An answer to a client that has this version already.
pub(crate) fn not_modified(version: i64) -> Reply {
    let mut reply = empty(StatusCode::NOT_MODIFIED);
    reply.headers_mut().insert(ETAG, etag(version).header());
    reply
}

/// Says what the cache did.
pub(crate) fn set_cache_status(reply: &mut Reply, source: Source) {
    reply
        .headers_mut()
        .insert(CACHE_STATUS, cache_status(source).header());
}

/// Says whether the cache has taken a write.
pub(crate) fn set_write_status(reply: &mut Reply, stored: bool) {
    let status = HeaderValue::from_static(if stored {
        "api; fwd=method; stored"
    } else {
        "api; fwd=method; detail=unavailable"
    });
    reply.headers_mut().insert(CACHE_STATUS, status);
}

/// Sets a header to a text of our own making.
pub(crate) fn set(reply: &mut Reply, name: HeaderName, text: &str) -> Result<(), Failure> {
    let value = HeaderValue::from_str(text).map_err(|error| {
        let error = serde_json::Error::io(std::io::Error::other(error));
        Failure::Catalogue(error.into())
    })?;
    reply.headers_mut().insert(name, value);
    Ok(())
}

/// The longest is a bypass that was collapsed.
fn cache_status(source: Source) -> Text<48> {
    let and = |collapsed| if collapsed { "; collapsed" } else { "" };
    match source {
        Source::Hit { left, near } => {
            let detail = if near { "; detail=near" } else { "" };
            Text::new()
                .and("api; hit; ttl=")
                .number(left.as_secs())
                .and(detail)
        }
        Source::Miss { stored, collapsed } => {
            let stored = if stored { "; stored" } else { "" };
            Text::new()
                .and("api; fwd=miss")
                .and(stored)
                .and(and(collapsed))
        }
        Source::Bypass { collapsed } => Text::new()
            .and("api; fwd=bypass")
            .and(and(collapsed))
            .and("; detail=unavailable"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_cache_status_follows_rfc_9211() {
        let left = Duration::from_millis(42_900);
        let miss = |stored, collapsed| Source::Miss { stored, collapsed };
        let bypass = |collapsed| Source::Bypass { collapsed };
        let hit = |near| Source::Hit { left, near };
        for (source, text) in [
            (hit(false), "api; hit; ttl=42"),
            (hit(true), "api; hit; ttl=42; detail=near"),
            (miss(true, false), "api; fwd=miss; stored"),
            (miss(true, true), "api; fwd=miss; stored; collapsed"),
            (miss(false, false), "api; fwd=miss"),
            (bypass(false), "api; fwd=bypass; detail=unavailable"),
            (
                bypass(true),
                "api; fwd=bypass; collapsed; detail=unavailable",
            ),
        ] {
            assert_eq!(cache_status(source).as_str(), text);
        }
    }
}
