//! The end of the process, told to everyone and waited for.
//!
//! Whoever holds a [`Drain`] is waited for; when the last one is dropped, the process may end. Guarantee: a connection that was
//! accepted before the signal gets an answer to a request that arrives within [`LINGER`], and the answer says `connection: close`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long an idle connection stays open after the signal. A request already on its way then still finds a reader; closing at
/// once would answer it with a reset.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// How long everything may take after the signal. Below the 25 s promised, so that the exit itself fits.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Where the process is in its life; phases only advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// Nothing new is accepted; every answer closes its connection.
    Draining,
    /// Idle connections are closed.
    Closing,
}

/// The side that ends the process.
pub(crate) struct Shutdown {
    phase: watch::Sender<Phase>,
    drains: Arc<AtomicBool>,
}

/// The side that is told, and waited for while it lives.
#[derive(Clone)]
pub(crate) struct Drain {
    phase: watch::Receiver<Phase>,
    /// The same, for those who ask often.
    drains: Arc<AtomicBool>,
}

/// How the drain ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    Clean,
    /// The deadline passed with this many holders left.
    Abandoned(usize),
}

/// A new pair, serving.
pub(crate) fn channel() -> (Shutdown, Drain) {
    let (sender, receiver) = watch::channel(Phase::Serving);
    let drains = Arc::new(AtomicBool::new(false));
    let shutdown = Shutdown {
        phase: sender,
        drains: Arc::clone(&drains),
    };
    let drain = Drain {
        phase: receiver,
        drains,
    };
    (shutdown, drain)
}

impl Shutdown {
    /// Drains from this moment, then closes; the future ends when every [`Drain`] is gone or the deadline has passed.
    pub(crate) fn drain(self) -> impl Future<Output = Drained> {
        self.drains.store(true, Ordering::Release);
        self.phase.send_replace(Phase::Draining);
        self.end(LINGER, DEADLINE)
    }

    async fn end(self, linger: Duration, deadline: Duration) -> Drained {
        if timeout(linger, self.phase.closed()).await.is_ok() {
            return Drained::Clean;
        }
        self.phase.send_replace(Phase::Closing);
        match timeout(deadline.saturating_sub(linger), self.phase.closed()).await {
            Ok(()) => Drained::Clean,
            Err(_) => Drained::Abandoned(self.phase.receiver_count()),
        }
    }
}

impl Drain {
    pub(crate) fn is_draining(&self) -> bool {
        self.drains.load(Ordering::Acquire)
    }

    /// Whether anything was told since this was cloned from one that had waited for nothing. It costs as much as a look.
    pub(crate) fn has_news(&self) -> bool {
        // A sender that is gone without a word is news.
        self.phase.has_changed().unwrap_or(true)
    }

    /// Returns once the process drains.
    pub(crate) async fn draining(&mut self) {
        self.reached(Phase::Draining).await;
    }

    /// Returns once idle connections are to be closed.
    pub(crate) async fn closing(&mut self) {
        self.reached(Phase::Closing).await;
    }

    async fn reached(&mut self, phase: Phase) {
        // A sender that is gone without a word means the same.
        let _ = self.phase.wait_for(|now| *now >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ends_as_soon_as_the_last_holder_is_gone() {
        let (shutdown, mut drain) = channel();
        assert!(!drain.is_draining());
        let holder = tokio::spawn(async move {
            drain.draining().await;
            assert!(drain.is_draining());
        });
        assert_eq!(shutdown.drain().await, Drained::Clean);
        holder.await.unwrap();
    }

    #[tokio::test]
    async fn ends_at_the_deadline_whoever_is_left() {
        let (shutdown, mut drain) = channel();
        let (linger, deadline) = (Duration::from_millis(1), Duration::from_millis(2));
        assert_eq!(shutdown.end(linger, deadline).await, Drained::Abandoned(1));
        drain.closing().await;
    }
}
