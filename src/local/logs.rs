//! The children's logs: appended to, bounded, and quoted from when a child dies.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::files::{FilesError, io_error};

/// A log that has grown beyond this starts anew.
const LIMIT: u64 = 16 << 20;
/// How much of a log's end is shown.
const TAIL: u64 = 4 << 10;
const TAIL_LINES: usize = 10;
const TAIL_COLUMNS: usize = 240;

/// Opens a child's log to append to.
pub(super) fn open(path: &Path) -> Result<File, FilesError> {
    bound(path);
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(io_error("open", path))
}

/// Starts a log anew when it has grown too long. One that cannot be bounded is still a log.
pub(super) fn bound(path: &Path) {
    if path.metadata().is_ok_and(|log| log.len() > LIMIT) {
        let _kept = OpenOptions::new().write(true).truncate(true).open(path);
    }
}

/// The last lines of a log, as far as they can be had.
pub(super) fn tail(path: &Path) -> Vec<String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut end = Vec::new();
        file.take(TAIL).read_to_end(&mut end)?;
        Ok(end)
    };
    let end = read().unwrap_or_default();
    let mut lines = VecDeque::with_capacity(TAIL_LINES);
    for line in String::from_utf8_lossy(&end)
        .lines()
        .filter(|line| !line.trim().is_empty())
    {
        if lines.len() == TAIL_LINES {
            lines.pop_front();
        }
        lines.push_back(line.chars().take(TAIL_COLUMNS).collect());
    }
    lines.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let text: String = (0..5000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(&path, text).unwrap();
        let tail = tail(&path);
        assert_eq!(tail.len(), TAIL_LINES);
        assert_eq!(tail.last().unwrap(), "line 4999");
    }

    #[test]
    fn a_log_that_is_too_long_starts_anew_for_whoever_appends() {
        use std::io::Write;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut child = open(&path).unwrap();
        child.set_len(LIMIT + 1).unwrap();
        bound(&path);
        child.write_all(b"on").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"on");
    }
}
