//! The command line: arguments in, exit codes out. Data goes to stdout, everything else to stderr.

pub mod validate;

use std::{io::Write, process::ExitCode};

use clap::{Parser, Subcommand};

/// Keeps Amazon ECS services on an even keel, without Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "evenkeel", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The daemon: compares and repairs, until it is told to stop.
    Run(run::Run),
    /// Checks manifests without AWS.
    Validate(validate::Validate),
    /// Shows what would be done, and does nothing.
    Plan(plan::Plan),
    /// Does what `plan` shows, once, and follows it to its end.
    Apply(apply::Apply),
    /// Asks a running daemon how its services are.
    Status(status::Status),
    /// Allows what failed to be tried again.
    Retry(retry::Retry),
    /// The whole system on this machine, with no AWS account.
    #[cfg(feature = "local")]
    #[command(subcommand)]
    Local(crate::local::Local),

    /// Checks manifests without AWS.
    Validate(validate::Validate),
}

/// Parses the process's arguments, runs the command, and says how the process should end.
pub fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            let _unheard = writeln!(anstream::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match command {
        #[cfg(feature = "local")]
        Command::Local(command) => runtime.block_on(crate::local::run(command)),
    }
}
