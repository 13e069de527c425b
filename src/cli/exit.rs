//! How the process ends.

use std::{future::Future, process::ExitCode, time::Duration};

use clap::Args;

use crate::cli::output;

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(pub(super) u8);

/// Done, or nothing to do.
pub(super) const DONE: Code = Code(0);
/// An error.
pub(super) const FAILED: Code = Code(1);
/// Differences exist; only with `plan --exit-code`.
pub(super) const DIFFERENCES: Code = Code(2);
/// The rollout failed or was rolled back.
pub(super) const ROLLED_BACK: Code = Code(3);
/// Waiting timed out.
pub(super) const TIMED_OUT: Code = Code(4);
/// Refused: AWS changed between plan and apply, or there are no manifests.
pub(super) const REFUSED: Code = Code(5);
/// The command was used wrongly (sysexits.h).
pub(super) const USAGE: Code = Code(64);
/// A manifest is invalid (sysexits.h).
pub(super) const INVALID: Code = Code(65);
/// Interrupted from the keyboard.
const INTERRUPTED: Code = Code(130);

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.0)
    }
}

/// Says why on stderr.
pub(super) fn fail(why: &str) -> Code {
    output::note(&format!("error: {why}"));
    FAILED
}

/// Says why on stderr, where the answer is not that something failed but that it is not done.
pub(super) fn refuse(why: &str) -> Code {
    fail(why);
    REFUSED
}

/// How long a command may take.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Deadline {
    /// How long the command may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

impl Deadline {
    /// Ends with what `command` comes to, or with 4 when that takes too long.
    pub(super) async fn within(self, command: impl Future<Output = Code>) -> Code {
        match tokio::time::timeout(Duration::from_secs(self.timeout), command).await {
            Ok(code) => code,
            Err(_) => {
                fail(&format!(
                    "not done within {} s; give it longer with --timeout",
                    self.timeout
                ));
                TIMED_OUT
            }
        }
    }
}

/// Runs a command that Ctrl-C ends at once. Nothing is lost: what was sent to AWS goes on there.
pub(super) async fn unless_interrupted(command: impl Future<Output = Code>) -> Code {
    tokio::select! {
        code = command => code,
        _ = tokio::signal::ctrl_c() => INTERRUPTED,
    }
}
