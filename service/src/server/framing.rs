//! Where requests begin and end in a connection's bytes, strictly by RFC 9112. Pure.
//!
//! hyper parses requests, and leniently in three places in which another server on the way may see other requests than it does
//! (request smuggling): it takes a bare LF as the end of a line, `Transfer-Encoding` over a `Content-Length` beside it, and one of
//! several equal `Content-Length`. This reads the same bytes first and tells the offence. It judges nothing else: what it lets pass,
//! hyper may still refuse.

use memchr::memchr;

/// Bytes of one line at most; hyper refuses the head before that.
const MAX_LINE: usize = 2 * super::MAX_HEAD;

/// A reader of everything that a client sends on one connection.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    at: At,
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// The first line of a head, or an empty line before it (RFC 9112, section 2.2).
    #[default]
    Start,
    Fields(Body),
    /// A body of known length with this many bytes to come.
    Sized(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
}

/// What the fields so far say of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Unsaid,
    Sized(u64),
    Chunked,
}

/// An offence against the framing; nothing that follows can be trusted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Bytes before the offending line in what was given last.
    pub(crate) sound: usize,
    /// Whether it is in a head, rather than in a chunked body.
    pub(crate) in_head: bool,
}

impl Framing {
    /// Reads on; gives the number of heads that ended in `bytes`.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut heads = 0;
        let mut rest = bytes;
        while !rest.is_empty() {
            if let At::Sized(left) | At::Chunk(left) = self.at {
                let here = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                self.at = self.at.without(here as u64);
                rest = rest.split_at(here).1;
                continue;
            }
            let broken = Broken {
                sound: bytes.len() - rest.len(),
                in_head: matches!(self.at, At::Start | At::Fields(_)),
            };
            let ends = memchr(b'\n', rest).map(|newline| newline + 1);
            let (piece, after) = rest.split_at(ends.unwrap_or(rest.len()));
            if self.line.len() + piece.len() > MAX_LINE {
                return Err(broken);
            }
            rest = after;
            let next = if ends.is_none() {
                self.line.extend_from_slice(piece);
                break;
            } else if self.line.is_empty() {
                self.at.after(piece)
            } else {
                self.line.extend_from_slice(piece);
                let next = self.at.after(&self.line);
                self.line.clear();
                next
            }
            .ok_or(broken)?;
            heads += usize::from(matches!(self.at, At::Fields(_)) && next.is_past_head());
            self.at = next;
        }
        Ok(heads)
    }

    /// Whether a head has begun and not ended.
    pub(crate) fn is_in_head(&self) -> bool {
        matches!(self.at, At::Fields(_)) || (self.at == At::Start && !self.line.is_empty())
    }
}

impl At {
    /// Where a line, with its end, leads; `None` where it may not stand.
    fn after(self, line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\r\n")?;
        match self {
            Self::Start if line.is_empty() => Some(Self::Start),
            Self::Start => Some(Self::Fields(Body::Unsaid)),
            Self::Fields(body) if line.is_empty() => Some(match body {
                Body::Unsaid | Body::Sized(0) => Self::Start,
                Body::Sized(length) => Self::Sized(length),
                Body::Chunked => Self::ChunkSize,
            }),
            Self::Fields(body) => body.and(line).map(Self::Fields),
            Self::ChunkSize => match chunk_size(line)? {
                0 => Some(Self::Trailers),
                size => Some(Self::Chunk(size)),
            },
            Self::ChunkEnd => line.is_empty().then_some(Self::ChunkSize),
            Self::Trailers if line.is_empty() => Some(Self::Start),
            // These two are never read by lines.
            Self::Trailers | Self::Sized(_) | Self::Chunk(_) => Some(self),
        }
    }

    /// With so many bytes of a body less to come.
    fn without(self, bytes: u64) -> Self {
        match self {
            Self::Sized(left) if left > bytes => Self::Sized(left - bytes),
            Self::Chunk(left) if left > bytes => Self::Chunk(left - bytes),
            Self::Sized(_) => Self::Start,
            Self::Chunk(_) => Self::ChunkEnd,
            Self::Start | Self::Fields(_) | Self::ChunkSize | Self::ChunkEnd | Self::Trailers => {
                self
            }
        }
    }

    fn is_past_head(self) -> bool {
        !matches!(self, Self::Fields(_))
    }
}

impl Body {
    /// With one more field; `None` for a second word on the body's length, or one that is not understood.
    fn and(self, field: &[u8]) -> Option<Self> {
        // Most fields are neither of the two, and their first letter shows it.
        let said = match field.first()? {
            b'c' | b'C' => {
                let Some(value) = value_of(b"content-length:", field) else {
                    return Some(self);
                };
                Self::Sized(number(value, 10)?)
            }
            b't' | b'T' => {
                let Some(value) = value_of(b"transfer-encoding:", field) else {
                    return Some(self);
                };
                value
                    .eq_ignore_ascii_case(b"chunked")
                    .then_some(Self::Chunked)?
            }
            _ => return Some(self),
        };
        (self == Self::Unsaid).then_some(said)
    }
}

/// The value of `field` if it has this name, which is in lower case and ends with the colon.
fn value_of<'a>(name: &[u8], field: &'a [u8]) -> Option<&'a [u8]> {
    let (start, value) = field.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// A chunk's size, which an extension may follow (RFC 9112, section 7.1).
fn chunk_size(line: &[u8]) -> Option<u64> {
    let ends = line.iter().position(|byte| b"; \t".contains(byte));
    number(line.split_at(ends.unwrap_or(line.len())).0, 16)
}

/// Digits alone, where the standard library would also take a sign.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    let is_number = digits.chars().all(|digit| digit.is_digit(radix));
    is_number.then(|| u64::from_str_radix(digits, radix).ok())?
}

#[cfg(test)]
mod tests;
