//! Short texts without an allocation of their own, for headers.

use std::fmt::{self, Write};

use hyper::header::HeaderValue;

/// At most `N` bytes of ASCII.
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Text<N> {
    /// Writes `text`; a piece that does not fit is left out.
    pub(crate) fn of(text: fmt::Arguments<'_>) -> Self {
        let mut written = Self {
            bytes: [0; N],
            used: 0,
        };
        let _ = written.write_fmt(text);
        written
    }

    pub(crate) fn as_str(&self) -> &str {
        let used = self.bytes.split_at_checked(self.used);
        used.and_then(|(used, _)| std::str::from_utf8(used).ok())
            .unwrap_or_default()
    }

    /// As a header's value; empty if it holds what no header may.
    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(self.as_str()).unwrap_or(HeaderValue::from_static(""))
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
        let text = Text::<8>::of(format_args!("a{}", 1234567));
        assert_eq!(text.as_str(), "a1234567");
        assert_eq!(text.header(), "a1234567");
        assert_eq!(Text::<8>::of(format_args!("{}", "123456789")).as_str(), "");
    }
}
