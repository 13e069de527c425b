//! Listening: accepts connections, serves HTTP/1.1 on each, and ends them gently.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use crate::http::Reply;
use crate::shutdown::Drain;

/// Open connections at most; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 8_192;
/// For a request's head to arrive, and for an idle connection to stay: hyper has one timer for both. Above the 60 s that a load
/// balancer keeps idle connections, or else it sends requests into closed ones.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#connection-idle-timeout>
const HEAD_DEADLINE: Duration = Duration::from_secs(75);
/// Bytes of a request's head at most.
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
pub(crate) async fn serve(listener: TcpListener, lanes: Vec<Lane<impl Answer>>, mut drain: Drain) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connect = {
        let drain = drain.clone();
        move |stream: TcpStream, slot: OwnedSemaphorePermit| {
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
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (listener.accept().await, slot)
        };
        tokio::select! {
            () = drain.draining() => break,
            (accepted, slot) = accepted => match (accepted, slot) {
                (Ok((stream, _)), Ok(slot)) => connect(stream, slot),
                (Err(error), _) if is_of_one_connection(&error) => {}
                (Err(error), _) => {
                    tracing::warn!(%error, "cannot accept a connection; will try again");
                    sleep(ACCEPT_PAUSE).await;
                }
                (Ok(_), Err(_)) => break,
            },
        }
    }
    // The kernel has completed these connections, so their clients believe they are served; closing the listener would reset them.
    for stream in waiting(listener) {
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            break;
        };
        connect(stream, slot);
    }
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
        let answer = Arc::clone(&answer);
        async move { Ok::<_, Infallible>(answer.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);

    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = drain.closing() => None,
    };
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
