//! The daemon: manifests come in, passes go out, and whoever asks is told.

mod board;
mod fleet;
mod http;
mod queue;
mod report;
mod watch;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

pub use board::{Board, Key};
pub use fleet::Pace;
pub use watch::{Reading, Source};

use crate::{
    aws::{Aws, Clients},
    metrics::Metrics,
};

/// How the daemon runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the manifests come from.
    pub source: Source,
    /// Where it serves; port 0 picks one.
    pub http: SocketAddr,
    /// How the loop behaves.
    pub pace: Pace,
}

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
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
}

/// How long the HTTP server may take to end.
const HTTP_STOP: Duration = Duration::from_millis(1_500);

/// Runs until `shutdown`; ends within 5 seconds of it.
///
/// # Errors
/// When it cannot start. Nothing that happens later ends it.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), StartError> {
    let listener = http::bind(config.http)
        .await
        .map_err(|error| StartError::Bind {
            address: config.http,
            error,
        })?;
    let address = listener.local_addr().map_err(|error| StartError::Bind {
        address: config.http,
        error,
    })?;
    tracing::info!(address = %address, manifests = %config.source.directory.display(), "listening");

    let metrics = Metrics::new()?;
    let board = Arc::new(Board::default());
    let reporter = report::Reporter::new(Arc::clone(&board), metrics.clone());
    let views = http::Views {
        board: Arc::clone(&board),
        metrics: metrics.clone(),
    };
    let server = tokio::spawn(http::serve(listener, views, shutdown.clone()));

    let (readings, manifests) = tokio::sync::watch::channel(None);
    tokio::spawn(watch::watch(config.source, readings, shutdown.clone()));
    let aws = Aws::new(Clients::from_env().await, metrics);
    fleet::Fleet::new(aws, config.pace, board, reporter)
        .run(manifests, shutdown)
        .await;
    if tokio::time::timeout(HTTP_STOP, server).await.is_err() {
        tracing::debug!("the HTTP server was still busy");
    }
    Ok(())
}
