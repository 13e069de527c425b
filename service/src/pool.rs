//! A bb8 pool whose every wait has a deadline, for calls that need a connection to themselves.
//!
//! Three things are added to bb8. Connecting has a deadline that covers the handshake too. A connection knows when it broke, also when
//! its call ran into its deadline and still owes a reply that the next user would wait for, so nothing needs a ping on checkout. And
//! callers are served in order: bb8 itself lets newcomers overtake those who wait.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bb8_redis::bb8::{self, ErrorSink, ManageConnection};
use prometheus::Histogram;
use tokio::sync::{Semaphore, SemaphorePermit, SetOnce};
use tokio::time::timeout;

use crate::presence::Presence;

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
    /// Set by the first attempt to connect.
    tried: Arc<SetOnce<()>>,
    turns: Semaphore,
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
    pub(crate) idle: usize,
    pub(crate) in_use: usize,
}

impl<M> Pool<M>
where
    M: ManageConnection,
    M::Error: Error + 'static,
{
    /// Starts connecting in the background once `begin` is set; a store that is away is found out by the calls.
    pub(crate) fn new(
        manager: M,
        begin: Arc<SetOnce<()>>,
        limits: Limits,
        presence: &Arc<Presence>,
        wait_seconds: Histogram,
    ) -> Self {
        let manager = Arc::new(manager);
        let tried = Arc::new(SetOnce::new());
        let inner = bb8::Pool::builder()
            .max_size(limits.size)
            // One is ready before it is called for: a busy server may take long to make one.
            .min_idle(1)
            .connection_timeout(limits.acquire)
            .test_on_check_out(false)
            .error_sink(Box::new(Complaints(Arc::clone(presence))))
            .build_unchecked(Deadlined {
                inner: Arc::clone(&manager),
                begin,
                tried: Arc::clone(&tried),
                connect: limits.connect,
            });
        Self {
            inner,
            manager,
            tried,
            turns: Semaphore::new(limits.size as usize),
            limits,
            wait_seconds,
        }
    }

    /// Runs `call` on a connection. A call that fails, is cancelled or does not end in time costs the connection.
    pub(crate) async fn call<T>(
        &self,
        call: impl AsyncFnOnce(&mut M::Connection) -> Result<T, M::Error>,
    ) -> Result<T, CallError<M::Error>> {
        let (_turn, mut connection) = self.acquire().await?;
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
        let busy = state.connections.saturating_sub(state.idle_connections);
        Occupancy {
            idle: state.idle_connections as usize,
            in_use: busy as usize,
        }
    }

    async fn acquire(
        &self,
    ) -> Result<(SemaphorePermit<'_>, bb8::PooledConnection<'_, Deadlined<M>>), CallError<M::Error>>
    {
        let started = Instant::now();
        // Calls may come before the first connection, which takes longer on a busy server than one of several to be free.
        let _ = timeout(self.limits.connect, self.tried.wait()).await;
        let found = timeout(self.limits.acquire, async {
            let turn = self.turns.acquire().await.ok()?;
            Some((turn, self.live().await?))
        })
        .await;
        self.wait_seconds.observe(started.elapsed().as_secs_f64());
        match found {
            Ok(Some(found)) => Ok(found),
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
    begin: Arc<SetOnce<()>>,
    tried: Arc<SetOnce<()>>,
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
        self.begin.wait().await;
        let connected = timeout(self.connect, self.inner.connect()).await;
        let _ = self.tried.set(());
        let inner = connected
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

/// bb8 itself tells nobody why connecting fails.
#[derive(Clone, Debug)]
struct Complaints(Arc<Presence>);

impl<E: Error + 'static> ErrorSink<E> for Complaints {
    fn sink(&self, error: E) {
        self.0.complain(&error);
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<E>> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const LIMITS: Limits = Limits {
        size: 1,
        connect: Duration::from_secs(3),
        acquire: Duration::from_millis(800),
        call: Duration::from_secs(1),
    };

    /// Takes a while to connect.
    struct Slow(Duration);

    impl ManageConnection for Slow {
        type Connection = ();
        type Error = std::io::Error;

        async fn connect(&self) -> Result<(), Self::Error> {
            sleep(self.0).await;
            Ok(())
        }

        async fn is_valid(&self, (): &mut ()) -> Result<(), Self::Error> {
            Ok(())
        }

        fn has_broken(&self, (): &mut ()) -> bool {
            false
        }
    }

    /// What a call made at the start comes to, and how long it took.
    async fn early_call(connecting: Duration, begin_after: Duration) -> (bool, Duration) {
        let begin = Arc::new(SetOnce::new());
        let wait_seconds = Histogram::with_opts(prometheus::HistogramOpts::new("w", "w")).unwrap();
        let presence = Presence::of("a store", 1);
        let pool = Pool::new(
            Slow(connecting),
            Arc::clone(&begin),
            LIMITS,
            &presence,
            wait_seconds,
        );
        let started = tokio::time::Instant::now();
        let (called, ()) = tokio::join!(pool.call(async |()| Ok(())), async {
            sleep(begin_after).await;
            assert_eq!(pool.occupancy().idle + pool.occupancy().in_use, 0);
            begin.set(()).unwrap();
        });
        (called.is_ok(), started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_for_the_first_connection() {
        let second = Duration::from_secs(1);
        assert_eq!(early_call(second, second).await, (true, second * 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_connection_that_never_comes_is_waited_for_once() {
        let (called, took) = early_call(Duration::from_secs(3_600), Duration::ZERO).await;
        assert!(!called);
        assert!(took <= LIMITS.connect + LIMITS.acquire, "{took:?}");
    }
}
