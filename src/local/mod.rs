//! `evenkeel local`: the whole system on one machine, with no AWS account.
//!
//! ```text
//! up ─┬─ postgres, redis   (or those that DATABASE_URL and REDIS_URL name)
//!     ├─ aws               `evenkeel local aws`: the emulator, whose tasks are local processes
//!     └─ run               `evenkeel run`: the daemon, which knows nothing of any of this
//! ```
//!
//! What is local is known here alone: the daemon and every other command are told by the environment.

mod aws;
mod child;
mod cloud;
mod daemon;
mod data;
mod emulated;
mod endpoints;
mod env;
mod files;
mod images;
mod logs;
mod place;
mod ports;
mod postgres;
mod process;
mod progress;
mod push;
mod readiness;
mod redis;
mod restart;
mod signals;
mod store_url;
mod up;
mod up_error;

use std::{io::Write, process::ExitCode};

use clap::Subcommand;

/// The commands under `evenkeel local`.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "clap shows the documentation of the arguments' own types"
)]
pub enum Local {
    Up(up::Up),
    Env(env::Env),
    Push(push::Push),
    Aws(aws::Aws),
    Data(data::Data),
}

/// Any local command's failure.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum LocalError {
    Up(#[from] up_error::UpError),
    Env(#[from] env::EnvError),
    Push(#[from] push::PushError),
    Aws(#[from] aws::AwsError),
    Data(#[from] data::DataError),
}

impl LocalError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Up(error) => error.help(),
            Self::Env(error) => error.help(),
            Self::Push(error) => error.help(),
            Self::Aws(error) => error.help(),
            Self::Data(error) => error.help(),
        }
    }
}

/// Runs one of the local commands. A failure is told on stderr, with what to do about it, and is exit code 1.
pub async fn run(command: Local) -> anyhow::Result<ExitCode> {
    let outcome: Result<ExitCode, LocalError> = match command {
        Local::Up(up) => up::run(up).await.map_err(LocalError::from),
        Local::Env(env) => env::run(env).map_err(LocalError::from),
        Local::Push(push) => push::run(push).await.map_err(LocalError::from),
        Local::Aws(aws) => aws::run(aws).await.map_err(LocalError::from),
        Local::Data(data) => data::run(data).await.map_err(LocalError::from),
    };
    outcome.or_else(|error| {
        let mut stderr = anstream::stderr();
        writeln!(stderr, "error: {error}")?;
        if let Some(help) = error.help() {
            writeln!(stderr, "  help: {help}")?;
        }
        Ok(ExitCode::FAILURE)
    })
}
