//! What the tests start and talk to: the binary, its stores, and an HTTP client that hides nothing.

mod authority;
mod client;
mod process;
mod proxy;
mod raw;
mod servers;
mod shared;

use std::future::Future;
use std::time::{Duration, Instant};

pub(crate) use authority::{Authority, Certificate, Validity};
pub(crate) use client::{Answer, Connection, get, request, send};
pub(crate) use process::{Api, Ended, Process, run_to_end};
pub(crate) use proxy::{Meddling, Proxy, Way};
pub(crate) use raw::{Raw, RawAnswer};
pub(crate) use servers::{PostgresServer, RedisServer, free_port};
pub(crate) use shared::{Database, RedisDatabase};

/// The longest that any wait in these tests may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until `probe` gives a value.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Bounds a wait.
pub(crate) async fn patiently<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}
