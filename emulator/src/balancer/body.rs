//! Bodies on their way through, and the watch over their progress.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, combinators::UnsyncBoxBody};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// A body in either direction.
pub(super) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error(transparent)]
    Connection(#[from] hyper::Error),
    #[error("the target sent nothing for {0:?}")]
    Idle(Duration),
}

pub(super) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// How a request is getting on: when a byte of it last went on its way, and who is waited for.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Mutex<Way>>);

#[derive(Debug, Clone, Copy)]
struct Way {
    last: Instant,
    waits: Waits,
}

/// Whom a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// The client has more of the body to send.
    Client,
    /// The target has to take it, or to answer it.
    Target,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Way {
            last: Instant::now(),
            waits: Waits::Target,
        })))
    }

    pub(super) fn touch(&self) {
        self.way().last = Instant::now();
    }

    /// Returns when there was none for so long, with whom it was that did nothing.
    pub(super) async fn stalled(&self, idle: Duration) -> Waits {
        loop {
            let Way { last, waits } = *self.way();
            let deadline = last + idle;
            if deadline <= Instant::now() {
                return waits;
            }
            sleep_until(deadline).await;
        }
    }

    fn way(&self) -> std::sync::MutexGuard<'_, Way> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's body, whose every frame is progress.
pub(super) fn upload(inner: Incoming, progress: Progress) -> Body {
    let upload = Upload { inner, progress };
    upload.boxed_unsync()
}

struct Upload {
    inner: Incoming,
    progress: Progress,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        // Nobody asks for more while the target does not take what there is.
        let mut way = self.progress.way();
        way.waits = if frame.is_ready() {
            way.last = Instant::now();
            Waits::Target
        } else {
            Waits::Client
        };
        drop(way);
        frame.map_err(BodyError::Connection)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A target's body, which breaks off when the target sends nothing for so long.
pub(super) fn download(inner: Incoming, idle: Duration) -> Body {
    let download = Download {
        inner,
        idle,
        deadline: Box::pin(sleep(idle)),
    };
    download.boxed_unsync()
}

struct Download {
    inner: Incoming,
    idle: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        if frame.is_ready() {
            let deadline = Instant::now() + self.idle;
            self.deadline.as_mut().reset(deadline);
            return frame.map_err(BodyError::Connection);
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(BodyError::Idle(self.idle)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
