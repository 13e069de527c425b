//! Short texts without an allocation of their own, for headers.

use std::fmt::{self, Write};

use hyper::header::HeaderValue;

/// At most `N` bytes of ASCII.
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Text<N> {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; N],
            used: 0,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        let used = self.bytes.split_at_checked(self.used);
        used.and_then(|(used, _)| std::str::from_utf8(used).ok())
            .unwrap_or_default()
    }

    /// Appends a piece; one that does not fit is left out.
    pub(crate) fn and(mut self, piece: &str) -> Self {
        let _ = self.write_str(piece);
        self
    }

    /// Appends a number.
    pub(crate) fn number(self, number: impl itoa::Integer) -> Self {
        self.and(itoa::Buffer::new().format(number))
    }

    /// As a header's value; empty if it holds what no header may.
    pub(crate) fn header(&self) -> HeaderValue {
        let used = self.bytes.split_at_checked(self.used);
        used.and_then(|(used, _)| HeaderValue::from_bytes(used).ok())
            .unwrap_or(HeaderValue::from_static(""))
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let (_, room) = self
            .bytes
            .split_at_mut_checked(self.used)
            .ok_or(fmt::Error)?;
        let (target, _) = room.split_at_mut_checked(piece.len()).ok_or(fmt::Error)?;
        target.copy_from_slice(piece.as_bytes());
        self.used += piece.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_was_written() {
        let mut text = Text::<8>::new();
        write!(text, "a{}", 1234567).unwrap();
        assert_eq!(text.as_str(), "a1234567");
        assert_eq!(text.header(), "a1234567");
        assert!(write!(text, "8").is_err());
        let text = Text::<8>::new().and("ttl=").number(-12).and("seconds");
        assert_eq!(text.as_str(), "ttl=-12");
    }
}
