//! How much is logged: what `RUST_LOG` says. Knows nothing of who logs, and where to.

use std::env::{self, VarError};

use tracing_subscriber::filter::{LevelFilter, Targets};

/// `RUST_LOG` is not a filter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "RUST_LOG is `{0}`, which is not a log filter: a level (error, warn, info, debug, trace, off), and others for some modules, such as info,evenkeel::aws=debug"
)]
pub struct FilterError(String);

/// What `RUST_LOG` says, or `default` where it says nothing.
///
/// # Errors
///
/// When it holds anything but levels and `TARGET=LEVEL`, with commas between them.
pub fn filter(default: Targets) -> Result<Targets, FilterError> {
    match env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => parse(&text),
        Ok(_) | Err(VarError::NotPresent) => Ok(default),
        Err(VarError::NotUnicode(text)) => Err(FilterError(text.display().to_string())),
    }
}

/// The library would also take a target alone, and so a level that is misspelt: then nothing would be logged.
fn parse(text: &str) -> Result<Targets, FilterError> {
    let text = text.replace(' ', "");
    let has_levels = text.split(',').all(names_a_level);
    let filter = has_levels.then(|| text.parse().ok()).flatten();
    filter.ok_or(FilterError(text))
}

fn names_a_level(directive: &str) -> bool {
    let level = directive.rsplit('=').next().unwrap_or_default();
    // Nothing is a level to the library.
    !level.is_empty() && level.parse::<LevelFilter>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_filter_names_a_level() {
        let expected = Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("evenkeel::aws", LevelFilter::DEBUG);
        assert_eq!(parse("info, evenkeel::aws=debug"), Ok(expected));
        assert_eq!(
            parse("WARN"),
            Ok(Targets::new().with_default(LevelFilter::WARN))
        );
        for bad in [
            "loud",
            "",
            "info,",
            "evenkeel",
            "evenkeel=loud",
            "evenkeel=",
            "a=b=info",
        ] {
            assert_eq!(parse(bad), Err(FilterError(bad.to_owned())));
        }
    }
}
