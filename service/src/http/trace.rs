//! The trace that a request belongs to: the caller's, or else a new one (<https://www.w3.org/TR/trace-context/>). Pure but for chance.

use hyper::header::{HeaderName, HeaderValue};

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// `00-`, 32 digits of the trace, `-`, 16 of the span, `-`, 2 of flags.
const LENGTH: usize = 55;
/// The flag that says that the caller may have recorded the trace; others are not for us to hand on.
const SAMPLED: u8 = 1;

/// A span of our own in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    trace: u128,
    span: u64,
    sampled: bool,
}

/// A span in text.
pub(crate) struct Traceparent([u8; LENGTH]);

impl Traceparent {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or(HeaderValue::from_static(""))
    }
}

impl Span {
    /// A new span in the caller's trace, which the only value of his `traceparent` names, or in a new one.
    pub(crate) fn begin(given: Option<&HeaderValue>) -> Self {
        let parent = given.and_then(|given| Self::parse(given.as_bytes()));
        // Zero is no id.
        let span = fastrand::u64(1..);
        match parent {
            Some(parent) => Self { span, ..parent },
            None => Self {
                trace: fastrand::u128(1..),
                span,
                sampled: false,
            },
        }
    }

    /// As the header's value, by which the caller finds this span. Every answer has one, so the digits are written without `format!`.
    pub(crate) fn text(&self) -> Traceparent {
        let mut text = *b"00-................................-................-00";
        write_hex(&self.trace.to_be_bytes(), &mut text[3..35]);
        write_hex(&self.span.to_be_bytes(), &mut text[36..52]);
        write_hex(&[u8::from(self.sampled) * SAMPLED], &mut text[53..]);
        Traceparent(text)
    }

    /// The caller's span, or `None` where the value breaks the format: then it must be ignored.
    fn parse(value: &[u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok()?;
        let (known, more) = value.split_at_checked(LENGTH)?;
        let mut fields = known.split('-');
        let version = hex::<2>(fields.next()?)?;
        let trace = hex::<32>(fields.next()?)?;
        let span = u64::try_from(hex::<16>(fields.next()?)?).ok()?;
        let flags = u8::try_from(hex::<2>(fields.next()?)?).ok()?;
        // Versions to come may say more behind another hyphen; 255 is none.
        let is_fit = match version {
            0 => more.is_empty(),
            255 => false,
            _ => more.is_empty() || more.starts_with('-'),
        };
        (is_fit && trace != 0 && span != 0).then_some(Self {
            trace,
            span,
            sampled: flags & SAMPLED == SAMPLED,
        })
    }
}

/// Two digits for each byte.
fn write_hex(bytes: &[u8], text: &mut [u8]) {
    let digit = |value: u8| value + if value < 10 { b'0' } else { b'a' - 10 };
    for (digits, byte) in text.chunks_exact_mut(2).zip(bytes) {
        digits.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

/// A number of exactly `N` digits, in lower case.
fn hex<const N: usize>(digits: &str) -> Option<u128> {
    let fits = digits.len() == N
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    fits.then(|| u128::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn begin(given: Option<&str>) -> String {
        let given = given.map(|given| HeaderValue::from_str(given).unwrap());
        let text = Span::begin(given.as_ref()).text();
        assert!(Span::parse(text.as_str().as_bytes()).is_some());
        text.as_str().to_owned()
    }

    #[test]
    fn a_trace_is_continued_by_a_span_of_our_own() {
        for given in [GIVEN, &format!("cc{}-more", &GIVEN[2..])] {
            let text = begin(Some(given));
            assert_eq!(text[..36], GIVEN[..36]);
            assert_ne!(text[36..52], GIVEN[36..52]);
            assert!(text.ends_with("-01"), "{text}");
        }
        let unsampled = GIVEN.replace("-01", "-fe");
        assert!(begin(Some(&unsampled)).ends_with("-00"));
    }

    #[test]
    fn a_span_is_written_as_it_is_read() {
        let given = Span::parse(GIVEN.as_bytes()).unwrap();
        assert_eq!(given.text().as_str(), GIVEN);
        assert_eq!(given.text().header(), GIVEN);
    }

    #[test]
    fn what_breaks_the_format_is_ignored() {
        let trace = &GIVEN[3..35];
        for bad in [
            String::new(),
            GIVEN[..54].to_owned(),
            format!("{GIVEN}-more"),
            format!("ff{}", &GIVEN[2..]),
            format!("cc{}more", &GIVEN[2..]),
            GIVEN.to_uppercase(),
            GIVEN.replace("00f067aa0ba902b7", "0000000000000000"),
            GIVEN.replace("4bf92f", "+bf92f"),
            GIVEN.replace(trace, &"0".repeat(32)),
            GIVEN.replace("-0", "_0"),
        ] {
            let text = begin(Some(&bad));
            assert!(!text.contains(trace), "{bad}");
            assert!(text.ends_with("-00"), "{text}");
        }
        assert_ne!(begin(None), begin(None));
    }
}
