//! From a request to the operation and its input.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::{HeaderMap, Uri, header::CONTENT_LENGTH, http::request::Parts};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{checksum, error, invalid, location, not_implemented, payload};
use crate::core::{ApiError, Call, Service};

/// Where something is said, and what it is called in the API.
type Names = &'static [(&'static str, &'static str)];

#[derive(Debug)]
struct Operation {
    name: &'static str,
    method: &'static str,
    /// How much of `/BUCKET/KEY` there is.
    depth: usize,
    query: Names,
    headers: Names,
    /// Headers that change nothing here, or that the payload is read by.
    known: &'static [&'static str],
}

const fn operation(name: &'static str, method: &'static str, depth: usize) -> Operation {
    Operation {
        name,
        method,
        depth,
        query: &[],
        headers: &[],
        known: &[],
    }
}

const CONDITIONS: Names = &[("if-match", "IfMatch"), ("if-none-match", "IfNoneMatch")];
/// It asks for the checksum that was stored, and none is.
const CHECKED: &[&str] = &["x-amz-checksum-mode"];

static OPERATIONS: [Operation; 9] = [
    operation("ListBuckets", "GET", 0),
    operation("CreateBucket", "PUT", 1),
    operation("HeadBucket", "HEAD", 1),
    operation("DeleteBucket", "DELETE", 1),
    Operation {
        query: &[
            ("list-type", "ListType"),
            ("prefix", "Prefix"),
            ("delimiter", "Delimiter"),
            ("max-keys", "MaxKeys"),
            ("continuation-token", "ContinuationToken"),
            ("start-after", "StartAfter"),
            ("encoding-type", "EncodingType"),
        ],
        ..operation("ListObjectsV2", "GET", 1)
    },
    Operation {
        headers: &[
            ("if-match", "IfMatch"),
            ("if-none-match", "IfNoneMatch"),
            ("content-type", "ContentType"),
        ],
        known: &[
            "content-encoding",
            "x-amz-decoded-content-length",
            "x-amz-sdk-checksum-algorithm",
            "x-amz-trailer",
        ],
        ..operation("PutObject", "PUT", 2)
    },
    Operation {
        headers: CONDITIONS,
        known: CHECKED,
        ..operation("GetObject", "GET", 2)
    },
    Operation {
        headers: CONDITIONS,
        known: CHECKED,
        ..operation("HeadObject", "HEAD", 2)
    },
    operation("DeleteObject", "DELETE", 2),
];

/// What any request may have and that changes nothing.
const PLAIN: [&str; 5] = [
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-expected-bucket-owner",
    "x-amz-security-token",
    "x-amz-user-agent",
];
/// Beside all of `x-amz-`, what changes the answer of a read or a write.
const MEANINGFUL: [&str; 5] = [
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
];
/// What S3 would store with an object and give back.
const STORED: [&str; 5] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
];

pub(super) fn decode(head: &Parts, body: &[u8], caller: String) -> Result<Call, ApiError> {
    let (bucket, key) = path(&head.uri)?;
    let depth = usize::from(bucket.is_some()) + usize::from(key.is_some());
    let operation = OPERATIONS
        .iter()
        .find(|it| it.method == head.method.as_str() && it.depth == depth)
        .ok_or_else(|| not_implemented(format_args!("{} of this resource", head.method)))?;
    let mut input = Map::new();
    let names = [("Bucket", bucket), ("Key", key)];
    for (name, value) in names {
        if let Some(value) = value {
            input.insert(name.to_owned(), Value::from(value));
        }
    }
    query(operation, &head.uri, &mut input)?;
    headers(operation, &head.headers, &mut input)?;
    match operation.name {
        // The older listing has no type. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
        "ListObjectsV2" if input.shift_remove("ListType") != Some(Value::from("2")) => {
            return Err(not_implemented("a listing but list-type=2"));
        }
        "CreateBucket" => {
            let content = payload::content(&head.headers, body)?;
            if let Some(location) = location::read(&content)? {
                let configuration = serde_json::json!({ "LocationConstraint": location });
                input.insert("CreateBucketConfiguration".to_owned(), configuration);
            }
        }
        "PutObject" => {
            if !head.headers.contains_key(CONTENT_LENGTH) {
                let message = "You must provide the Content-Length HTTP header.";
                return Err(error(411, "MissingContentLength", message));
            }
            let content = payload::content(&head.headers, body)?;
            input.insert("Body".to_owned(), Value::from(STANDARD.encode(&content)));
        }
        _ => {}
    }
    Ok(Call {
        service: Service::S3,
        operation: operation.name.to_owned(),
        input: Value::Object(input),
        caller,
    })
}

/// Bucket and key of `/BUCKET/KEY`; a key may itself begin with a slash.
fn path(uri: &Uri) -> Result<(Option<String>, Option<String>), ApiError> {
    let decode = |text: &str| {
        let wrong = |_| error(400, "InvalidURI", "Couldn't parse the specified URI.");
        let decoded = percent_decode_str(text).decode_utf8().map_err(wrong)?;
        Ok((!decoded.is_empty()).then(|| decoded.into_owned()))
    };
    let path = uri.path();
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    match (decode(bucket)?, decode(key)?) {
        (None, Some(_)) => Err(error(
            400,
            "InvalidBucketName",
            "The specified bucket is not valid.",
        )),
        both => Ok(both),
    }
}

fn query(operation: &Operation, uri: &Uri, input: &mut Map<String, Value>) -> Result<(), ApiError> {
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        // The SDKs name the operation once more, for logs.
        if name == "x-id" && value == operation.name {
            continue;
        }
        let member = member(operation.query, &name)
            .ok_or_else(|| not_implemented(format_args!("{} with ?{name:.100}", operation.name)))?;
        say(input, member, value)?;
    }
    Ok(())
}

fn headers(
    operation: &Operation,
    headers: &HeaderMap,
    input: &mut Map<String, Value>,
) -> Result<(), ApiError> {
    for name in headers.keys() {
        let name = name.as_str();
        if let Some(member) = member(operation.headers, name) {
            for value in headers.get_all(name) {
                let wrong = |_| invalid(format!("The header {name} is not text."));
                say(input, member, value.to_str().map_err(wrong)?.into())?;
            }
        } else if !is_known(operation, name) {
            return Err(not_implemented(format_args!(
                "{} with the header {name}",
                operation.name
            )));
        }
    }
    if let Some(owner) = payload::header(headers, "x-amz-expected-bucket-owner")? {
        say(input, "ExpectedBucketOwner", owner.into())?;
    }
    Ok(())
}

/// Whether a header changes nothing that is not done elsewhere.
fn is_known(operation: &Operation, name: &str) -> bool {
    let writes = operation.name == "PutObject";
    let is_checksum = writes && checksum::Algorithm::of_header(name).is_some();
    let has_meaning = name.starts_with("x-amz-")
        || MEANINGFUL.contains(&name)
        || (writes && STORED.contains(&name));
    !has_meaning || is_checksum || PLAIN.contains(&name) || operation.known.contains(&name)
}

fn member(names: Names, name: &str) -> Option<&'static str> {
    let found = names.iter().find(|(wire, _)| *wire == name);
    found.map(|(_, member)| *member)
}

fn say(
    input: &mut Map<String, Value>,
    member: &'static str,
    value: Cow<'_, str>,
) -> Result<(), ApiError> {
    match input.insert(member.to_owned(), Value::from(value)) {
        None => Ok(()),
        Some(_) => Err(invalid(format!("{member} is said twice."))),
    }
}
