//! The command line: arguments in, exit codes out.

use std::process::ExitCode;

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
    let _arguments = Arguments::parse();
    ExitCode::SUCCESS
}
