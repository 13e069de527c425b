//! One connection that many requests share, kept alive in the background.
//!
//! Nobody who needs it waits for it: it is there, or it is away and the caller does without. A link that is suspected is asked, and one
//! that does not answer is replaced. Guarantee: while the store is away a link costs its callers nothing, and the store gets one attempt
//! to connect at a time, [`Limits::pause`] apart. Caveat: requests share the connection's order; long ones belong into a [`Pool`](crate::pool::Pool).

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bb8_redis::bb8::ManageConnection;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::presence::Presence;

/// The limits of one link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// One attempt to connect, handshake included.
    pub(crate) connect: Duration,
    /// Between two attempts; as much again is added at random at most.
    pub(crate) pause: Duration,
    /// For an answer to the question whether it lives.
    pub(crate) probe: Duration,
    /// Between two questions while nobody suspects anything.
    pub(crate) calm: Duration,
}

/// A connection that can be shared, and knows when it broke.
pub(crate) trait Shared: Clone + Send + Sync + 'static {
    /// Cheap: asked by every request.
    fn is_open(&self) -> bool;
}

/// A connection made by `M`, or none while the store is away.
pub(crate) struct Link<C> {
    state: Arc<State<C>>,
    keeper: JoinHandle<()>,
}

struct State<C> {
    live: Mutex<Option<C>>,
    suspected: Notify,
    /// Whether it has tried to connect.
    tried: watch::Sender<bool>,
}

impl<C: Shared> Link<C> {
    /// Starts connecting in the background.
    pub(crate) fn start<M>(manager: M, limits: Limits, presence: &Arc<Presence>) -> Self
    where
        M: ManageConnection<Connection = C>,
        M::Error: Error + 'static,
    {
        let state = Arc::new(State {
            live: Mutex::new(None),
            suspected: Notify::new(),
            tried: watch::Sender::new(false),
        });
        let keeper = Keeper {
            manager,
            limits,
            presence: Arc::clone(presence),
            state: Arc::clone(&state),
        };
        Self {
            state,
            keeper: tokio::spawn(keeper.keep()),
        }
    }

    /// The connection, or `None` while the store is away.
    pub(crate) fn live(&self) -> Option<C> {
        let live = self.state.live().clone()?;
        if live.is_open() {
            return Some(live);
        }
        self.suspect();
        None
    }

    /// Returns once there was an attempt to connect, whatever came of it.
    pub(crate) async fn tried(&self) {
        // The sender lives as long as this link.
        let _ = self.state.tried.subscribe().wait_for(|tried| *tried).await;
    }

    /// A call on it went wrong: it is to be asked whether it lives.
    pub(crate) fn suspect(&self) {
        self.state.suspected.notify_one();
    }
}

impl<C> Drop for Link<C> {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl<C> State<C> {
    fn live(&self) -> std::sync::MutexGuard<'_, Option<C>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The deadline of an attempt to connect has passed.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
struct Late(Duration);

struct Keeper<M: ManageConnection> {
    manager: M,
    limits: Limits,
    presence: Arc<Presence>,
    state: Arc<State<M::Connection>>,
}

impl<M> Keeper<M>
where
    M: ManageConnection<Connection: Shared>,
    M::Error: Error + 'static,
{
    async fn keep(self) {
        loop {
            let attempt = timeout(self.limits.connect, self.manager.connect()).await;
            match attempt {
                Ok(Ok(connection)) => {
                    *self.state.live() = Some(connection.clone());
                    self.presence.gained();
                    self.state.tried.send_replace(true);
                    self.until_it_fails(connection).await;
                    *self.state.live() = None;
                    self.presence.lost();
                }
                Ok(Err(error)) => self.presence.complain(&error),
                Err(_) => self.presence.complain(&Late(self.limits.connect)),
            }
            self.state.tried.send_replace(true);
            sleep(self.limits.pause.mul_f64(1.0 + fastrand::f64())).await;
        }
    }

    async fn until_it_fails(&self, mut connection: M::Connection) {
        loop {
            tokio::select! {
                () = self.state.suspected.notified() => {}
                () = sleep(self.limits.calm) => {}
            }
            if !connection.is_open() {
                return;
            }
            let answer = timeout(self.limits.probe, self.manager.is_valid(&mut connection));
            if !matches!(answer.await, Ok(Ok(()))) {
                return;
            }
            // What fails on a connection that lives must not ask it without end.
            sleep(self.limits.pause).await;
        }
    }
}
