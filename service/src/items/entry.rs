//! What Redis holds for an item, as bytes. Pure.
//!
//! ```text
//! 0000000000000000003 1764288000000 {"id":1,"name":…}
//! rank, 19 digits     until, 13     the document; nothing for an absence; `?` for what must be read anew
//! ```
//!
//! (without the spaces). The rank orders what may be known of one id: 0 while it is unknown, then the row's version, and the largest
//! number once it is deleted, because ids are never used again. A lower rank never replaces a higher one, see [`super::cache`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::model::Document;

/// Digits of a rank: those of the largest `i64`.
pub(super) const RANK: usize = 19;
/// Digits of a time in milliseconds, until the year 2286.
const UNTIL: usize = 13;
const HEAD: usize = RANK + UNTIL;
/// What is known of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Item(Document),
    /// No item has had this id so far.
    Unknown,
    /// The item with this id is gone, for good.
    Deleted,
}

/// What is known, and for how long it may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) known: Known,
    pub(crate) until: SystemTime,
}

impl Known {
    /// The item, if there is one.
    pub(crate) fn document(self) -> Option<Document> {
        match self {
            Self::Item(document) => Some(document),
            Self::Unknown | Self::Deleted => None,
        }
    }

    /// Its place in the order of what may be known of one id.
    pub(super) const fn rank(&self) -> i64 {
        match self {
            Self::Item(document) => document.version,
            Self::Unknown => 0,
            Self::Deleted => i64::MAX,
        }
    }
}

impl Entry {
    /// What is left of its life at `now`.
    pub(crate) fn left(&self, now: SystemTime) -> Duration {
        self.until.duration_since(now).unwrap_or_default()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let until = milliseconds(self.until);
        let body: &[u8] = match &self.known {
            Known::Item(document) => &document.json,
            Known::Unknown | Known::Deleted => &[],
        };
        let mut bytes = Vec::with_capacity(HEAD + body.len());
        bytes.extend_from_slice(&rank(self.known.rank()));
        bytes.extend_from_slice(&digits::<UNTIL>(until));
        bytes.extend_from_slice(body);
        bytes
    }

    /// Reads an entry back; `None` when it has nothing to tell. Another process's clock may be ahead, so a life is at most `ttl`.
    pub(super) fn decode(bytes: Vec<u8>, now: SystemTime, ttl: Duration) -> Option<Self> {
        let rank = number(bytes.get(..RANK)?)?;
        let until = number(bytes.get(RANK..HEAD)?)?;
        let until = UNIX_EPOCH + Duration::from_millis(until.unsigned_abs());
        if until <= now {
            return None;
        }
        let known = match (bytes.get(HEAD), rank) {
            (None, 0) => Known::Unknown,
            (None, i64::MAX) => Known::Deleted,
            (Some(b'{'), 1..) => Known::Item(Document {
                version: rank,
                json: Bytes::from(bytes).slice(HEAD..),
            }),
            _ => return None,
        };
        Some(Self {
            known,
            until: until.min(now + ttl),
        })
    }
}

/// The number is that of the entry's format: during a rollout two versions of this program share one Redis.
const PREFIX: &str = "api:item:2:";

/// A rank, which is never negative, as entries begin with it.
pub(super) fn rank(rank: i64) -> [u8; RANK] {
    digits(rank.unsigned_abs())
}

/// The key of an item's entry.
pub(super) fn key(id: i64) -> String {
    [PREFIX, itoa::Buffer::new().format(id)].concat()
}

/// The item whose key this is.
pub(super) fn id(key: &[u8]) -> Option<i64> {
    number(key.strip_prefix(PREFIX.as_bytes())?)
}

/// At most [`RANK`] digits, which always fit into a `u64`, and nothing else; `parse` would also take a sign.
fn number(digits: &[u8]) -> Option<i64> {
    if digits.len() > RANK || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = digits.iter().map(|digit| u64::from(digit - b'0'));
    let number = digits.fold(0, |number, digit| number * 10 + digit);
    i64::try_from(number).ok()
}

/// The last `N` digits, with zeros before them: a tenth of what `format!` would take, and every fill has two of these.
fn digits<const N: usize>(number: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(number).bytes();
    for (place, digit) in digits.iter_mut().rev().zip(text.rev()) {
        *place = digit;
    }
    digits
}

/// Since 1970.
pub(super) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    fn at(milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    fn decode(bytes: &str) -> Option<Entry> {
        Entry::decode(bytes.as_bytes().to_vec(), at(1_764_288_000_000), TTL)
    }

    #[test]
    fn an_entry_is_read_back() {
        let item = Known::Item(Document {
            version: 3,
            json: Bytes::from_static(b"{\"id\":1}"),
        });
        for known in [item, Known::Unknown, Known::Deleted] {
            let until = at(1_764_288_042_500);
            let entry = Entry { known, until };
            let bytes = entry.encode();
            assert_eq!(decode(std::str::from_utf8(&bytes).unwrap()), Some(entry));
        }
    }

    #[test]
    fn the_form_is_the_one_that_is_documented() {
        let entry = decode("00000000000000000031764288042500{\"id\":1}").unwrap();
        assert_eq!(entry.until, at(1_764_288_042_500));
        assert_eq!(entry.left(at(1_764_288_000_000)).as_secs(), 42);
        assert_eq!(entry.left(at(1_764_289_000_000)), Duration::ZERO);
        assert_eq!(entry.known.document().unwrap().version, 3);
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_prolong_a_life() {
        let entry = decode("00000000000000000031999999999999{}").unwrap();
        assert_eq!(entry.left(at(1_764_288_000_000)), TTL);
    }

    #[test]
    fn what_is_no_entry_tells_nothing() {
        for bytes in [
            "",
            "garbage",
            "{\"id\":1,\"version\":3}",
            "0000000000000000003",
            "00000000000000000031764288042500",
            "00000000000000000031764288042500?",
            "00000000000000000001764288042500{}",
            "+0000000000000000031764288042500{}",
            "99999999999999999991764288042500{}",
            "00000000000000000031764287999999{}",
        ] {
            assert_eq!(decode(bytes), None, "{bytes}");
        }
    }
}
