//! The command line: arguments in, exit codes out.

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
    /// The whole system on this machine, with no AWS account.
    #[cfg(feature = "local")]
    #[command(subcommand)]
    Local(crate::local::Local),
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
