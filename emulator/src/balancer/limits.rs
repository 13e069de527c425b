//! What ALB refuses before it looks at rules.
//!
//! Sources: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html>

use hyper::{
    HeaderMap, Method, Request, Version,
    header::{HOST, TRANSFER_ENCODING},
};

use super::{answers::Answer, headers::FORWARDED_FOR};

/// Far more than clients send; the server's own bound would be 100.
pub(super) const HEADERS: usize = 1_000;
const REQUEST_LINE: usize = 16 * 1024;
const HEADER: usize = 16 * 1024;
const ALL_HEADERS: usize = 64 * 1024;
const FORWARDED: usize = 30;

/// # Errors
/// How the request is refused.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Answer> {
    let headers = request.headers();
    let one_host = headers.get_all(HOST).iter().count() == 1;
    let method = request.method();
    if method == Method::CONNECT || (request.version() == Version::HTTP_11 && !one_host) {
        return Err(Answer::BadRequest);
    }
    if method == Method::TRACE {
        return Err(Answer::NotAllowed);
    }
    if request.uri().to_string().len() > REQUEST_LINE {
        return Err(Answer::UriTooLong);
    }
    if !lengths_fit(headers) {
        return Err(Answer::BadRequest);
    }
    if !encoding_is_known(headers) {
        return Err(Answer::NotImplemented);
    }
    if forwarded(headers) > FORWARDED {
        return Err(Answer::TooManyAddresses);
    }
    Ok(())
}

fn lengths_fit(headers: &HeaderMap) -> bool {
    let lengths = || {
        headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
    };
    lengths().all(|length| length <= HEADER) && lengths().sum::<usize>() <= ALL_HEADERS
}

fn encoding_is_known(headers: &HeaderMap) -> bool {
    headers.get_all(TRANSFER_ENCODING).iter().all(|value| {
        let value = value.to_str().unwrap_or_default().trim();
        ["chunked", "identity"]
            .iter()
            .any(|known| value.eq_ignore_ascii_case(known))
    })
}

fn forwarded(headers: &HeaderMap) -> usize {
    let values = headers.get_all(&FORWARDED_FOR).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    values.map(|value| value.split(',').count()).sum()
}
