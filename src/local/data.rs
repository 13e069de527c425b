//! `evenkeel local data -- COMMAND…`: a command with a PostgreSQL and a Redis of its own.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    os::unix::process::ExitStatusExt,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use clap::Args;
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use super::{
    child::{ChildError, Household},
    files::FilesError,
    place::{PlaceError, Temporary},
    postgres::{self, Keep, PostgresError},
    redis::{self, RedisError},
    signals::Signals,
    store_url::StoreUrl,
};

/// How long the command may take to end after a signal.
const GRACE: Duration = Duration::from_secs(10);
const INTERRUPTED: u8 = 130;

/// Runs a command with DATABASE_URL and REDIS_URL naming stores that end with it.
///
/// PostgreSQL and Redis listen on free ports of 127.0.0.1 and keep their files in a temporary place. The role in
/// DATABASE_URL may create databases. The command's exit code is passed on.
#[derive(Debug, Args)]
pub struct Data {
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Why the command was not run to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum DataError {
    /// No command.
    #[error("cannot run {program}: {source}")]
    Command {
        /// What was to be run.
        program: String,
        /// The system's word.
        source: io::Error,
    },
    /// No signal handling.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    /// No place for the stores.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// No PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// No Redis.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// A store died.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// The system refused.
    #[error(transparent)]
    Files(#[from] FilesError),
}

impl DataError {
    /// What the person can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::Command { .. } | Self::Signals(_) | Self::Place(_) => None,
            Self::Postgres(error) => error.help(),
            Self::Redis(error) => error.help(),
            // The output lies in the temporary place, which is gone when this is read.
            Self::Child(_) => None,
            Self::Files(error) => error.help(),
        }
    }
}

/// Runs the command between starting the stores and ending them.
pub(super) async fn run(data: Data) -> Result<ExitCode, DataError> {
    let signals = Signals::listen().map_err(DataError::Signals)?;
    sweep().await?;
    let temporary = Temporary::new()?;
    let mut household = Household::new(temporary.processes()).await?;
    let outcome = tokio::select! {
        stores = start_stores(&mut household, &temporary) => Some(stores),
        () = signals.stop.cancelled() => None,
    };
    let outcome = match outcome {
        Some(Ok(stores)) => run_command(&data, &stores, &mut household, &signals).await,
        Some(Err(error)) => Err(error),
        None => Ok(ExitCode::from(INTERRUPTED)),
    };
    household.end(&signals.hurry).await;
    let removed = temporary.remove();
    let code = outcome?;
    removed?;
    Ok(code)
}

struct Stores {
    database: StoreUrl,
    redis: StoreUrl,
}

async fn start_stores(
    household: &mut Household,
    temporary: &Temporary,
) -> Result<Stores, DataError> {
    let place = temporary.place();
    let database =
        postgres::start(household, place, Keep::Temporary, temporary.log("postgres")).await?;
    let redis = redis::start(household, place, temporary.log("redis")).await?;
    Ok(Stores { database, redis })
}

async fn run_command(
    data: &Data,
    stores: &Stores,
    household: &mut Household,
    signals: &Signals,
) -> Result<ExitCode, DataError> {
    let Some((program, arguments)) = data.command.split_first() else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("DATABASE_URL", stores.database.expose())
        .env_remove("DATABASE_PASSWORD")
        .env("REDIS_URL", stores.redis.expose())
        .kill_on_drop(true);
    // A group of its own lets a signal reach whatever the command starts; but only the terminal's foreground group
    // may read from the terminal.
    let own_group = !io::stdin().is_terminal();
    if own_group {
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(|source| DataError::Command {
        program: program.to_string_lossy().into_owned(),
        source,
    })?;
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .map(Pid::from_raw);
    let send = |signal| {
        let _gone = pid.map(|pid| {
            if own_group {
                killpg(pid, signal)
            } else {
                kill(pid, signal)
            }
        });
    };

    let waited = tokio::select! {
        status = child.wait() => Ok(Some(status)),
        death = household.death() => Err(ChildError::Died(death)),
        () = signals.stop.cancelled() => Ok(None),
    };
    match waited {
        Ok(Some(status)) => Ok(ExitCode::from(code_of(status.map_err(|source| {
            DataError::Command {
                program: program.to_string_lossy().into_owned(),
                source,
            }
        })?))),
        Ok(None) => {
            end(&mut child, send, signals).await;
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(died) => {
            end(&mut child, send, signals).await;
            Err(died.into())
        }
    }
}

async fn end(child: &mut Child, send: impl Fn(Signal), signals: &Signals) {
    send(Signal::SIGTERM);
    tokio::select! {
        _status = child.wait() => {}
        () = tokio::time::sleep(GRACE) => {}
        () = signals.hurry.cancelled() => {}
    }
    // What is left of the group, whether or not its leader is gone.
    send(Signal::SIGKILL);
}

/// The exit code as shells give it: 128 and the signal's number for a process ended by one.
fn code_of(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Ends the stores of runs that were killed, and removes their places.
async fn sweep() -> Result<(), DataError> {
    for abandoned in Temporary::abandoned()? {
        drop(Household::new(abandoned.processes()).await?);
        abandoned.remove()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_passed_on_as_a_shell_would() {
        assert_eq!(code_of(ExitStatus::from_raw(0)), 0);
        assert_eq!(code_of(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code_of(ExitStatus::from_raw(9)), 137);
    }
}
