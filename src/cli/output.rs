//! Printing. The only place that writes to stdout and stderr.

use std::{fmt::Write as _, io::Write};

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{cli::exit, diff::Difference};

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For both.
    Yaml,
}

/// Prints data in a format for programs, or with `table` for people.
pub(super) fn print<T: Serialize>(
    format: Format,
    value: &T,
    table: impl FnOnce() -> String,
) -> exit::Code {
    let text = match format {
        Format::Table => Ok(table()),
        Format::Json => serde_json::to_string_pretty(value).map_err(|error| error.to_string()),
        Format::Yaml => serde_yaml::to_string(value).map_err(|error| error.to_string()),
    };
    match text {
        Ok(text) => {
            data(&text);
            exit::DONE
        }
        Err(error) => exit::fail(&format!("the result cannot be printed: {error}")),
    }
}

/// A piece of data, on stdout. A reader that has gone away is no error.
pub(super) fn data(text: &str) {
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let _ = write!(anstream::stdout(), "{text}{end}");
}

/// A line for the person at the terminal, on stderr.
pub(super) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// `  ~ service.desiredCount  5 → 3`.
pub(super) fn difference(difference: &Difference) -> String {
    format!(
        "  ~ {}  {} → {}",
        difference.path, difference.live, difference.desired
    )
}

/// `4m`, `9d`: how long ago, in one unit.
pub(super) fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now
        .duration_since(since)
        .max(SignedDuration::ZERO)
        .as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Columns of text, two spaces apart, the last as wide as it likes.
pub(super) fn columns(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain(header.get(column).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or_default()
    };
    let header: Vec<_> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&header).chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(line, "{cell:<width$}  ", width = width(column));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
