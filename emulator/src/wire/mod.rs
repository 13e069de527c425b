//! AWS's wire protocols: bytes of HTTP in, a [`Call`] out; an outcome in, bytes of HTTP out.
//!
//! ECS, Logs and ECR speak JSON 1.1, ELBv2 and STS speak Query with XML answers, S3 speaks REST with XML. One port serves
//! all, as the signature's scope (S3), the target header, or else action and version, say which service is meant. Knows nothing of what an operation does.

mod json;
mod query;
mod s3;
mod xml;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, HeaderValue},
    http::request::Parts,
};
use jiff::{Timestamp, fmt::rfc2822};

use crate::core::{ApiError, Call, Reply, Service};

pub use s3::Asked;
pub(crate) use s3::is_s3;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// How a caller speaks, and so how it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// JSON 1.1.
    Json,
    /// Query parameters in, XML out, in the namespace of this service.
    Query(Service),
    /// S3's own.
    S3(Asked),
}

impl Protocol {
    /// The protocol's own word for a body that could not be read.
    pub(crate) fn unread(&self, error: ApiError) -> ApiError {
        match self {
            Self::Json | Self::Query(_) => error,
            Self::S3(_) => s3::unread(error),
        }
    }
}

/// Decodes a call to a region. The protocol is known even when the call is not, so that the failure can be said in it.
///
/// # Errors
/// The call is an error when it cannot be decoded: the one to answer with.
pub fn decode(head: &Parts, body: &[u8], region: &str) -> (Protocol, Result<Call, ApiError>) {
    let headers = &head.headers;
    if is_s3(headers) {
        let (asked, call) = s3::decode(head, body, region);
        return (Protocol::S3(asked), call);
    }
    if let Some(target) = headers.get("x-amz-target") {
        return (Protocol::Json, json::decode(target, body, caller(headers)));
    }
    if is_json(headers) {
        let missing = unknown_operation("the header x-amz-target is missing");
        return (Protocol::Json, Err(missing));
    }
    let parameters = if body.is_empty() {
        head.uri.query().unwrap_or_default().as_bytes()
    } else {
        body
    };
    let (service, call) = query::decode(parameters, caller(headers));
    (Protocol::Query(service), call)
}

/// Encodes the outcome of an operation.
#[must_use]
pub fn encode(
    protocol: &Protocol,
    operation: &str,
    outcome: &Result<Reply, ApiError>,
    request_id: &str,
    now: Timestamp,
) -> Response<Full<Bytes>> {
    let mut response = match protocol {
        Protocol::Json => document(
            json::CONTENT_TYPE,
            match outcome {
                Ok(reply) => json::reply(reply),
                Err(error) => json::error(error),
            },
            (REQUEST_ID, request_id),
        ),
        Protocol::Query(service) => document(
            xml::CONTENT_TYPE,
            match outcome {
                Ok(reply) => xml::reply(*service, operation, reply, request_id),
                Err(error) => xml::error(*service, error, request_id),
            },
            (REQUEST_ID, request_id),
        ),
        Protocol::S3(asked) => s3::encode(asked, operation, outcome, request_id),
    };
    if let Err(error) = outcome {
        *response.status_mut() =
            StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    // Clients correct their clock's skew by it, so it must be the clock that AWS's timestamps come from.
    if let Some(date) = date(now) {
        response.headers_mut().insert(DATE, date);
    }
    response
}

fn document(
    content_type: &'static str,
    text: String,
    (name, request_id): (HeaderName, &str),
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(name, id);
    }
    response
}

fn date(now: Timestamp) -> Option<HeaderValue> {
    let text = rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&now)
        .ok()?;
    HeaderValue::from_str(&text).ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/x-amz-json"))
}

/// Whom and what a signature says that it is for.
#[derive(Debug, Default)]
struct Scope {
    key: String,
    region: String,
    service: String,
}

/// From `Authorization: AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`; `None` without one.
/// The signature itself is not checked.
fn scope(headers: &HeaderMap) -> Option<Scope> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = text.split_once("Credential=")?;
    let credential = credential.split([',', ' ']).next()?;
    let mut parts = credential.split('/').map(str::to_owned);
    Some(Scope {
        key: parts.next()?,
        region: parts.nth(1).unwrap_or_default(),
        service: parts.next().unwrap_or_default(),
    })
}

/// The access key that signed; empty when none did.
fn caller(headers: &HeaderMap) -> String {
    scope(headers).map(|scope| scope.key).unwrap_or_default()
}

/// Names of operations become names of XML elements, so nothing but a plain word passes.
fn is_operation_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn unknown_operation(message: &str) -> ApiError {
    ApiError {
        status: 400,
        code: "UnknownOperationException",
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decode_with(headers: &[(&str, &str)], body: &str) -> (Protocol, Result<Call, ApiError>) {
        let mut request = hyper::Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        decode(&head, body.as_bytes(), "us-east-1")
    }

    #[test]
    fn routes_by_target_header() {
        for (target, service) in [
            (
                "AmazonEC2ContainerServiceV20141113.ListClusters",
                Service::Ecs,
            ),
            ("Logs_20140328.DescribeLogGroups", Service::Logs),
            (
                "AmazonEC2ContainerRegistry_V20150921.PutImage",
                Service::Ecr,
            ),
        ] {
            let (protocol, call) = decode_with(
                &[
                    ("x-amz-target", target),
                    (
                        "authorization",
                        "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=00",
                    ),
                ],
                r#"{"a":[1]}"#,
            );
            let call = call.unwrap();
            assert_eq!((protocol, call.service), (Protocol::Json, service));
            assert_eq!(target.rsplit('.').next().unwrap(), call.operation);
            assert_eq!(call.input, json!({"a": [1]}));
            assert_eq!(call.caller, "AKID");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_an_error_in_the_protocols_own_form() {
        let target = (
            "x-amz-target",
            "AmazonEC2ContainerServiceV20141113.ListClusters",
        );
        for (headers, body, code) in [
            (
                vec![("x-amz-target", "DynamoDB_20120810.ListTables")],
                "{}",
                "UnknownOperationException",
            ),
            (
                vec![("x-amz-target", "AmazonEC2ContainerServiceV20141113.A<b>")],
                "{}",
                "UnknownOperationException",
            ),
            (
                vec![("content-type", "application/x-amz-json-1.1")],
                "{}",
                "UnknownOperationException",
            ),
            (vec![target], "{", "SerializationException"),
            (vec![target], "[]", "SerializationException"),
            (vec![target], "\u{0}", "SerializationException"),
        ] {
            let (protocol, call) = decode_with(&headers, body);
            assert_eq!(protocol, Protocol::Json);
            assert_eq!(call.unwrap_err().code, code);
        }
        let deep = "[".repeat(100_000);
        assert_eq!(
            decode_with(&[target], &deep).1.unwrap_err().code,
            "SerializationException"
        );
    }

    #[test]
    fn an_empty_json_body_is_an_empty_input() {
        let (_, call) = decode_with(&[("x-amz-target", "Logs_20140328.DescribeLogGroups")], "");
        assert_eq!(call.unwrap().input, json!({}));
    }

    #[test]
    fn answers_carry_type_request_id_date_and_status() {
        let error = ApiError {
            status: 400,
            code: "ClusterNotFoundException",
            message: "Cluster not found.".into(),
        };
        let now = Timestamp::from_second(1_789_599_187).unwrap();
        let response = encode(&Protocol::Json, "ListServices", &Err(error), "id-1", now);
        assert_eq!(response.status(), 400);
        assert_eq!(
            response.headers()["content-type"],
            "application/x-amz-json-1.1"
        );
        assert_eq!(response.headers()["x-amzn-requestid"], "id-1");
        assert_eq!(response.headers()["date"], "Wed, 16 Sep 2026 22:53:07 GMT");
    }

    #[test]
    fn unsigned_calls_have_no_caller() {
        let (_, call) = decode_with(&[], "Action=GetCallerIdentity&Version=2011-06-15");
        assert_eq!(call.unwrap().caller, "");
    }
}
