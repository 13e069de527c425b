//! Whether a store is there, told to the log once per change and not once per request.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::logging::{Sparse, chain};

/// At most one complaint per store in this time: an outage makes several attempts to connect a second.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(5);

/// The links of this process to one store, counted. The store is available while all of them are up: a worker without one does
/// without the store.
#[derive(Debug)]
pub(crate) struct Presence {
    store: &'static str,
    wanted: usize,
    links: AtomicUsize,
    complaints: Sparse,
}

impl Presence {
    /// `store` names it in the log; there will be `wanted` links.
    pub(crate) fn of(store: &'static str, wanted: usize) -> Arc<Self> {
        Arc::new(Self {
            store,
            wanted,
            links: AtomicUsize::new(0),
            complaints: Sparse::new(COMPLAINT_INTERVAL),
        })
    }

    /// Links that are up.
    pub(crate) fn links(&self) -> usize {
        self.links.load(Ordering::Relaxed)
    }

    pub(crate) fn gained(&self) {
        if self.links.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted {
            tracing::info!("{} is available", self.store);
        }
    }

    pub(crate) fn lost(&self) {
        if self.links.fetch_sub(1, Ordering::Relaxed) == self.wanted {
            tracing::warn!("{} is unavailable", self.store);
        }
    }

    /// An attempt to connect has failed.
    pub(crate) fn complain(&self, error: &dyn Error) {
        let Some(left_out) = self.complaints.admit(Instant::now()) else {
            return;
        };
        tracing::warn!(
            store = self.store,
            error = chain(error),
            left_out,
            "cannot connect; will try again"
        );
    }
}
