//! The encoding `aws-chunked`, in which a content comes in pieces and may be followed by trailers:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.
//!
//! ```text
//! SIZE[;chunk-signature=HEX]\r\n BYTES\r\n … 0[;chunk-signature=HEX]\r\n [NAME:VALUE\r\n …] \r\n
//! ```

use super::error;
use crate::core::ApiError;

/// No client sends more; it is one checksum and its signature.
const TRAILERS: usize = 8;

/// What a body in this encoding has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Every chunk has a signature; it must be there and is not checked.
    pub(super) signed: bool,
    /// Trailers may follow.
    pub(super) trailers: bool,
}

/// A decoded body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunked {
    pub(super) content: Vec<u8>,
    /// Names in lower case; without the signature.
    pub(super) trailers: Vec<(String, String)>,
}

impl Form {
    /// That of a value of `x-amz-content-sha256`.
    pub(super) fn of(value: &str) -> Option<Self> {
        let (signed, trailers) = match value {
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => (false, true),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => (true, false),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => (true, true),
            _ => return None,
        };
        Some(Self { signed, trailers })
    }

    /// # Errors
    /// `IncompleteBody` when the body is not in this form to its end, `MalformedTrailerError` when its trailers are not.
    pub(super) fn decode(self, mut body: &[u8]) -> Result<Chunked, ApiError> {
        let mut chunked = Chunked::default();
        loop {
            let (head, rest) = line(body).ok_or_else(|| incomplete("it ends within a chunk"))?;
            let size = self.size(head)?;
            body = rest;
            if size == 0 {
                break;
            }
            let (chunk, rest) = body
                .split_at_checked(size)
                .ok_or_else(|| incomplete("it ends within a chunk"))?;
            chunked.content.extend_from_slice(chunk);
            body = rest
                .strip_prefix(b"\r\n")
                .ok_or_else(|| incomplete("a chunk is longer than its size"))?;
        }
        self.trailers(body, &mut chunked)?;
        Ok(chunked)
    }

    /// The size that the line before a chunk says.
    fn size(self, head: &[u8]) -> Result<usize, ApiError> {
        let head = std::str::from_utf8(head).map_err(|_| incomplete("a chunk has no size"))?;
        let (size, signature) = match head.split_once(';') {
            Some((size, extension)) => (size, extension.strip_prefix("chunk-signature=")),
            None => (head, None),
        };
        let is_signed = signature.is_some_and(is_signature);
        if is_signed != self.signed || head.contains(';') != self.signed {
            return Err(incomplete(
                "a chunk's signature is missing, or out of place",
            ));
        }
        // `from_str_radix` would take a sign.
        let is_hex = (1..=8).contains(&size.len()) && size.bytes().all(|c| c.is_ascii_hexdigit());
        usize::from_str_radix(size, 16)
            .ok()
            .filter(|_| is_hex)
            .ok_or_else(|| incomplete("a chunk has no size"))
    }

    /// What follows the last chunk: trailers, an empty line, and the end.
    fn trailers(self, mut body: &[u8], chunked: &mut Chunked) -> Result<(), ApiError> {
        let mut signed = false;
        loop {
            let (head, rest) = line(body).ok_or_else(|| malformed("the end is missing"))?;
            body = rest;
            if head.is_empty() {
                break;
            }
            let text = std::str::from_utf8(head).ok();
            let (name, value) = text
                .and_then(|text| text.trim_end_matches('\n').split_once(':'))
                .ok_or_else(|| malformed("one has no name"))?;
            if !self.trailers || chunked.trailers.len() == TRAILERS {
                return Err(malformed("there are more than announced"));
            }
            if name == "x-amz-trailer-signature" {
                signed = is_signature(value.trim());
            } else {
                let trailer = (name.to_ascii_lowercase(), value.trim().to_owned());
                chunked.trailers.push(trailer);
            }
        }
        if !body.is_empty() {
            return Err(incomplete("something follows its end"));
        }
        if signed != (self.signed && self.trailers) {
            return Err(malformed("their signature is missing, or out of place"));
        }
        Ok(())
    }
}

fn is_signature(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit())
}

/// A line without its end, and what follows it.
fn line(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = body.windows(2).position(|pair| pair == b"\r\n")?;
    let (head, rest) = body.split_at_checked(at)?;
    Some((head, rest.get(2..)?))
}

fn incomplete(why: &str) -> ApiError {
    let message = format!("The aws-chunked body is not one: {why}.");
    error(400, "IncompleteBody", message)
}

fn malformed(why: &str) -> ApiError {
    let message = format!("The trailers of the aws-chunked body are none: {why}.");
    error(400, "MalformedTrailerError", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNSIGNED: Form = Form {
        signed: false,
        trailers: true,
    };
    const SIGNATURE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn signed(trailers: bool) -> String {
        let end = if trailers {
            format!("x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:{SIGNATURE}\r\n\r\n")
        } else {
            "\r\n".to_owned()
        };
        format!("3;chunk-signature={SIGNATURE}\r\nabc\r\n0;chunk-signature={SIGNATURE}\r\n{end}")
    }

    #[test]
    fn chunks_are_joined_and_trailers_kept() {
        let body = b"4\r\nab\r\n\r\nA\r\n0123456789\r\n0\r\nX-Amz-Checksum-CRC32: AAAAAA==\r\n\r\n";
        let decoded = UNSIGNED.decode(body).unwrap();
        assert_eq!(decoded.content, b"ab\r\n0123456789");
        let trailer = ("x-amz-checksum-crc32".to_owned(), "AAAAAA==".to_owned());
        assert_eq!(decoded.trailers, [trailer]);
        assert_eq!(UNSIGNED.decode(b"0\r\n\r\n").unwrap(), Chunked::default());
    }

    #[test]
    fn signatures_are_read_over() {
        for trailers in [false, true] {
            let form = Form {
                signed: true,
                trailers,
            };
            let decoded = form.decode(signed(trailers).as_bytes()).unwrap();
            assert_eq!(decoded.content, b"abc");
            assert_eq!(decoded.trailers.len(), usize::from(trailers));
            assert!(form.decode(signed(!trailers).as_bytes()).is_err());
        }
        assert!(UNSIGNED.decode(signed(true).as_bytes()).is_err());
    }

    #[test]
    fn whatever_is_cut_off_or_added_is_refused() {
        let whole = "4\r\nabcd\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        for end in 0..whole.len() {
            assert!(UNSIGNED.decode(&whole.as_bytes()[..end]).is_err(), "{end}");
        }
        for body in [
            "5\r\nabcd\r\n0\r\n\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            "-1\r\n\r\n",
            "+4\r\nabcd\r\n0\r\n\r\n",
            "ffffffff\r\nabcd\r\n0\r\n\r\n",
            "ffffffffffffffffff\r\nabcd\r\n0\r\n\r\n",
            "\r\n\r\n",
            "0\r\n\r\nmore",
            "0;x=y\r\n\r\n",
            "0\r\nno trailer\r\n\r\n",
        ] {
            let code = UNSIGNED.decode(body.as_bytes()).unwrap_err().code;
            assert!(
                ["IncompleteBody", "MalformedTrailerError"].contains(&code),
                "{body:?}"
            );
        }
        let many = format!("0\r\n{}\r\n", "a:b\r\n".repeat(TRAILERS + 1));
        assert!(UNSIGNED.decode(many.as_bytes()).is_err());
        assert!(UNSIGNED.decode(b"\xff\r\n").is_err());
    }

    #[test]
    fn bytes_at_random_are_refused_and_nothing_worse() {
        let mut random = fastrand::Rng::with_seed(3);
        let alphabet = b"0123af;:\r\n=\xffchunk-signature";
        for _ in 0..20_000 {
            let length = random.usize(..40);
            let body: Vec<u8> = (0..length)
                .map(|_| alphabet[random.usize(..alphabet.len())])
                .collect();
            for (signed, trailers) in [(false, true), (true, false), (true, true)] {
                drop(Form { signed, trailers }.decode(&body));
            }
        }
    }
}
