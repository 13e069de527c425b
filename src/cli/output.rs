//! Printing. The only place that writes to stdout and stderr.

use std::{
    fmt::Write as _,
    io::{self, ErrorKind, IsTerminal, Write},
};

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
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
            data(&mut ToReader(anstream::stdout()), &text).map_or_else(unwritten, |()| exit::DONE)
        }
        Err(error) => exit::fail(&format!("the result cannot be printed: {error}")),
    }
}

/// The result could not be written, as on a full disk. Whoever reads the file must not take it for whole.
pub(super) fn unwritten(error: io::Error) -> exit::Code {
    exit::fail(&format!("the result cannot be written: {error}"))
}

/// Output to a reader that may have seen enough, such as `head`: one that has gone away is no error.
pub(super) struct ToReader<W>(pub(super) W);

impl<W: Write> Write for ToReader<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// A piece of data, ending with a line's end.
fn data(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    write!(out, "{text}{end}")?;
    out.flush()
}

/// A line of data that is followed by others.
pub(super) fn line(text: &str) -> io::Result<()> {
    let mut out = ToReader(anstream::stdout());
    writeln!(out, "{text}")?;
    out.flush()
}

/// A piece of data as it is.
pub(super) fn text(text: &str) -> exit::Code {
    data(&mut ToReader(anstream::stdout()), text).map_or_else(unwritten, |()| exit::DONE)
}

/// Asks the person at the terminal, and waits for `y` or `yes`. `None` when there is no terminal.
pub(super) async fn confirm(question: &str) -> Option<bool> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return None;
    }
    let _ = write!(anstream::stderr(), "{question} [y/N] ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await.ok()?.unwrap_or_default();
    Some(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// A time as a person reads it, in the machine's own zone.
pub(super) fn when(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// Text of somebody else's, without what a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\t' { ' ' } else { c })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that always fails so.
    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is_one() {
        let written = |kind| data(&mut ToReader(Broken(kind)), "[]");
        assert!(written(ErrorKind::BrokenPipe).is_ok());
        assert!(written(ErrorKind::StorageFull).is_err());
    }
}
