//! The id by which a request is found in the log: the caller's if it is fit for a log line, or else a new one.

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use uuid::Uuid;

use super::REQUEST_ID;

/// Longer ids are replaced: they are copied into every log line.
const MAX: usize = 128;

/// A request's id: 1 to 128 visible ASCII characters without quotes or backslashes.
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    pub(crate) fn take_or_make(headers: &HeaderMap) -> Self {
        let given = headers
            .get(REQUEST_ID)
            .filter(|value| is_fit(value.as_bytes()));
        Self(given.cloned().unwrap_or_else(Self::make))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    fn make() -> HeaderValue {
        HeaderValue::from_str(&Uuid::new_v4().to_string())
            .unwrap_or(HeaderValue::from_static("unknown"))
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
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_str(given).unwrap());
        RequestId::take_or_make(&headers).as_str().to_owned()
    }

    #[test]
    fn a_fit_id_is_kept_and_any_other_replaced() {
        assert_eq!(id("trace-1:2/3"), "trace-1:2/3");
        for bad in ["", "two words", "a\"b", &"x".repeat(MAX + 1)] {
            let made = id(bad);
            assert_eq!(made.len(), 36, "{bad}: {made}");
        }
    }
}
