//! One target: its idle connections, and how a request is sent to it.

use std::{
    fmt, io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use super::body::{Body, Progress, Waits};
use crate::driver::Addresses;

/// ALB's limit for connecting to a target:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html>.
const CONNECT: Duration = Duration::from_secs(10);
/// Shorter than the idle timeout that targets behind an ALB have, so that they are rarely the first to close.
const MAX_IDLE: Duration = Duration::from_secs(55);
const MAX_IDLE_CONNECTIONS: usize = 256;

#[derive(Debug)]
pub(super) struct Target {
    address: Ipv4Addr,
    port: u16,
    pool: Mutex<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    /// The most recently used last.
    idle: Vec<Idle>,
    /// It is out of rotation; nothing is kept any more.
    retired: bool,
}

#[derive(Debug)]
struct Idle {
    sender: http1::SendRequest<Body>,
    since: Instant,
}

/// Whether an idle connection may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    IdleOrNew,
    New,
}

/// How sending failed. It decides whether the request may be sent again.
#[derive(Debug)]
pub(super) enum Failure {
    /// Not a byte of it was sent; here it is back.
    NotSent {
        request: Box<Request<Body>>,
        cause: NotSent,
    },
    /// A connection that had been idle was closed without an answer. Most likely the target had closed it before, but it
    /// may have seen the request.
    IdleClosed,
    /// The connection broke, or what came back is not HTTP.
    Broken(hyper::Error),
    /// Nothing came back in time.
    TimedOut,
    /// The client stopped sending the body.
    ClientTimedOut,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    #[error("no task has this address any more")]
    Unknown,
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("cannot connect within {CONNECT:?}")]
    ConnectTimedOut,
    #[error("the connection was closed first")]
    Closed,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address, self.port)
    }
}

impl Target {
    pub(super) fn new(address: Ipv4Addr, port: u16) -> Self {
        Self {
            address,
            port,
            pool: Mutex::default(),
        }
    }

    /// Sends a request and waits for the response's head. `idle` is the longest time with no byte in either direction.
    pub(super) async fn send(
        self: &Arc<Self>,
        addresses: &Addresses,
        mut request: Request<Body>,
        connection: Connection,
        progress: &Progress,
        idle: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        if connection == Connection::IdleOrNew {
            while let Some(sender) = self.take_idle() {
                match self.send_on(sender, request, progress, idle).await {
                    Err(Failure::NotSent {
                        request: back,
                        cause: NotSent::Closed,
                    }) => request = *back,
                    Err(Failure::Broken(error)) if is_close(&error) => {
                        return Err(Failure::IdleClosed);
                    }
                    outcome => return outcome,
                }
            }
        }
        match self.connect(addresses).await {
            Ok(sender) => self.send_on(sender, request, progress, idle).await,
            Err(cause) => Err(Failure::NotSent {
                request: Box::new(request),
                cause,
            }),
        }
    }

    /// Closes idle connections now, and those in use as soon as they are idle.
    pub(super) fn retire(&self) {
        let mut pool = self.pool();
        pool.retired = true;
        pool.idle.clear();
    }

    async fn connect(&self, addresses: &Addresses) -> Result<http1::SendRequest<Body>, NotSent> {
        let to = addresses
            .find(self.address, self.port)
            .ok_or(NotSent::Unknown)?;
        let stream = match timeout(CONNECT, TcpStream::connect(to)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(NotSent::Connect(error)),
            Err(_) => return Err(NotSent::ConnectTimedOut),
        };
        let _ = stream.set_nodelay(true);
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| NotSent::Closed)?;
        // It ends when the sender is dropped or the target closes it; its error is the request's as well.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }

    async fn send_on(
        self: &Arc<Self>,
        mut sender: http1::SendRequest<Body>,
        request: Request<Body>,
        progress: &Progress,
        idle: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        progress.touch();
        let outcome = tokio::select! {
            outcome = sender.try_send_request(request) => outcome,
            waits = progress.stalled(idle) => return Err(match waits {
                Waits::Client => Failure::ClientTimedOut,
                Waits::Target => Failure::TimedOut,
            }),
        };
        match outcome {
            Ok(response) => {
                self.give_back_when_idle(sender);
                Ok(response)
            }
            Err(mut error) => Err(match error.take_message() {
                Some(request) => Failure::NotSent {
                    request: Box::new(request),
                    cause: NotSent::Closed,
                },
                None => Failure::Broken(error.into_error()),
            }),
        }
    }

    /// A connection can be used again once the response's body has been read, which the caller does meanwhile.
    fn give_back_when_idle(self: &Arc<Self>, mut sender: http1::SendRequest<Body>) {
        let target = Arc::downgrade(self);
        tokio::spawn(async move {
            if sender.ready().await.is_ok()
                && let Some(target) = target.upgrade()
            {
                target.give_back(sender);
            }
        });
    }

    fn give_back(&self, sender: http1::SendRequest<Body>) {
        let mut pool = self.pool();
        if pool.retired {
            return;
        }
        pool.idle.retain(|idle| !idle.sender.is_closed());
        if pool.idle.len() < MAX_IDLE_CONNECTIONS {
            pool.idle.push(Idle {
                sender,
                since: Instant::now(),
            });
        }
    }

    fn take_idle(&self) -> Option<http1::SendRequest<Body>> {
        let mut pool = self.pool();
        while let Some(Idle { sender, since }) = pool.idle.pop() {
            if sender.is_ready() && since.elapsed() < MAX_IDLE {
                return Some(sender);
            }
        }
        None
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection ended without a byte of an answer, as opposed to an answer that is broken.
fn is_close(error: &hyper::Error) -> bool {
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return true;
    }
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::UnexpectedEof
            );
        }
        source = error.source();
    }
    false
}
