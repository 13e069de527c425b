//! `evenkeel local`: the whole system on one machine, with no AWS account.
//!
//! ```text
//! up ─┬─ postgres, redis   (or those that DATABASE_URL and REDIS_URL name)
//!     ├─ aws               `evenkeel local aws`: the emulator, whose tasks are local processes
//!     └─ run               `evenkeel run`: the daemon, which knows nothing of any of this
//! ```
//!
//! What is local is known here alone: the daemon and every other command are told by the environment.

mod child;
mod data;
mod files;
mod place;
mod ports;
mod postgres;
mod process;
mod redis;
mod signals;
mod store_url;

use std::{io::Write, process::ExitCode};

use clap::Subcommand;

/// The commands under `evenkeel local`.
#[derive(Debug, Subcommand)]
pub enum Local {
    Data(data::Data),
}

/// Any local command's failure.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum LocalError {
    Data(#[from] data::DataError),
}

impl LocalError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Data(error) => error.help(),
        }
    }
}

/// Runs one of the local commands. A failure is told on stderr, with what to do about it, and is exit code 1.
pub async fn run(command: Local) -> anyhow::Result<ExitCode> {
    let outcome: Result<ExitCode, LocalError> = match command {
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
