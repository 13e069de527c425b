//! The daemon: manifests come in, passes go out, and whoever asks is told. Where there is a lease, only who holds it acts.

mod board;
mod brake;
mod fleet;
mod http;
mod problem;
mod queue;
mod report;
#[cfg(test)]
mod samples;
mod terms;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

pub use board::{Board, Key, Leadership};
pub use fleet::Pace;
pub use terms::Daemon;

use crate::{
    aws::{Aws, Clients, Fence, S3Url},
    lease::Lease,
    metrics::Metrics,
    source::{self, Source},
};

/// How the daemon runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the manifests come from.
    pub source: Source,
    /// Where the lease is that it shares with other daemons; `None` when there is no other.
    pub lease: Option<S3Url>,
    /// Where it serves; port 0 picks one.
    pub http: SocketAddr,
    /// How the loop behaves.
    pub pace: Pace,
}

/// Why the daemon ended although nobody told it to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The port.
    #[error("cannot serve on {address}: {error}; choose another with --http")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        error: std::io::Error,
    },
    /// The metrics.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A part of it ended.
    #[error("{0} ended by itself; this is a bug of evenkeel: start it again, nothing is lost")]
    Ended(&'static str),
    /// A part of it panicked.
    #[error(
        "a part of the daemon broke off: {0}; this is a bug of evenkeel: start it again, nothing is lost"
    )]
    BrokeOff(#[from] JoinError),
}

/// How long all parts together may take to end.
const STOP_WITHIN: Duration = Duration::from_millis(4_500);

/// Runs until `shutdown`; ends within 5 seconds of it.
///
/// # Errors
/// When it cannot start, or when a part of it ends without having been told to.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), RunError> {
    let listener = http::bind(config.http)
        .await
        .map_err(|error| RunError::Bind {
            address: config.http,
            error,
        })?;
    let address = listener.local_addr().map_err(|error| RunError::Bind {
        address: config.http,
        error,
    })?;
    tracing::info!(address = %address, manifests = %config.source.place, "listening");

    let metrics = Metrics::new()?;
    let board = Arc::new(Board::default());
    if let Some(lease) = &config.lease {
        board.set_leadership(Leadership::of_lease(lease));
    }
    let views = http::Views {
        board: Arc::clone(&board),
        metrics: metrics.clone(),
    };
    let stop = shutdown.child_token();
    let mut parts = JoinSet::new();
    let serve = http::serve(listener, views, stop.clone());
    parts.spawn(async {
        serve.await;
        "the HTTP server"
    });

    // Finding credentials and a region may take its time.
    if let Some(clients) = stop.run_until_cancelled(Clients::from_env()).await {
        let fence = match &config.lease {
            Some(_) => Fence::closed(),
            None => Fence::open(),
        };
        let aws = Aws::new(clients, metrics.clone()).behind(fence.clone());
        let (readings, manifests) = tokio::sync::watch::channel(None);
        let watch = source::watch(config.source, aws.clone(), readings, stop.clone());
        parts.spawn(async {
            watch.await;
            "the watch over the manifests"
        });
        let lease = config.lease.map(|url| Lease::new(aws.clone(), url, fence));
        let daemon = Daemon {
            aws,
            pace: config.pace,
            board,
            metrics,
            manifests,
        };
        let act = daemon.act(lease, stop.clone());
        parts.spawn(async {
            act.await;
            "the loop over the services"
        });
    }
    until_stopped(parts, stop).await
}

/// Waits until `stop`, then for every part to end, but not for ever. A part that ends before that ends all.
async fn until_stopped(
    mut parts: JoinSet<&'static str>,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let early = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        early = parts.join_next() => early,
    };
    stop.cancel();
    let all = async { while parts.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
        tracing::warn!("not everything had ended; the next daemon looks again");
    }
    match early {
        Some(Ok(part)) => Err(RunError::Ended(part)),
        Some(Err(error)) => Err(error.into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_hangs_does_not_keep_the_daemon() {
        let (mut parts, stop) = (JoinSet::new(), CancellationToken::new());
        parts.spawn(pending());
        stop.cancel();
        let began = Instant::now();
        until_stopped(parts, stop).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_ends_by_itself_ends_the_daemon_with_an_error() {
        let (mut parts, stop) = (JoinSet::new(), CancellationToken::new());
        parts.spawn(async { "the watch" });
        let its_stop = stop.clone();
        parts.spawn(async move {
            its_stop.cancelled().await;
            "another"
        });
        let error = until_stopped(parts, stop).await.unwrap_err();
        assert!(error.to_string().starts_with("the watch ended by itself"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_panics_ends_the_daemon_with_an_error() {
        let (mut parts, stop) = (JoinSet::new(), CancellationToken::new());
        parts.spawn(async { panic!("on purpose") });
        let error = until_stopped(parts, stop).await.unwrap_err();
        assert!(matches!(error, RunError::BrokeOff(_)), "{error}");
    }
}
