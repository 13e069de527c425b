//! Until when this process may write. Where daemons share a lease, the one that holds it moves this on; nobody else may
//! write.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::aws::{AwsError, Class, Operation, clients::ATTEMPT_TIMEOUT};

/// Whether writes may be made, and for how long. Clones are one and the same.
#[derive(Debug, Clone)]
pub struct Fence(Arc<Mutex<Until>>);

#[derive(Debug, Clone, Copy)]
enum Until {
    /// There is no lease.
    Always,
    Then(Instant),
    Closed,
}

impl Fence {
    /// For a process that shares with nobody.
    pub fn open() -> Self {
        Self(Arc::new(Mutex::new(Until::Always)))
    }

    /// For a process that has no lease yet.
    pub fn closed() -> Self {
        Self(Arc::new(Mutex::new(Until::Closed)))
    }

    /// The lease is ours until `end`.
    pub fn open_until(&self, end: Instant) {
        self.set(Until::Then(end));
    }

    /// The lease is not ours, or not for certain.
    pub fn close(&self) {
        self.set(Until::Closed);
    }

    fn set(&self, until: Until) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// How much longer writes may be made.
    fn left(&self, now: Instant) -> Duration {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Until::Always => Duration::MAX,
            Until::Then(end) => end.saturating_duration_since(now),
            Until::Closed => Duration::ZERO,
        }
    }

    /// Asked right before a write: the lease must outlast the one attempt that is made.
    pub(super) fn check(&self, operation: Operation) -> Result<(), AwsError> {
        if self.left(Instant::now()) > ATTEMPT_TIMEOUT {
            return Ok(());
        }
        Err(AwsError {
            operation: format!("{}:{}", operation.service, operation.name),
            class: Class::Transient,
            code: "lease".to_owned(),
            message: "not called: the lease is not ours, or not for long enough".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_is_made_only_if_the_lease_outlasts_it() {
        let may_write = |fence: &Fence| fence.check(Operation::DELETE_SERVICE).is_ok();
        assert!(may_write(&Fence::open()));
        let fence = Fence::closed();
        assert!(!may_write(&fence));
        fence.open_until(Instant::now() + ATTEMPT_TIMEOUT + Duration::from_secs(3));
        assert!(may_write(&fence.clone()), "clones are one");
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(!may_write(&fence), "an attempt could end after the lease");
        fence.open_until(Instant::now() + ATTEMPT_TIMEOUT * 2);
        assert!(may_write(&fence));
        fence.close();
        assert!(!may_write(&fence));
    }
}
