//! One listener: accepts connections and hands their requests to the proxy.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{limits, proxy, table::Table};
use crate::{clock::Clock, driver::Addresses};

/// Connections of clients to one listener; more wait to be accepted.
const MAX_CONNECTIONS: usize = 4_096;
/// After accept failed, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Frontend {
    /// The declared port.
    pub(super) port: u16,
    /// Whether it was asked for at the start, and so stays when no listener uses it.
    pub(super) declared: bool,
    /// What the declared port is on loopback.
    pub(super) local: SocketAddr,
    route: RwLock<RouteState>,
    next: AtomicUsize,
    next_share: AtomicUsize,
    closing: CancellationToken,
}

#[derive(Debug, Default)]
struct RouteState {
    /// The listener's ARN.
    claim: Option<String>,
    table: Arc<Table>,
}

/// What the proxy needs beside the frontend.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) addresses: Arc<Addresses>,
    pub(super) clock: Clock,
    pub(super) running: TaskTracker,
}

impl Frontend {
    pub(super) fn new(
        port: u16,
        declared: bool,
        local: SocketAddr,
        closing: CancellationToken,
    ) -> Self {
        Self {
            port,
            declared,
            local,
            route: RwLock::default(),
            next: AtomicUsize::new(0),
            next_share: AtomicUsize::new(0),
            closing,
        }
    }

    /// The ARN of the listener that uses it.
    pub(super) fn claim(&self) -> Option<String> {
        self.read().claim.clone()
    }

    pub(super) fn set_claim(&self, arn: &str) {
        self.write().claim = Some(arn.to_owned());
    }

    /// Its listener is gone. Undeclared, it closes.
    pub(super) fn release(&self) {
        *self.write() = RouteState::default();
        if !self.declared {
            self.closing.cancel();
        }
    }

    pub(super) fn replace(&self, table: Table) {
        self.write().table = Arc::new(table);
    }

    /// What is in force now.
    pub(super) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.read().table)
    }

    /// Whose turn it is among groups. Apart from the targets' turns, so that neither disturbs the other's evenness.
    pub(super) fn share_turn(&self) -> usize {
        self.next_share.fetch_add(1, Ordering::Relaxed)
    }

    /// Whose turn it is among targets.
    pub(super) fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, RouteState> {
        self.route.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, RouteState> {
        self.route.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts until the frontend closes.
pub(super) async fn serve(frontend: Arc<Frontend>, socket: TcpListener, shared: Shared) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let closing = frontend.closing.clone();
    let accept = async {
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                return;
            };
            match socket.accept().await {
                Ok((stream, peer)) => {
                    let connection =
                        connection(Arc::clone(&frontend), stream, peer, shared.clone());
                    shared.running.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(port = frontend.port, %error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    closing.run_until_cancelled(accept).await;
}

async fn connection(frontend: Arc<Frontend>, stream: TcpStream, peer: SocketAddr, shared: Shared) {
    // Small answers must not wait for the client's acknowledgements.
    let _ = stream.set_nodelay(true);
    let closing = frontend.closing.clone();
    let idle = frontend.table().idle();
    let service = service_fn(move |request| {
        let (frontend, shared) = (Arc::clone(&frontend), shared.clone());
        async move {
            let response = proxy::forward(&frontend, &shared, request, peer.ip()).await;
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_headers(limits::HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // An error here is the client's: it went away, or did not speak HTTP and was told so.
    let _ = closing.run_until_cancelled(connection).await;
}
