//! Deadlines for many short calls.
//!
//! A timer a call costs more than some of the calls: the runtime even writes to a file descriptor for every timer that is earlier than
//! what it sleeps for. Here a clock ticks while anybody waits, and at a tick those who wait look at their deadlines.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

/// A deadline may be passed by as much.
const TICK: Duration = Duration::from_millis(5);

/// The clock of one runtime.
#[derive(Debug)]
pub(crate) struct Deadlines {
    waiting: AtomicUsize,
    somebody: Notify,
    ticks: Notify,
}

/// The deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no reply within {0:?}")]
pub(crate) struct Late(pub(crate) Duration);

impl Deadlines {
    /// Starts the clock; it runs as long as the current runtime.
    pub(crate) fn start() -> Arc<Self> {
        let deadlines = Arc::new(Self {
            waiting: AtomicUsize::new(0),
            somebody: Notify::new(),
            ticks: Notify::new(),
        });
        let clock = Arc::clone(&deadlines);
        tokio::spawn(async move {
            loop {
                if clock.waiting.load(Ordering::Acquire) == 0 {
                    clock.somebody.notified().await;
                }
                sleep(TICK).await;
                clock.ticks.notify_waiters();
            }
        });
        deadlines
    }

    /// Gives `call` up once it has taken `limit`.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = T>,
    ) -> Result<T, Late> {
        let began = Instant::now();
        let _waits = Waits::begin(self);
        let mut call = pin!(call);
        loop {
            tokio::select! {
                biased;
                output = call.as_mut() => return Ok(output),
                () = self.ticks.notified() => {
                    if began.elapsed() >= limit {
                        return Err(Late(limit));
                    }
                }
            }
        }
    }
}

/// One who waits, also if he goes away.
struct Waits<'a>(&'a Deadlines);

impl<'a> Waits<'a> {
    fn begin(deadlines: &'a Deadlines) -> Self {
        if deadlines.waiting.fetch_add(1, Ordering::AcqRel) == 0 {
            deadlines.somebody.notify_one();
        }
        Self(deadlines)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_call_that_does_not_end_is_given_up() {
        let deadlines = Deadlines::start();
        assert_eq!(deadlines.within(LIMIT, ready(7)).await, Ok(7));
        // Twice: the clock stands still while nobody waits.
        for _ in 0..2 {
            let began = Instant::now();
            let late = deadlines.within(LIMIT, pending::<()>()).await;
            assert_eq!(late, Err(Late(LIMIT)));
            assert!(began.elapsed() >= LIMIT);
            sleep(TICK * 3).await;
        }
    }

    #[tokio::test]
    async fn each_has_a_deadline_of_his_own() {
        let deadlines = Deadlines::start();
        let slow = async {
            sleep(LIMIT * 3).await;
            7
        };
        let (late, in_time) = tokio::join!(
            deadlines.within(LIMIT, pending::<()>()),
            deadlines.within(LIMIT * 100, slow)
        );
        assert_eq!((late, in_time), (Err(Late(LIMIT)), Ok(7)));
        assert_eq!(deadlines.waiting.load(Ordering::Acquire), 0);
    }
}
