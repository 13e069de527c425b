//! Patterns of texts, and networks.

use std::net::IpAddr;

/// A network in CIDR form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let prefix: u8 = prefix.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= longest).then_some(Self { address, prefix })
    }

    pub(super) fn text(&self) -> String {
        format!("{}/{}", self.address, self.prefix)
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = u32::from(network) ^ u32::from(address);
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = u128::from(network) ^ u128::from(address);
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// A `Host` header without its port.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

pub(super) fn matches_any_case(pattern: &str, text: &str) -> bool {
    matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// Whether a pattern of `*` and `?` covers the whole text. Takes no longer than both lengths multiplied.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (mut rest, mut text) = (pattern.as_bytes(), text.as_bytes());
    // Where to go on when it turns out that the last `*` stands for one byte more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (rest, text) {
            ([b'*', after @ ..], _) => {
                rest = after;
                retry = text.split_first().map(|(_, later)| (after, later));
            }
            ([wanted, after @ ..], [byte, later @ ..]) if *wanted == b'?' || wanted == byte => {
                (rest, text) = (after, later);
            }
            ([], []) => return true,
            _ => match retry {
                Some((after, later)) => {
                    (rest, text) = (after, later);
                    retry = later.split_first().map(|(_, still)| (after, still));
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_the_whole_text() {
        for (pattern, text) in [
            ("/", "/"),
            ("/img/*", "/img/"),
            ("/img/*", "/img/a/b.png"),
            ("/img/*/pics", "/img/a/b/pics"),
            ("/a?c", "/abc"),
            ("*", ""),
            ("*.example.com", "shop.example.com"),
            ("*a*b", "xaybazb"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("/", "/a"),
            ("/img/*", "/img"),
            ("/img", "/IMG"),
            ("/a?c", "/ac"),
            ("*.example.com", "example.com"),
            ("*a*b", "xaybazc"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_long_text_and_many_wildcards_take_no_time() {
        assert!(!matches("*a*a*a*a*b", &"a".repeat(100_000)));
    }

    #[test]
    fn networks_contain_their_addresses() {
        let inside = |network: &str, address: &str| {
            Network::parse(network)
                .unwrap()
                .contains(address.parse().unwrap())
        };
        assert!(inside("127.0.0.0/8", "127.9.9.9"));
        assert!(!inside("127.0.0.0/8", "128.0.0.1"));
        assert!(inside("0.0.0.0/0", "1.2.3.4"));
        assert!(inside("10.0.0.1/32", "10.0.0.1"));
        assert!(inside("::1/128", "::1"));
        assert!(!inside("::/0", "10.0.0.1"));
        for bad in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
