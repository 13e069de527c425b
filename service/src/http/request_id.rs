//! The id by which a request is found in the log: the caller's if it is fit for a log line, or else a new one.

use hyper::header::HeaderValue;
use uuid::Builder;
use uuid::fmt::Hyphenated;

/// Longer ids are replaced: they are copied into every log line.
const MAX: usize = 128;

/// A request's id: 1 to 128 visible ASCII characters without quotes or backslashes.
pub(crate) enum RequestId {
    Given(HeaderValue),
    /// A UUID in text.
    Made([u8; Hyphenated::LENGTH]),
}

impl RequestId {
    pub(crate) fn take_or_make(given: Option<&HeaderValue>) -> Self {
        let given = given.filter(|value| is_fit(value.as_bytes()));
        given.cloned().map_or_else(Self::make, Self::Given)
    }

    pub(crate) fn header(&self) -> HeaderValue {
        match self {
            Self::Given(value) => value.clone(),
            Self::Made(text) => {
                HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static("unknown"))
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Given(value) => value.to_str().unwrap_or_default(),
            Self::Made(text) => std::str::from_utf8(text).unwrap_or_default(),
        }
    }

    /// A random UUID. It must be unique, not secret, so the thread's own generator does, without a system call.
    fn make() -> Self {
        let uuid = Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid();
        let mut text = [0; Hyphenated::LENGTH];
        uuid.hyphenated().encode_lower(&mut text);
        Self::Made(text)
    }
}

fn is_fit(id: &[u8]) -> bool {
    (1..=MAX).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(given: &str) -> String {
        let given = HeaderValue::from_str(given).unwrap();
        let id = RequestId::take_or_make(Some(&given));
        assert_eq!(id.header(), id.as_str());
        id.as_str().to_owned()
    }

    #[test]
    fn a_fit_id_is_kept_and_any_other_replaced() {
        assert_eq!(id("trace-1:2/3"), "trace-1:2/3");
        for bad in ["", "two words", "a\"b", &"x".repeat(MAX + 1)] {
            let made = uuid::Uuid::parse_str(&id(bad)).unwrap();
            assert_eq!(made.get_version_num(), 4, "{bad}: {made}");
            assert_ne!(id(bad), id(bad));
        }
    }
}
