//! `evenkeel run`: the daemon.

use std::{io::IsTerminal, net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    prelude::*,
};

use crate::{
    aws::S3Url,
    cli::{exit, inputs::Inputs},
    daemon::{self, Config, Pace},
    log,
};

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  evenkeel run --manifests manifests --owner shop")]
pub(super) struct Run {
    #[command(flatten)]
    inputs: Inputs,

    /// Another daemon may run with the same lease, an object s3://BUCKET/KEY: only the one that holds it acts.
    #[arg(long, value_name = "URL", env = "EVENKEEL_LEASE")]
    lease: Option<S3Url>,

    /// Where metrics, health and status are served; port 0 picks one.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "EVENKEEL_HTTP",
        default_value = "127.0.0.1:9180"
    )]
    http: SocketAddr,

    /// How often every service is looked at, in seconds.
    #[arg(long, value_name = "SECONDS", env = "EVENKEEL_RESYNC", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=3600))]
    resync: u64,

    /// How the log on stderr is written; JSON unless it goes to a terminal. RUST_LOG says how much of it.
    #[arg(long, value_enum, env = "EVENKEEL_LOG_FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl Run {
    pub(super) async fn run(self) -> exit::Code {
        match log::filter(default_filter()) {
            Ok(filter) => self.start_log(filter),
            Err(error) => {
                exit::fail(&error.to_string());
                return exit::USAGE;
            }
        }
        let shutdown = CancellationToken::new();
        if let Err(error) = cancel_on_signal(&shutdown) {
            return exit::fail(&format!("signals cannot be handled: {error}"));
        }
        let config = Config {
            source: self.inputs.source(),
            lease: self.lease,
            http: self.http,
            pace: Pace {
                settings: self.inputs.settings(),
                resync: Duration::from_secs(self.resync),
            },
        };
        match daemon::run(config, shutdown).await {
            Ok(()) => exit::DONE,
            Err(error) => exit::fail(&error.to_string()),
        }
    }

    fn start_log(&self, filter: Targets) {
        let is_terminal = std::io::stderr().is_terminal();
        let format = self.log_format.unwrap_or(if is_terminal {
            LogFormat::Text
        } else {
            LogFormat::Json
        });
        let lines = fmt::layer()
            .with_writer(std::io::stderr)
            .with_target(false)
            // It would be told on stderr, which is what cannot be written, and end by a panic what was to be logged.
            .log_internal_errors(false);
        let lines = match format {
            LogFormat::Text => lines
                .with_ansi(is_terminal && std::env::var_os("NO_COLOR").is_none())
                .boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        tracing_subscriber::registry()
            .with(lines)
            .with(filter)
            .init();
    }
}

/// The SDK warns of what is none of an operator's business.
fn default_filter() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("aws_config", LevelFilter::ERROR)
}

fn cancel_on_signal(shutdown: &CancellationToken) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        shutdown.cancel();
    });
    Ok(())
}
