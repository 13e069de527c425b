//! From a body to the content that it carries, checked by whatever it comes with.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::HeaderMap;
use md5::{Digest, Md5};
use sha2::Sha256;

use super::{
    checksum::Algorithm,
    chunked::{Chunked, Form},
    error, invalid, not_implemented, too_large,
};
use crate::core::ApiError;

/// Longer ones are not kept by the model either; refused here, they are not copied first.
const CONTENT: usize = 5 * 1024 * 1024;

/// A header's text; that of the first, when there are more.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ApiError> {
    let wrong = |_| invalid(format!("The header {name} is not text."));
    let value = headers.get(name).map(|value| value.to_str());
    value.transpose().map_err(wrong)
}

/// The content of a body.
///
/// # Errors
/// When it is too long, is not encoded as the headers say, or is not what they have a digest of.
pub(super) fn content<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, [u8]>, ApiError> {
    let hash = header(headers, "x-amz-content-sha256")?.unwrap_or("UNSIGNED-PAYLOAD");
    let encoding = header(headers, "content-encoding")?.unwrap_or_default();
    if let Some(form) = Form::of(hash) {
        if !["", "aws-chunked"].contains(&encoding) {
            return Err(not_implemented(format_args!(
                "Content-Encoding: {encoding:.100}"
            )));
        }
        let Chunked { content, trailers } = form.decode(body)?;
        check_length(headers, content.len())?;
        check_trailers(headers, &trailers)?;
        check(headers, &trailers, &content)?;
        return Ok(Cow::Owned(content));
    }
    if hash.starts_with("STREAMING-") {
        return Err(not_implemented(format_args!(
            "x-amz-content-sha256: {hash:.100}"
        )));
    }
    if !encoding.is_empty() {
        return Err(not_implemented(format_args!(
            "Content-Encoding: {encoding:.100} with a payload of one piece"
        )));
    }
    if body.len() > CONTENT {
        return Err(too_large());
    }
    if hash != "UNSIGNED-PAYLOAD" && hash != hex::encode(Sha256::digest(body)) {
        return Err(error(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ));
    }
    check(headers, &[], body)?;
    Ok(Cow::Borrowed(body))
}

fn check_length(headers: &HeaderMap, length: usize) -> Result<(), ApiError> {
    let said = header(headers, "x-amz-decoded-content-length")?.ok_or_else(|| {
        let message = "You must provide the x-amz-decoded-content-length HTTP header.";
        error(411, "MissingContentLength", message)
    })?;
    if said.parse() != Ok(length) {
        return Err(error(
            400,
            "IncompleteBody",
            "The request body does not have the length of the x-amz-decoded-content-length header",
        ));
    }
    if length > CONTENT {
        return Err(too_large());
    }
    Ok(())
}

/// The trailers must be those that `x-amz-trailer` announces.
fn check_trailers(headers: &HeaderMap, trailers: &[(String, String)]) -> Result<(), ApiError> {
    let announced = header(headers, "x-amz-trailer")?.unwrap_or_default();
    let announced = announced.to_ascii_lowercase();
    let announced = announced
        .split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty());
    if !announced.eq(trailers.iter().map(|(name, _)| name.as_str())) {
        return Err(error(
            400,
            "MalformedTrailerError",
            "The trailers are not those that x-amz-trailer announces.",
        ));
    }
    Ok(())
}

/// Compares a content with the digests that came with it.
fn check(
    headers: &HeaderMap,
    trailers: &[(String, String)],
    content: &[u8],
) -> Result<(), ApiError> {
    if let Some(text) = header(headers, "content-md5")? {
        let given = STANDARD.decode(text).ok().filter(|it| it.len() == 16);
        let given = given.ok_or_else(|| {
            let message = "The Content-MD5 you specified was invalid.";
            error(400, "InvalidDigest", message)
        })?;
        if given != Md5::digest(content).to_vec() {
            let message = "The Content-MD5 you specified did not match what we received.";
            return Err(error(400, "BadDigest", message));
        }
    }
    let mut checked = None;
    let in_headers = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
    let in_trailers = trailers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in in_headers.chain(in_trailers) {
        let Some(algorithm) = Algorithm::of_header(name) else {
            continue;
        };
        if checked.replace(algorithm).is_some() {
            let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
            return Err(error(400, "InvalidRequest", message));
        }
        algorithm.check(content, value)?;
    }
    let unknown = trailers
        .iter()
        .find(|(name, _)| Algorithm::of_header(name).is_none());
    if let Some((name, _)) = unknown {
        return Err(not_implemented(format_args!("the trailer {name:.100}")));
    }
    // Who says that there is a checksum and sends none would not notice that nothing was checked.
    match header(headers, "x-amz-sdk-checksum-algorithm")? {
        Some(named)
            if checked != Algorithm::of_name(&named.to_ascii_lowercase()) || checked.is_none() =>
        {
            Err(error(
                400,
                "InvalidRequest",
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
            ))
        }
        Some(_) | None => Ok(()),
    }
}
