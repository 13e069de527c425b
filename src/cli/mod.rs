//! The command line: arguments in, exit codes out. Data goes to stdout, everything else to stderr.

mod adopt;
mod apply;
mod delete;
mod events;
mod exit;
mod history;
mod init;
mod inputs;
mod logs;
mod named;
mod output;
mod plan;
mod port;
mod push;
mod retry;
mod run;
mod status;
mod validate;
mod verify;

use std::{io::IsTerminal, process::ExitCode};

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
    /// Puts manifests where a daemon reads them, in S3.
    Push(push::Push),
    /// Asks a running daemon how its services are.
    Status(status::Status),
    /// What was deployed, and what became of it.
    History(history::History),
    /// What the tasks of a service have written.
    Logs(logs::Logs),
    /// What a running daemon has done and seen.
    Events(events::Events),
    /// Allows what failed to be tried again.
    Retry(retry::Retry),
    /// Checks that what manifests name is there, and changes nothing.
    Verify(verify::Verify),
    /// Writes the manifest of a live service.
    Init(init::Init),
    /// Takes over a live service that nobody answers for.
    Adopt(adopt::Adopt),
    /// Deletes a service: the only thing that ever does.
    Delete(delete::Delete),
    /// The whole system on this machine, with no AWS account.
    #[cfg(feature = "local")]
    #[command(subcommand)]
    Local(crate::local::Local),
}

/// Parses the process's arguments, runs the command, and says how the process should end.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() {
                exit::USAGE
            } else {
                exit::DONE
            };
            // A closed pipe is not worth another error.
            let _ = error.print();
            return code.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return exit::fail(&format!("the runtime cannot be started: {error}")).into(),
    };
    let code = match arguments.command {
        Command::Validate(validate) => {
            let color = anstream::AutoStream::choice(&std::io::stderr())
                != anstream::ColorChoice::Never
                && std::io::stderr().is_terminal();
            let done = validate.run(
                &mut output::ToReader(anstream::stdout()),
                &mut output::ToReader(anstream::stderr()),
                color,
            );
            done.map_or_else(output::unwritten, exit::Code)
        }
        Command::Run(run) => runtime.block_on(run.run()),
        Command::Plan(plan) => runtime.block_on(exit::unless_interrupted(plan.run())),
        Command::Apply(apply) => runtime.block_on(exit::unless_interrupted(apply.run())),
        Command::Push(push) => runtime.block_on(exit::unless_interrupted(push.run())),
        Command::Status(status) => runtime.block_on(exit::unless_interrupted(status.run())),
        Command::Retry(retry) => runtime.block_on(exit::unless_interrupted(retry.run())),
        Command::History(history) => runtime.block_on(exit::unless_interrupted(history.run())),
        Command::Logs(logs) => runtime.block_on(exit::unless_interrupted(logs.run())),
        Command::Events(events) => runtime.block_on(exit::unless_interrupted(events.run())),
        Command::Verify(verify) => runtime.block_on(exit::unless_interrupted(verify.run())),
        Command::Init(init) => runtime.block_on(exit::unless_interrupted(init.run())),
        Command::Adopt(adopt) => runtime.block_on(exit::unless_interrupted(adopt.run())),
        Command::Delete(delete) => runtime.block_on(exit::unless_interrupted(delete.run())),
        #[cfg(feature = "local")]
        Command::Local(local) => {
            return match runtime.block_on(crate::local::run(local)) {
                Ok(code) => code,
                Err(error) => exit::fail(&format!("{error:#}")).into(),
            };
        }
    };
    // Reads of a terminal or a slow file must not keep the process.
    runtime.shutdown_background();
    code.into()
}
