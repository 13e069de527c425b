//! `evenkeel local aws`: the emulator as a process of its own.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use emulator::{core::Settings, server};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    prelude::*,
};

use super::{
    cloud::{ACCOUNT, REGION},
    files::{self, FilesError, State},
    signals::Signals,
};
use crate::log;

/// Runs the local AWS in the foreground: ECS, ELBv2, CloudWatch Logs, ECR, S3 and STS, with tasks as processes.
#[derive(Debug, Args)]
pub struct Aws {
    /// The state directory: images, secrets, and where aws.json says what listens.
    #[arg(
        long,
        env = "EVENKEEL_STATE",
        default_value = ".local",
        value_name = "DIR"
    )]
    state: PathBuf,
    /// Where the AWS API listens; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDR")]
    listen: SocketAddr,
    /// Where a load balancer's listener really listens, such as 80=127.0.0.1:8080; others get a free port.
    #[arg(long, value_name = "PORT=ADDR", value_parser = listener)]
    listener: Vec<(u16, SocketAddr)>,
    /// AWS's own delays are divided by this.
    #[arg(long, env = "EVENKEEL_SPEED", default_value_t = 10.0, value_parser = speed)]
    speed: f64,
    /// Ends with whoever holds the other end of standard input.
    #[arg(long)]
    with_parent: bool,
}

/// The content of `aws.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Addresses {
    /// The AWS API, `http://…`.
    pub(super) endpoint: String,
    /// Declared listener ports and where they really listen.
    pub(super) listeners: BTreeMap<u16, SocketAddr>,
}

/// Why the emulator did not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum AwsError {
    /// It could not start.
    #[error("the local AWS cannot start: {0}")]
    Start(#[from] server::StartError),
    /// No signal handling.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    /// How much is to be logged is not understood.
    #[error(transparent)]
    Log(#[from] log::FilterError),
    /// The system refused.
    #[error(transparent)]
    Files(#[from] FilesError),
}

impl AwsError {
    /// What the person can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::Start(_) | Self::Signals(_) | Self::Log(_) => None,
            Self::Files(error) => error.help(),
        }
    }
}

/// Serves until a signal, or until the parent is gone.
pub(super) async fn run(aws: Aws) -> Result<ExitCode, AwsError> {
    log_to_stderr(log::filter(Targets::new().with_default(LevelFilter::INFO))?);
    let signals = Signals::listen().map_err(AwsError::Signals)?;
    if aws.with_parent {
        end_with_parent(signals.stop.clone());
    }
    let state = State::create(&aws.state)?;
    let secrets = files::read_json(&state.secrets())?.unwrap_or_default();
    let emulator = server::start(server::Config {
        aws: aws.listen,
        listeners: aws.listener.into_iter().collect(),
        state: state.dir().to_owned(),
        blobs: state.images(),
        settings: Settings {
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            speed: aws.speed,
            seed: fastrand::u64(..),
            secrets,
        },
    })
    .await?;
    let addresses = Addresses {
        endpoint: format!("http://{}", emulator.aws),
        listeners: emulator.listeners.clone(),
    };
    files::write_json(&state.aws(), &addresses, 0o644)?;
    tracing::info!(endpoint = addresses.endpoint, "the local AWS serves");
    emulator.run(signals.stop).await;
    files::remove(&state.aws())?;
    Ok(ExitCode::SUCCESS)
}

/// A thread, for a read of standard input cannot be given up: it would hold the runtime at its end.
fn end_with_parent(stop: CancellationToken) {
    std::thread::spawn(move || {
        let mut nothing = [0; 64];
        while matches!(io::stdin().read(&mut nothing), Ok(read) if read > 0) {}
        stop.cancel();
    });
}

fn log_to_stderr(filter: Targets) {
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(false);
    // Another subscriber is only there in a test.
    let _already = tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init();
}

fn listener(text: &str) -> Result<(u16, SocketAddr), &'static str> {
    text.split_once('=')
        .and_then(|(port, address)| Some((port.parse().ok()?, address.parse().ok()?)))
        .ok_or("a listener is PORT=ADDRESS:PORT, such as 80=127.0.0.1:8080")
}

/// A factor that time can be divided by.
pub(super) fn speed(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(speed) if (0.01..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("speed is a number from 0.01 to 1000"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_port_and_address() {
        assert_eq!(
            listener("80=127.0.0.1:8080"),
            Ok((80, ([127, 0, 0, 1], 8080).into()))
        );
        for wrong in ["80", "80=8080", "x=127.0.0.1:1", "70000=127.0.0.1:1"] {
            assert!(listener(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn speed_is_a_sane_number() {
        assert_eq!(speed("10"), Ok(10.0));
        for wrong in ["0", "-1", "NaN", "inf", "", "1e9"] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }
}
