//! A place among a stream's events, as the tokens of GetLogEvents and FilterLogEvents carry it.

use super::store::Place;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// From this place on.
    Forward(Place),
    /// An empty page first, then from this place on.
    Rest(Place),
    /// Before this place.
    Backward(Place),
}

impl Position {
    pub(super) fn place(self) -> Place {
        match self {
            Self::Forward(place) | Self::Rest(place) | Self::Backward(place) => place,
        }
    }

    /// GetLogEvents' form: `f/` or `b/`, 56 digits, `/s`.
    pub(super) fn token(self) -> String {
        let (direction, rest) = match self {
            Self::Forward(_) => ('f', 0),
            Self::Rest(_) => ('f', 1),
            Self::Backward(_) => ('b', 0),
        };
        let (millis, sequence) = self.place();
        format!("{direction}/{rest}{millis:025}{sequence:030}/s")
    }

    pub(super) fn parse(token: &str) -> Option<Self> {
        let (direction, rest) = token.split_once('/')?;
        let digits = rest.strip_suffix("/s")?;
        if digits.len() != 56 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let place = (
            digits.get(1..26)?.parse().ok()?,
            digits.get(26..)?.parse().ok()?,
        );
        match (direction, digits.get(..1)?) {
            ("f", "0") => Some(Self::Forward(place)),
            ("f", "1") => Some(Self::Rest(place)),
            ("b", "0") => Some(Self::Backward(place)),
            _ => None,
        }
    }

    /// FilterLogEvents' form.
    pub(super) fn hex(self) -> String {
        hex::encode(self.token())
    }

    pub(super) fn parse_hex(token: &str) -> Option<Self> {
        Self::parse(&String::from_utf8(hex::decode(token).ok()?).ok()?)
    }
}

/// The place right after an event's.
pub(super) fn after((millis, sequence): Place) -> Place {
    (millis, sequence.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_were_written() {
        let place = (1_790_856_000_123, 42);
        for position in [
            Position::Forward(place),
            Position::Rest(place),
            Position::Backward(place),
        ] {
            assert_eq!(Position::parse(&position.token()), Some(position));
            assert_eq!(Position::parse_hex(&position.hex()), Some(position));
        }
        assert_eq!(Position::parse("f/1/s"), None);
        assert_eq!(Position::parse(&format!("f/{}/s", "é".repeat(28))), None);
    }
}
