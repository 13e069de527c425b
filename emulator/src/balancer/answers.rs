//! The answers that the balancer gives itself, in ALB's form.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION, SERVER},
};

use super::body::Body;
use crate::core::FixedResponse;

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The request makes no sense to a load balancer.
    BadRequest,
    /// The method is not for load balancers.
    NotAllowed,
    /// The client stopped sending its body.
    ClientTimedOut,
    /// The path and query are longer than a load balancer takes.
    UriTooLong,
    /// `X-Forwarded-For` has more addresses than a load balancer takes.
    TooManyAddresses,
    /// The body is encoded in a way that is not known.
    NotImplemented,
    /// The target refused or broke the connection, or its answer is malformed.
    BadGateway,
    /// No target is registered, or none is fit.
    NoTarget,
    /// The target did not answer in time.
    TimedOut,
    /// A redirect would lead to a longer place than a load balancer says.
    LocationTooLong,
}

impl Answer {
    pub(super) fn response(self) -> Response<Body> {
        let (status, reason) = match self {
            Self::BadRequest => (400, "Bad Request"),
            Self::NotAllowed => (405, "Not Allowed"),
            Self::ClientTimedOut => (408, "Request Time-out"),
            Self::UriTooLong => (414, "Request-URI Too Large"),
            Self::TooManyAddresses => (463, ""),
            Self::NotImplemented => (501, "Not Implemented"),
            Self::BadGateway => (502, "Bad Gateway"),
            Self::NoTarget => (503, "Service Temporarily Unavailable"),
            Self::TimedOut => (504, "Gateway Time-out"),
            Self::LocationTooLong => (507, "Insufficient Storage"),
        };
        let mut response = page(status, reason);
        if self == Self::ClientTimedOut {
            // What is left of the body would be taken for the next request.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }
}

/// Answers what a rule says, without a target.
pub(super) fn fixed(fixed: &FixedResponse) -> Response<Body> {
    let body = fixed.body.clone().unwrap_or_default();
    let content_type = fixed.content_type.as_deref().unwrap_or("text/plain");
    respond(fixed.status, content_type, body)
}

/// Sends the client elsewhere.
pub(super) fn redirect(status: u16, location: &str) -> Response<Body> {
    let reason = if status == 301 {
        "Moved Permanently"
    } else {
        "Found"
    };
    let mut response = page(status, reason);
    match HeaderValue::from_str(location) {
        Ok(location) => {
            response.headers_mut().insert(LOCATION, location);
            response
        }
        Err(_) => Answer::BadRequest.response(),
    }
}

fn page(status: u16, reason: &str) -> Response<Body> {
    let title = format!("{status} {reason}");
    let title = title.trim_end();
    let html = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    respond(status, "text/html", html)
}

fn respond(status: u16, content_type: &str, body: String) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("awselb/2.0"));
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    response
}
