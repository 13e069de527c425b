//! From an outcome to the answer: members that are headers, documents of lists, contents, and errors.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{
        CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED, LOCATION,
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{
    super::{date, xml},
    Asked,
};
use crate::core::{ApiError, Reply};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");
/// What `encoding-type=url` leaves as it is.
const IN_URLS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// What is keys, or parts of them.
const NAMES: [&str; 4] = ["Key", "Prefix", "Delimiter", "StartAfter"];

/// Members that are headers.
const HEADERS: [(&str, HeaderName); 5] = [
    ("BucketRegion", REGION),
    ("ContentType", CONTENT_TYPE),
    ("ContentLength", CONTENT_LENGTH),
    ("ETag", ETAG),
    ("Location", LOCATION),
];

pub(crate) fn encode(
    asked: &Asked,
    operation: &str,
    outcome: &Result<Reply, ApiError>,
    request_id: &str,
) -> Response<Full<Bytes>> {
    let mut response = match outcome {
        Ok(reply) => success(operation, reply),
        Err(error) => failure(asked, error, request_id),
    };
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn success(operation: &str, reply: &Reply) -> Response<Full<Bytes>> {
    match operation {
        "ListBuckets" => return document(list_of_buckets(reply)),
        "ListObjectsV2" => return document(list_of_objects(reply)),
        _ => {}
    }
    let body = reply.get("Body").and_then(Value::as_str);
    let body = body.and_then(|body| STANDARD.decode(body).ok());
    let mut response = Response::new(Full::new(Bytes::from(body.unwrap_or_default())));
    if operation.starts_with("Delete") {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    let headers = response.headers_mut();
    for (member, name) in HEADERS {
        let text = match reply.get(member) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
                continue;
            }
        };
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    let modified = reply.get("LastModified").and_then(Value::as_str);
    let modified = modified.and_then(|text| text.parse().ok()).and_then(date);
    if let Some(modified) = modified {
        headers.insert(LAST_MODIFIED, modified);
    }
    response
}

fn document(text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let kind = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn list_of_buckets(reply: &Reply) -> String {
    let mut out = format!(r#"{DECLARATION}<ListAllMyBucketsResult xmlns="{NAMESPACE}">"#);
    xml::element(
        &mut out,
        "Owner",
        reply.get("Owner").unwrap_or(&Value::Null),
    );
    out.push_str("<Buckets>");
    for bucket in reply
        .get("Buckets")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        xml::element(&mut out, "Bucket", bucket);
    }
    out.push_str("</Buckets></ListAllMyBucketsResult>");
    out
}

/// Its lists are repeated elements.
fn list_of_objects(reply: &Reply) -> String {
    let mut reply = reply.clone();
    if reply.get("EncodingType").is_some() {
        encode_names(&mut reply);
    }
    let mut out = format!(r#"{DECLARATION}<ListBucketResult xmlns="{NAMESPACE}">"#);
    for (name, value) in reply.as_object().into_iter().flatten() {
        match value {
            Value::Array(items) => items
                .iter()
                .for_each(|item| xml::element(&mut out, name, item)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => {
                xml::element(&mut out, name, value);
            }
        }
    }
    out.push_str("</ListBucketResult>");
    out
}

/// What `encoding-type=url` is about, wherever it stands:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html#API_ListObjectsV2_ResponseSyntax>.
fn encode_names(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(encode_names),
        Value::Object(members) => {
            for (name, member) in members {
                if let (Value::String(text), true) = (&mut *member, NAMES.contains(&name.as_str()))
                {
                    *text = utf8_percent_encode(text, IN_URLS).to_string();
                } else {
                    encode_names(member);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn failure(asked: &Asked, error: &ApiError, request_id: &str) -> Response<Full<Bytes>> {
    let mut out = format!("{DECLARATION}<Error><Code>{}</Code><Message>", error.code);
    xml::escape(&mut out, &error.message);
    out.push_str("</Message>");
    let elsewhere = error.code == "AuthorizationHeaderMalformed";
    if elsewhere {
        out.push_str(&format!("<Region>{}</Region>", asked.region));
    }
    out.push_str("<Resource>");
    xml::escape(&mut out, &asked.resource);
    out.push_str(&format!(
        "</Resource><RequestId>{request_id}</RequestId></Error>"
    ));
    let mut response = document(out);
    if let (true, Ok(region)) = (elsewhere, HeaderValue::from_str(&asked.region)) {
        response.headers_mut().insert(REGION, region);
    }
    // It says that the client has it all.
    if error.status == 304 {
        response.headers_mut().remove(CONTENT_TYPE);
        *response.body_mut() = Full::default();
    }
    response
}
