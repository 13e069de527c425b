//! The answers that the balancer gives itself, in ALB's form.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue, SERVER},
};

use super::body::Body;

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The request makes no sense to a load balancer.
    BadRequest,
    /// The target refused or broke the connection, or its answer is malformed.
    BadGateway,
    /// No target is registered, or none is fit.
    NoTarget,
    /// The target did not answer in time.
    TimedOut,
}

impl Answer {
    pub(super) fn response(self) -> Response<Body> {
        let (status, title) = match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "400 Bad Request"),
            Self::BadGateway => (StatusCode::BAD_GATEWAY, "502 Bad Gateway"),
            Self::NoTarget => (
                StatusCode::SERVICE_UNAVAILABLE,
                "503 Service Temporarily Unavailable",
            ),
            Self::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "504 Gateway Time-out"),
        };
        let html = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
        );
        let body = Full::new(Bytes::from(html)).map_err(|never| match never {});
        let mut response = Response::new(body.boxed_unsync());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(SERVER, HeaderValue::from_static("awselb/2.0"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        response
    }
}
