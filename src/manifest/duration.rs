//! `90s`, `15m`, `1h30m`: how long something may take, as a person writes it.

use std::time::Duration;

/// Whole numbers with the units `d`, `h`, `m` and `s`, largest first; `None` for anything else.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
    let mut units = UNITS.iter();
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let unit = after.chars().next()?;
        let (_, size) = units.find(|(name, _)| *name == unit)?;
        let number: u64 = number.parse().ok()?;
        seconds = seconds.checked_add(number.checked_mul(*size)?)?;
        rest = after.get(unit.len_utf8()..)?;
    }
    (!text.is_empty()).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("2h", 7_200),
            ("1h30m", 5_400),
            ("1d", 86_400),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "15",
            "m",
            "15min",
            "15 m",
            "1m1h",
            "1m1m",
            "-5m",
            "1.5h",
            "99999999999999999999s",
            "99999999999999999d",
            "5µ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
