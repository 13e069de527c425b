//! Listening: accepts connections, serves HTTP/1.1 on each, and ends them gently.
//!
//! ```text
//! serve ─ slots (is there room?) ─ connection ─ hyper ─ watched (deadlines) ─ TcpStream
//!                                                       └─ framing (strict; pure)
//! ```

mod framing;
mod slots;
mod watched;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use self::watched::Watched;
use crate::http::Reply;
use crate::shutdown::Drain;

pub(crate) use self::slots::{Slots, raise_file_limit};

/// Bytes of a request's head at most, which is also the load balancer's limit.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
const MAX_HEAD: usize = 64 << 10;
/// After a failure to accept, such as no free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers requests; shared by all connections of a listener.
pub(crate) trait Answer: Send + Sync + 'static {
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Reply> + Send;
}

/// A runtime that connections run on, and what answers there.
pub(crate) struct Lane<A> {
    runtime: Handle,
    answer: Arc<A>,
    /// Each connection holds one.
    open: Arc<()>,
}

impl<A> Lane<A> {
    pub(crate) fn new(runtime: Handle, answer: Arc<A>) -> Self {
        Self {
            runtime,
            answer,
            open: Arc::new(()),
        }
    }

    fn connections(&self) -> usize {
        Arc::strong_count(&self.open)
    }
}

/// Binds a listener.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Accepts until the process drains. Connections hold a [`Drain`] each, and so outlive this call for as long as they may.
/// A connection goes to the lane that has the fewest: a load balancer keeps few, for long, and no lane may idle while another works.
pub(crate) async fn serve(
    listener: TcpListener,
    lanes: Vec<Lane<impl Answer>>,
    slots: Slots,
    mut drain: Drain,
) {
    let connect = {
        let drain = drain.clone();
        move |stream: TcpStream| {
            let Some(slot) = slots.take() else {
                slots.refuse(stream);
                return;
            };
            let Some(lane) = lanes.iter().min_by_key(|lane| lane.connections()) else {
                return;
            };
            let (answer, open, drain) = (
                Arc::clone(&lane.answer),
                Arc::clone(&lane.open),
                drain.clone(),
            );
            // It leaves this runtime's reactor for that of the lane.
            let Ok(stream) = stream.into_std() else {
                return;
            };
            lane.runtime.spawn(async move {
                let _open = open;
                if let Ok(stream) = TcpStream::from_std(stream) {
                    connection(stream, answer, drain, slot).await;
                }
            });
        }
    };
    loop {
        tokio::select! {
            () = drain.draining() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connect(stream),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection; will try again");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    // The kernel has completed these connections, so their clients believe they are served; closing the listener would reset them.
    waiting(listener).for_each(connect);
}

/// The connections that the kernel still holds for a listener.
fn waiting(listener: TcpListener) -> impl Iterator<Item = TcpStream> {
    let listener = listener.into_std().ok();
    std::iter::from_fn(move || {
        let (stream, _) = listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        TcpStream::from_std(stream).ok()
    })
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

async fn connection(
    stream: TcpStream,
    answer: Arc<impl Answer>,
    mut drain: Drain,
    _slot: OwnedSemaphorePermit,
) {
    // Only latency is lost where this fails.
    let _ = stream.set_nodelay(true);
    let asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        let answer = &answer;
        async move { Ok::<_, Infallible>(answer.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        // The one is for a head that has not ended, the other for one that has.
        .max_buf_size(MAX_HEAD)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Watched::new(stream)), service);
    let mut connection = pin!(connection);

    let news = drain.clone();
    let mut closing = pin!(drain.closing());
    let mut is_told = false;
    let ended = poll_fn(|context| {
        if let Poll::Ready(ended) = connection.as_mut().poll(context) {
            return Poll::Ready(Some(ended));
        }
        // A task has one waker all its life, so it waits for news already.
        if is_told && !news.has_news() {
            return Poll::Pending;
        }
        is_told = true;
        closing.as_mut().poll(context).map(|()| None)
    })
    .await;
    let ended = match ended {
        Some(ended) => ended,
        // Nobody has asked anything on this connection, and hyper would wait for the first question.
        None if !asked.load(Ordering::Relaxed) => Ok(()),
        None => {
            connection.as_mut().graceful_shutdown();
            poll_fn(|context| connection.as_mut().poll(context)).await
        }
    };
    if let Err(error) = ended {
        // Clients end connections as they please.
        tracing::debug!(%error, "a connection ended early");
    }
}
