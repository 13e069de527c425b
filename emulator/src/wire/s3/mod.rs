//! S3's REST protocol, path style: the operation is in the method, the path, the query and the headers; documents are XML.
//!
//! Whatever a request asks for that is not known here is refused, as the answer would be another one with it.

mod answer;
mod checksum;
mod chunked;
mod location;
mod payload;
mod request;
#[cfg(test)]
mod tests;

use hyper::{HeaderMap, http::request::Parts};

use super::{Scope, scope};
use crate::core::{ApiError, Call};

pub(super) use answer::encode;

/// What the answer repeats of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The path, as it came.
    resource: String,
    /// The emulator's.
    region: String,
}

/// Whether a request was signed for S3. Nothing else tells it apart for certain.
pub(crate) fn is_s3(headers: &HeaderMap) -> bool {
    scope(headers).is_some_and(|scope| scope.service == "s3")
}

/// Decodes a call to the S3 of a region.
pub(super) fn decode(head: &Parts, body: &[u8], region: &str) -> (Asked, Result<Call, ApiError>) {
    let asked = Asked {
        resource: head.uri.path().to_owned(),
        region: region.to_owned(),
    };
    let call = match scope(&head.headers) {
        Some(Scope {
            region: signed_for, ..
        }) if signed_for != region => Err(error(
            400,
            "AuthorizationHeaderMalformed",
            format!(
                "The authorization header is malformed; the region '{signed_for}' is wrong; expecting '{region}'"
            ),
        )),
        scope => request::decode(head, body, scope.map(|it| it.key).unwrap_or_default()),
    };
    (asked, call)
}

/// S3's word for a body that could not be read.
pub(super) fn unread(failure: ApiError) -> ApiError {
    match failure.status {
        413 => too_large(),
        408 => error(400, "RequestTimeout", failure.message),
        _ => failure,
    }
}

fn too_large() -> ApiError {
    let message = "Your proposed upload exceeds the maximum allowed size";
    error(400, "EntityTooLarge", message)
}

fn error(status: u16, code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError {
        status,
        code,
        message: message.into(),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    error(400, "InvalidArgument", message)
}

/// What S3 has, or may have, and the emulator does not.
fn not_implemented(what: impl std::fmt::Display) -> ApiError {
    let message = format!("The emulator does not support {what}.");
    error(501, "NotImplemented", message)
}
