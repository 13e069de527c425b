//! What one piece of work waits for at each store, where somebody asks to know.
//!
//! It goes with the task, so that those who call a store need not hand it on. Where nobody asks, a wait costs a look at a variable of the
//! thread.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

tokio::task_local! {
    static ASKED: Asked;
}

/// The time spent at each store; `None` for one that was not needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) cache: Option<Duration>,
    pub(crate) database: Option<Duration>,
}

/// Who is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum For {
    Cache,
    Database,
}

/// Where waits are added up, if anybody asks; taken along to what is spawned.
#[derive(Clone, Default)]
pub(crate) struct Asked(Option<Arc<Mutex<Waits>>>);

/// A wait that goes on until it is dropped.
#[must_use]
pub(crate) struct Waiting(Option<(Arc<Mutex<Waits>>, For, Instant)>);

/// Does `work`, and tells what it waited for.
pub(crate) async fn told<F: Future>(work: F) -> (F::Output, Waits) {
    let waits = Arc::new(Mutex::new(Waits::default()));
    let done = Asked(Some(Arc::clone(&waits))).of(work).await;
    let waits = *waits.lock().unwrap_or_else(PoisonError::into_inner);
    (done, waits)
}

/// Begins a wait of the work that this is part of.
pub(crate) fn on(whom: For) -> Waiting {
    Waiting(Asked::here().0.map(|waits| (waits, whom, Instant::now())))
}

impl Asked {
    /// Who asks about the work that this is part of.
    pub(crate) fn here() -> Self {
        ASKED.try_with(Self::clone).unwrap_or_default()
    }

    /// `work` as part of what is asked about.
    pub(crate) fn of<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        ASKED.scope(self, work)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some((waits, whom, since)) = &self.0 else {
            return;
        };
        let mut waits = waits.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = match whom {
            For::Cache => &mut waits.cache,
            For::Database => &mut waits.database,
        };
        *wait = Some(wait.unwrap_or_default() + since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const SHORT: Duration = Duration::from_millis(2);

    #[tokio::test]
    async fn waits_are_added_up_also_of_what_is_spawned() {
        let (answer, waits) = told(async {
            for _ in 0..2 {
                let _waiting = on(For::Cache);
                sleep(SHORT).await;
            }
            let spawned = Asked::here().of(async {
                let _waiting = on(For::Database);
                sleep(SHORT).await;
            });
            tokio::spawn(spawned).await.unwrap();
            7
        })
        .await;
        assert_eq!(answer, 7);
        assert!(waits.cache.unwrap() >= SHORT * 2, "{waits:?}");
        assert!(waits.database.unwrap() >= SHORT, "{waits:?}");
    }

    #[tokio::test]
    async fn what_nobody_asks_about_is_not_measured() {
        assert!(on(For::Cache).0.is_none());
        let ((), waits) = told(async {
            let apart = async { drop(on(For::Cache)) };
            tokio::spawn(Asked::default().of(apart)).await.unwrap();
        })
        .await;
        assert_eq!(waits, Waits::default());
    }
}
