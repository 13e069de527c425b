//! bb8 pools whose every wait has a deadline, for PostgreSQL and Redis alike.
//!
//! Two things are added to the stock managers. Connecting has a deadline that covers the handshake too. And a connection knows when
//! it broke: bb8-redis's manager never reports one (its `has_broken` is always false), and a connection whose call ran into its
//! deadline still owes a reply that the next user would wait for. So nothing needs a ping on checkout.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bb8_redis::bb8::{self, ErrorSink, ManageConnection};
use prometheus::Histogram;
use tokio::time::timeout;

use crate::logging::chain;

/// The limits of one pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at most.
    pub(crate) size: u32,
    /// One connection attempt, handshake included.
    pub(crate) connect: Duration,
    /// Waiting for a connection to be free.
    pub(crate) acquire: Duration,
    /// One call on a connection.
    pub(crate) call: Duration,
}

/// A pool of connections made by `M`.
pub(crate) struct Pool<M>
where
    M: ManageConnection,
    M::Error: Error + 'static,
{
    inner: bb8::Pool<Deadlined<M>>,
    manager: Arc<M>,
    limits: Limits,
    wait_seconds: Histogram,
}

/// Why a call on a pooled connection failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError<E: Error + 'static> {
    #[error("no connection within {0:?}")]
    NoConnection(Duration),
    #[error("no reply within {0:?}")]
    NoReply(Duration),
    #[error("the call failed")]
    Failed(#[source] E),
}

/// How many connections there are.
pub(crate) struct Occupancy {
    pub(crate) idle: u32,
    pub(crate) in_use: u32,
}

impl<M> Pool<M>
where
    M: ManageConnection,
    M::Error: Error + 'static,
{
    /// Starts connecting in the background; a store that is away is found out by the calls. `store` names it in the log.
    pub(crate) fn start(
        store: &'static str,
        manager: M,
        limits: Limits,
        wait_seconds: Histogram,
    ) -> Self {
        let manager = Arc::new(manager);
        let inner = bb8::Pool::builder()
            .max_size(limits.size)
            .min_idle(1)
            .connection_timeout(limits.acquire)
            .test_on_check_out(false)
            .error_sink(Box::new(Complaints::new(store)))
            .build_unchecked(Deadlined {
                inner: Arc::clone(&manager),
                connect: limits.connect,
            });
        Self {
            inner,
            manager,
            limits,
            wait_seconds,
        }
    }

    /// Runs `call` on a connection. A call that fails, is cancelled or does not end in time costs the connection.
    pub(crate) async fn call<T>(
        &self,
        call: impl AsyncFnOnce(&mut M::Connection) -> Result<T, M::Error>,
    ) -> Result<T, CallError<M::Error>> {
        let mut connection = self.acquire().await?;
        // Broken until the reply is there: a connection that still owes one would make its next user wait for it.
        connection.broken = true;
        let reply = timeout(self.limits.call, call(&mut connection.inner))
            .await
            .map_err(|_| CallError::NoReply(self.limits.call))?
            .map_err(CallError::Failed)?;
        connection.broken = false;
        Ok(reply)
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        let state = self.inner.state();
        Occupancy {
            idle: state.idle_connections,
            in_use: state.connections.saturating_sub(state.idle_connections),
        }
    }

    async fn acquire(
        &self,
    ) -> Result<bb8::PooledConnection<'_, Deadlined<M>>, CallError<M::Error>> {
        let started = Instant::now();
        let found = timeout(self.limits.acquire, self.live()).await;
        self.wait_seconds.observe(started.elapsed().as_secs_f64());
        match found {
            Ok(Some(connection)) => Ok(connection),
            Ok(None) | Err(_) => Err(CallError::NoConnection(self.limits.acquire)),
        }
    }

    /// bb8 asks whether a connection is broken only when it comes back, so one that the server closed meanwhile is dropped here.
    async fn live(&self) -> Option<bb8::PooledConnection<'_, Deadlined<M>>> {
        loop {
            let mut connection = self.inner.get().await.ok()?;
            if !self.manager.has_broken(&mut connection.inner) {
                return Some(connection);
            }
            connection.broken = true;
        }
    }
}

/// A manager whose `connect` has a deadline and whose connections know that they broke.
struct Deadlined<M> {
    inner: Arc<M>,
    connect: Duration,
}

/// A connection, and whether it must not be used again.
struct Tracked<C> {
    inner: C,
    broken: bool,
}

#[derive(Debug, thiserror::Error)]
enum ConnectError<E: Error + 'static> {
    #[error("no connection within {0:?}")]
    Deadline(Duration),
    #[error("cannot connect")]
    Failed(#[source] E),
}

impl<M> ManageConnection for Deadlined<M>
where
    M: ManageConnection,
    M::Error: Error + 'static,
{
    type Connection = Tracked<M::Connection>;
    type Error = ConnectError<M::Error>;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        let inner = timeout(self.connect, self.inner.connect())
            .await
            .map_err(|_| ConnectError::Deadline(self.connect))?
            .map_err(ConnectError::Failed)?;
        Ok(Tracked {
            inner,
            broken: false,
        })
    }

    async fn is_valid(&self, connection: &mut Self::Connection) -> Result<(), Self::Error> {
        self.inner
            .is_valid(&mut connection.inner)
            .await
            .map_err(ConnectError::Failed)
    }

    fn has_broken(&self, connection: &mut Self::Connection) -> bool {
        connection.broken || self.inner.has_broken(&mut connection.inner)
    }
}

/// At most one line per pool in this time: an outage makes several attempts a second.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(5);

/// Logs why connecting fails; bb8 itself tells nobody.
#[derive(Clone, Debug)]
struct Complaints {
    store: &'static str,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Complaints {
    fn new(store: &'static str) -> Self {
        Self {
            store,
            last: Arc::default(),
        }
    }
}

impl<E: Error + 'static> ErrorSink<E> for Complaints {
    fn sink(&self, error: E) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|at| at.elapsed() < COMPLAINT_INTERVAL) {
            return;
        }
        *last = Some(Instant::now());
        tracing::warn!(
            store = self.store,
            error = chain(&error),
            "cannot connect; will try again"
        );
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<E>> {
        Box::new(self.clone())
    }
}
