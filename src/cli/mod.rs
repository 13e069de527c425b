//! The command line: arguments in, exit codes out.

pub mod validate;

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

    /// Checks manifests without AWS.
    Validate(validate::Validate),
}

/// Parses the process's arguments, runs the command, and says how the process should end.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        #[cfg(feature = "local")]
        Command::Local(_) => ExitCode::FAILURE,
        Command::Validate(validate) => {
            let color = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let code = validate.run(&mut anstream::stdout(), &mut anstream::stderr(), color);
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
