//! The command line, as a pure parse of its arguments.

use std::ffi::OsString;
use std::num::NonZeroU32;

/// The most rows that `api seed` inserts: one statement of this size still ends within its deadline.
pub(crate) const MAX_SEED: u32 = 1_000_000;

pub(crate) const HELP: &str = "\
A cache-aside HTTP API: Redis first, PostgreSQL on a miss.

Usage: api             migrate the database, then serve until SIGTERM
       api migrate     migrate the database and exit
       api seed COUNT  migrate, then insert COUNT rows if the table is empty
       api --version   print the version and exit
       api --help      print this and exit

Environment:
  DATABASE_URL     PostgreSQL, postgres://user:password@host:port/database (required)
                   TLS with ?sslmode=verify-full, and &sslrootcert=FILE for
                   other CA certificates (PEM) than the system's
  DATABASE_PASSWORD
                   PostgreSQL's password as it is, where the URL has none
  REDIS_URL        Redis, redis://:password@host:port/db (required to serve)
                   TLS with rediss://
  REDIS_CA_FILE    CA certificates (PEM) for Redis, default the system's
  CACHE_TTL        seconds that an entry lives, default 60
  NEAR_CACHE       `on` keeps entries in this process too, default off
  WORKERS          threads that serve, default one per core
  HOST             address to listen on, default 0.0.0.0
  PORT             port of the API, default 80; 0 takes a free one
  METRICS_PORT     port of /metrics, default 9100; 0 takes a free one
  SERVICE_VERSION  the version to report, default the package's
  RUST_LOG         log filter, default info
  ACCESS_LOG       on (default), off, or the share of requests to log, as 0.01

Exit codes: 0 done, 1 failed, 64 wrong arguments or environment.
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Serve,
    Migrate,
    Seed(NonZeroU32),
    Version,
    Help,
}

/// Why the command line cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UsageError {
    #[error("unknown argument `{0}`; see `api --help`")]
    Unknown(String),
    #[error("`api seed` needs the number of rows; see `api --help`")]
    MissingCount,
    #[error("`{0}` is not a number of rows between 1 and {MAX_SEED}")]
    BadCount(String),
}

/// Parses the arguments that follow the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut args = args
        .into_iter()
        .map(|argument| argument.to_string_lossy().into_owned());
    let command = match args.next().as_deref() {
        None => Command::Serve,
        Some("migrate") => Command::Migrate,
        Some("seed") => Command::Seed(count(args.next())?),
        Some("--version" | "-V") => Command::Version,
        Some("--help" | "-h") => Command::Help,
        Some(other) => return Err(UsageError::Unknown(other.to_owned())),
    };
    match args.next() {
        None => Ok(command),
        Some(extra) => Err(UsageError::Unknown(extra)),
    }
}

fn count(argument: Option<String>) -> Result<NonZeroU32, UsageError> {
    let text = argument.ok_or(UsageError::MissingCount)?;
    text.parse::<NonZeroU32>()
        .ok()
        .filter(|count| count.get() <= MAX_SEED)
        .ok_or(UsageError::BadCount(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, UsageError> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn understands_every_command() {
        assert_eq!(parsed(&[]), Ok(Command::Serve));
        assert_eq!(parsed(&["migrate"]), Ok(Command::Migrate));
        assert_eq!(
            parsed(&["seed", "10"]),
            Ok(Command::Seed(NonZeroU32::new(10).unwrap()))
        );
        assert_eq!(parsed(&["--version"]), Ok(Command::Version));
        assert_eq!(parsed(&["--help"]), Ok(Command::Help));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert_eq!(parsed(&["serve"]), Err(UsageError::Unknown("serve".into())));
        assert_eq!(
            parsed(&["migrate", "now"]),
            Err(UsageError::Unknown("now".into()))
        );
        assert_eq!(parsed(&["seed"]), Err(UsageError::MissingCount));
        for bad in ["0", "-1", "many", "1000001", ""] {
            assert_eq!(
                parsed(&["seed", bad]),
                Err(UsageError::BadCount(bad.into()))
            );
        }
    }
}
