//! `evenkeel local`: the whole system on one machine, with no AWS account.

use clap::Subcommand;

/// The commands under `evenkeel local`.
#[derive(Debug, Subcommand)]
pub enum Local {}

/// Runs one of the local commands.
pub async fn run(command: Local) -> anyhow::Result<std::process::ExitCode> {
    match command {}
}
