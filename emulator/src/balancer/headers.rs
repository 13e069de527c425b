//! What a load balancer takes out of headers and puts in.

use std::net::IpAddr;

use hyper::{
    HeaderMap,
    header::{
        CONNECTION, EXPECT, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
        TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};
use jiff::Timestamp;

pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Headers that are for one connection only: RFC 9110, section 7.6.1.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Removes what is for one connection only, and what `Connection` says is.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Removes headers whose names are more than letters, digits and hyphens:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html>.
pub(super) fn remove_invalid(headers: &mut HeaderMap) {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let bad: Vec<HeaderName> = headers
        .keys()
        .filter(|name| !name.as_str().bytes().all(allowed))
        .cloned()
        .collect();
    for name in bad {
        headers.remove(name);
    }
}

/// Says who asked, and gives the request an id:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html>,
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html>.
pub(super) fn add_forwarding(headers: &mut HeaderMap, client: IpAddr, port: u16, now: Timestamp) {
    // Our own server has already said `100 Continue`.
    headers.remove(EXPECT);
    let before = headers
        .get_all(&FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let chain: Vec<String> = before
        .map(str::to_owned)
        .chain([client.to_string()])
        .collect();
    set(headers, FORWARDED_FOR, &chain.join(", "));
    set(headers, FORWARDED_PROTO, "http");
    set(headers, FORWARDED_PORT, &port.to_string());
    let given = headers.get(&TRACE_ID).and_then(|value| value.to_str().ok());
    let traced = trace_id(given, &new_trace(now));
    set(headers, TRACE_ID, &traced);
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Without a root the id becomes the root; with one it is added as this hop's own.
fn trace_id(given: Option<&str>, id: &str) -> String {
    match given {
        None | Some("") => format!("Root={id}"),
        Some(given) => {
            let fields = || given.split(';').map(str::trim);
            let kept: Vec<&str> = fields().filter(|it| !it.starts_with("Self=")).collect();
            let name = if fields().any(|it| it.starts_with("Root=")) {
                "Self"
            } else {
                "Root"
            };
            format!("{name}={id};{}", kept.join(";"))
        }
    }
}

fn new_trace(now: Timestamp) -> String {
    let random = fastrand::u128(..) >> 32;
    format!("1-{:08x}-{random:024x}", now.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn hop_by_hop_headers_go_and_others_stay() {
        let mut map = headers(&[
            ("connection", "keep-alive, X-Mine"),
            ("connection", "close"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("x-mine", "1"),
            ("host", "shop.example"),
        ]);
        remove_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("host", "shop.example")]));
    }

    #[test]
    fn the_client_is_added_to_the_chain() {
        let mut map = headers(&[
            ("x-forwarded-for", "10.1.1.1"),
            ("x-forwarded-for", "10.2.2.2"),
            ("x-forwarded-proto", "https"),
        ]);
        let now = Timestamp::from_second(0x6789_1233).unwrap();
        add_forwarding(&mut map, "127.0.0.1".parse().unwrap(), 80, now);
        assert_eq!(map["x-forwarded-for"], "10.1.1.1, 10.2.2.2, 127.0.0.1");
        assert_eq!(map["x-forwarded-proto"], "http");
        assert_eq!(map["x-forwarded-port"], "80");
        let trace = map["x-amzn-trace-id"].to_str().unwrap();
        assert!(trace.starts_with("Root=1-67891233-") && trace.len() == "Root=".len() + 35);
    }

    #[test]
    fn a_given_root_is_kept() {
        assert_eq!(trace_id(None, "1-a-b"), "Root=1-a-b");
        assert_eq!(trace_id(Some("Root=x"), "1-a-b"), "Self=1-a-b;Root=x");
        assert_eq!(
            trace_id(Some("Self=y;Root=x;App=2"), "1-a-b"),
            "Self=1-a-b;Root=x;App=2"
        );
        assert_eq!(trace_id(Some("App=2"), "1-a-b"), "Root=1-a-b;App=2");
    }
}
