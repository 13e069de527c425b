//! A connection's bytes, watched: requests are framed strictly, and nobody holds a connection without using it.
//!
//! hyper has one timer for a head's arrival and for an idle connection, and none for a client that does not read; it sets it anew for
//! every request. Here a connection has one timer for all three, and the usual request, whose head arrives in one piece and whose
//! answer the kernel takes at once, does not touch it.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::framing::Framing;

/// From a head's first byte to its last.
pub(crate) const HEAD: Duration = Duration::from_secs(10);
/// Between an answer and the next request. Above the 60 s that a load balancer keeps idle connections, or else it sends requests into
/// closed ones.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#connection-idle-timeout>
pub(crate) const IDLE: Duration = Duration::from_secs(75);
/// For a client to take the rest of an answer that the kernel does not take at once.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);
/// After our end of the stream, for what the client is still sending: closing at once would reset the connection, and a reset may
/// overtake the answer (RFC 9112, section 9.6). At most this many bytes are read and thrown away.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 << 10;

/// What hyper reads in place of a line that breaks the framing: no part of a head may hold a NUL, so it answers 400 and closes.
const POISON: &[u8] = b"\0\r\n\r\n";

/// A stream with its watch. hyper's errors end the connection, so a deadline that has passed is an error of reading or writing.
pub(crate) struct Watched<S> {
    stream: S,
    framing: Framing,
    refusal: Option<Refusal>,
    timer: Pin<Box<Sleep>>,
    /// When the client must have gone on; `None` while it is our turn, which has deadlines of its own.
    deadline: Option<Instant>,
    /// Something was written since the last flush.
    wrote: bool,
    /// The kernel takes no more of an answer.
    blocked: bool,
    /// Our end of the stream is closed, and so many bytes more are read.
    lingers: Option<usize>,
}

/// How hyper is told of broken framing, once everything sound before it is read.
#[derive(Clone, Copy)]
enum Refusal {
    /// By what is left of [`POISON`], and then by silence: an end would cut off the answers to earlier requests.
    InHead(&'static [u8]),
    InBody,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Watched<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            framing: Framing::default(),
            refusal: None,
            timer: Box::pin(sleep(IDLE)),
            deadline: Some(Instant::now() + IDLE),
            wrote: false,
            blocked: false,
            lingers: None,
        }
    }

    /// Judges what was just read, and keeps from hyper what breaks the framing.
    fn judge(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let was_in_head = self.framing.is_in_head();
        let read = buffer.filled().split_at(before).1;
        let heads = match self.framing.read(read) {
            Ok(heads) => heads,
            Err(broken) => {
                buffer.set_filled(before + broken.sound);
                self.refusal = Some(if broken.in_head {
                    Refusal::InHead(POISON)
                } else {
                    Refusal::InBody
                });
                return;
            }
        };
        if self.blocked {
            // The answer's deadline goes on.
        } else if heads > 0 {
            self.deadline = None;
        } else if !was_in_head && self.framing.is_in_head() && self.deadline.is_some() {
            self.set_deadline(HEAD);
        }
    }

    fn set_deadline(&mut self, after: Duration) {
        let deadline = Instant::now() + after;
        self.deadline = Some(deadline);
        // A timer that rings too early is set anew then, which is rarer than an answer.
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
    }

    /// Pending while the client has time, an error from then on.
    fn poll_deadline<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            match self.deadline {
                Some(deadline) if deadline <= now => {
                    return Poll::Ready(Err(ErrorKind::TimedOut.into()));
                }
                Some(deadline) => self.timer.as_mut().reset(deadline),
                None => self.timer.as_mut().reset(now + IDLE),
            }
        }
    }

    /// What a write came to; one that waits has a deadline.
    fn after_write(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.wrote = true;
            return written;
        }
        if !self.blocked {
            self.blocked = true;
            self.set_deadline(ANSWER);
        }
        self.poll_deadline(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.refusal.is_none() {
            let before = buffer.filled().len();
            match Pin::new(&mut self.stream).poll_read(context, buffer) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_deadline(context),
            }
            self.judge(buffer, before);
            if self.refusal.is_none() || buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
        match self.refusal {
            Some(Refusal::InBody) => Poll::Ready(Err(ErrorKind::InvalidData.into())),
            Some(Refusal::InHead(left)) if !left.is_empty() => {
                let (now, later) = left.split_at(left.len().min(buffer.remaining()));
                buffer.put_slice(now);
                self.refusal = Some(Refusal::InHead(later));
                Poll::Ready(Ok(()))
            }
            Some(Refusal::InHead(_)) | None => self.poll_deadline(context),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.after_write(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.after_write(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written all that it has to say: now it is the client's turn.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        if std::mem::take(&mut self.wrote) {
            self.blocked = false;
            let next = if self.framing.is_in_head() {
                HEAD
            } else {
                IDLE
            };
            self.set_deadline(next);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.lingers = Some(LINGER_BYTES);
            self.set_deadline(LINGER);
        }
        let mut scratch = [0; 4 << 10];
        while let Some(left) = self.lingers.filter(|left| *left > 0) {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.lingers = Some(left.saturating_sub(buffer.filled().len()));
                }
                Poll::Ready(_) => break,
                Poll::Pending => return self.poll_deadline(context),
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
