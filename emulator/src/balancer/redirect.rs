//! Where a redirect leads.

use crate::core::{Redirect, RequestHead};

/// A longer location is refused, as ALB does.
const LOCATION: usize = 8 * 1024;

/// The location, with the request's own parts in their places; `None` when it is too long. `port` is the listener's.
pub(super) fn location(to: &Redirect, request: &RequestHead<'_>, port: u16) -> Option<String> {
    let host = match request.host.rsplit_once(':') {
        Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => request.host,
    };
    let port = port.to_string();
    let parts = [
        ("#{protocol}", "http"),
        ("#{host}", host),
        ("#{port}", &port),
        ("#{path}", request.path.trim_start_matches('/')),
        ("#{query}", request.query),
    ];
    let fill = |template: &str| fill(template, &parts);
    let protocol = fill(&to.protocol).to_ascii_lowercase();
    let (host, port) = (fill(&to.host), fill(&to.port));
    let (path, query) = (fill(&to.path), fill(&to.query));
    let question = if query.is_empty() { "" } else { "?" };
    let location = format!("{protocol}://{host}:{port}{path}{question}{query}");
    (location.len() <= LOCATION).then_some(location)
}

/// Replaces each placeholder once over, so that what a client sends is never taken for one.
fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let (mut out, mut rest) = (String::new(), template);
    while let Some(at) = rest.find("#{") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        match parts.iter().find(|(name, _)| from.starts_with(name)) {
            Some((name, value)) => {
                out.push_str(value);
                rest = from.get(name.len()..).unwrap_or_default();
            }
            None => {
                out.push_str("#{");
                rest = from.get(2..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_own_parts_fill_the_gaps() {
        let to = |protocol: &str, host: &str, port: &str, path: &str, query: &str| Redirect {
            protocol: protocol.into(),
            host: host.into(),
            port: port.into(),
            path: path.into(),
            query: query.into(),
            status: 301,
        };
        let request = RequestHead {
            method: "GET",
            host: "shop.example:8080",
            path: "/a/#{query}",
            query: "x=1",
            headers: &[],
            source: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        let found = |to| location(&to, &request, 80).unwrap();
        assert_eq!(
            found(to("HTTPS", "#{host}", "443", "/#{path}", "#{query}")),
            "https://shop.example:443/a/#{query}?x=1"
        );
        assert_eq!(
            found(to(
                "#{protocol}",
                "new.#{host}",
                "#{port}",
                "/v2/#{path}",
                ""
            )),
            "http://new.shop.example:80/v2/a/#{query}"
        );
        assert_eq!(
            found(to("HTTP", "h", "1", "/#{x}", "a=#{")),
            "http://h:1/#{x}?a=#{"
        );
        let long = "#{path}".repeat(1_000);
        assert_eq!(
            location(&to("HTTP", "h", "1", &long, ""), &request, 80),
            None
        );
    }
}
