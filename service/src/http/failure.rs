//! Everything that can go wrong with a request, and the problem document (RFC 9457) that says so.
//!
//! What the client may read and what the log says are two messages: the cause goes to the log alone.

use std::error::Error;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::Reply;
use super::reply::set_cache_status;
use super::request_id::RequestId;
use crate::items::{CatalogueError, Invalid, Source};
use crate::logging::{Sparse, chain};

/// Of requests that fail because a store is away.
static UNAVAILABLE: Sparse = Sparse::new(Duration::from_millis(200));

/// Why a request is not answered with what it asks for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("there is nothing at this path; /docs shows what there is")]
    NoRoute,
    #[error("there is no item with this id")]
    NoItem,
    #[error("there is no item with this id")]
    Absent(Source),
    #[error("this method is not allowed here; {allow} are")]
    Method { allow: &'static str },
    #[error("the request must have one Host header")]
    Host,
    #[error("{0}")]
    Query(String),
    #[error("the path and its query are longer than {most} bytes")]
    TargetTooLong { most: usize },
    #[error("the body must be application/json")]
    MediaType,
    #[error("the body must not be compressed: Content-Encoding is not supported")]
    ContentEncoding,
    #[error("the body is larger than {most} bytes")]
    TooLarge { most: usize },
    #[error("the body did not arrive in time")]
    BodyLate,
    #[error("the body could not be read")]
    BodyBroken(#[source] Box<dyn Error + Send + Sync>),
    #[error("the item is not acceptable")]
    Invalid(Vec<Invalid>),
    #[error("no tag of If-Match is the item's: a tag is strong and quoted, such as \"3\"")]
    VersionMismatch,
    #[error("the request could not be carried out")]
    Catalogue(#[from] CatalogueError),
    #[error("the request could not be carried out")]
    Panicked,
}

/// The members of RFC 9457, section 3.1, and two extensions.
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem<'a> {
    /// The status says it all, so there is no type of our own.
    #[schema(example = "about:blank")]
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: String,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Invalid],
}

impl Failure {
    /// The answer to the client; what is our fault is logged.
    pub(crate) fn reply(&self, id: &RequestId) -> Reply {
        let status = self.status();
        self.log(status, id);
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.detail(status),
            request_id: id.as_str(),
            errors: self.errors(),
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut reply = Response::new(Full::from(body));
        *reply.status_mut() = status;
        let headers = reply.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Self::Method { allow } = self {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if matches!(
            self,
            Self::Host | Self::TargetTooLong { .. } | Self::BodyLate
        ) {
            // Who asks like this will not do better on this connection.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Self::Absent(source) = self {
            set_cache_status(&mut reply, *source);
        }
        reply
    }

    /// What is our fault is logged. While a store is away all requests may fail alike, so of those a line now and then does.
    fn log(&self, status: StatusCode, id: &RequestId) {
        let (request_id, error) = (id.as_str(), || chain(self));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            if let Some(left_out) = UNAVAILABLE.admit(Instant::now()) {
                let error = error();
                tracing::warn!(request_id, status = 503, error, left_out, "failed");
            }
        } else if status.is_server_error() {
            let error = error();
            tracing::error!(request_id, status = status.as_u16(), error, "failed");
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NoRoute | Self::NoItem | Self::Absent(_) => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Host | Self::Query(_) | Self::BodyBroken(_) => StatusCode::BAD_REQUEST,
            Self::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::MediaType | Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyLate => StatusCode::REQUEST_TIMEOUT,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::VersionMismatch => StatusCode::PRECONDITION_FAILED,
            Self::Catalogue(error) if error.is_temporary() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Catalogue(_) | Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn errors(&self) -> &[Invalid] {
        if let Self::Invalid(errors) = self {
            errors
        } else {
            &[]
        }
    }

    fn detail(&self, status: StatusCode) -> String {
        match status {
            StatusCode::SERVICE_UNAVAILABLE => "the database is unavailable; try again".to_owned(),
            _ => self.to_string(),
        }
    }
}
