//! Turns what a container writes into lines of its log stream.

use jiff::Timestamp;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc,
};

use crate::{
    clock::Clock,
    core::{Event, LogTarget},
};

/// A longer line becomes several, as with Docker's log drivers:
/// <https://github.com/moby/moby/blob/master/daemon/logger/copier.go>.
const MAX_LINE: usize = 16 * 1024;
const CHUNK: usize = 64 * 1024;

/// Where lines go, and what time it is.
#[derive(Debug, Clone)]
pub(super) struct Sink {
    pub(super) log: LogTarget,
    pub(super) clock: Clock,
    pub(super) events: mpsc::Sender<Event>,
}

/// Reads a pipe to its end. What comes in one read is reported at once. A writer that is faster than the model waits.
pub(super) async fn forward(mut pipe: impl AsyncRead + Unpin, sink: Sink) {
    let mut chunk = vec![0; CHUNK];
    let mut splitter = Splitter::default();
    loop {
        let read = match pipe.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        let lines = splitter.push(chunk.get(..read).unwrap_or_default());
        sink.report(lines).await;
    }
    sink.report(splitter.finish()).await;
}

impl Sink {
    async fn report(&self, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        let now: Timestamp = self.clock.now();
        let event = Event::Output {
            log: self.log.clone(),
            lines: lines.into_iter().map(|line| (now, line)).collect(),
        };
        // When the emulator ends nobody takes it, but a process that is still writing must not meet a broken pipe.
        let _ = self.events.send(event).await;
    }
}

/// Cuts a stream of bytes into lines. Empty ones are left out, as CloudWatch Logs takes none.
#[derive(Debug, Default)]
struct Splitter {
    partial: Vec<u8>,
}

impl Splitter {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                Some(_) | None => (part, false),
            };
            self.partial.extend_from_slice(text);
            while self.partial.len() > MAX_LINE {
                let rest = self.partial.split_off(boundary(&self.partial));
                lines.push(take(&mut self.partial));
                self.partial = rest;
            }
            if ended && !self.partial.is_empty() {
                lines.push(take(&mut self.partial));
            }
        }
        lines
    }

    fn finish(mut self) -> Vec<String> {
        if self.partial.is_empty() {
            Vec::new()
        } else {
            vec![take(&mut self.partial)]
        }
    }
}

fn take(bytes: &mut Vec<u8>) -> String {
    String::from_utf8_lossy(&std::mem::take(bytes)).into_owned()
}

/// Where to cut a line that is too long: not inside a character, if it is text at all.
fn boundary(bytes: &[u8]) -> usize {
    let is_start = |at: &usize| bytes.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    (MAX_LINE - 3..=MAX_LINE)
        .rev()
        .find(is_start)
        .unwrap_or(MAX_LINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_over_reads() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.push(b"one\ntw"), ["one"]);
        assert_eq!(splitter.push(b"o\n\n\nthree"), ["two"]);
        assert_eq!(splitter.finish(), ["three"]);
    }

    #[test]
    fn long_lines_are_cut_between_characters_and_nothing_is_lost() {
        let text = format!("x{}", "é".repeat(20_000));
        let mut splitter = Splitter::default();
        let mut pieces = splitter.push(text.as_bytes());
        pieces.extend(splitter.finish());
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.len() <= MAX_LINE));
        assert_eq!(pieces.concat(), text);
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.push(b"a\xff\n"), ["a\u{fffd}"]);
        let pieces = splitter.push(&[0x80; 40_000]);
        assert_eq!(pieces.len(), 2);
    }
}
