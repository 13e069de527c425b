//! The schema: migrated, and filled with sample rows, on a connection of its own under an advisory lock.
//!
//! Guarantee: however many processes start at once, each migration runs once. An older binary starts on a newer schema (a rollback
//! must), so migrations only ever add what older versions can ignore.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::Client;

use crate::config::Database;
use crate::logging::chain;

/// How long to wait for a database that is not there yet.
const WAIT: Duration = Duration::from_secs(30);
/// One attempt to connect, handshake included.
const CONNECT: Duration = Duration::from_secs(3);
/// Between attempts.
const PAUSE: Duration = Duration::from_millis(250);
/// Waiting for the lock and migrating together.
const MIGRATE: Duration = Duration::from_secs(60);
/// Seeding.
const SEED: Duration = Duration::from_secs(120);
/// Any constant that no other user of the database takes: "api" in ASCII.
const LOCK: &str = "SELECT pg_advisory_lock(6385769)";

mod embedded {
    #![allow(
        unreachable_pub,
        missing_docs,
        clippy::expect_used,
        clippy::unwrap_used,
        reason = "generated"
    )]
    refinery::embed_migrations!("migrations");
}

/// Why the database could not be prepared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateError {
    #[error("PostgreSQL did not answer within {WAIT:?}; check DATABASE_URL and the server")]
    NoDatabase(#[source] ConnectError),
    #[error(
        "PostgreSQL refuses DATABASE_URL; correct its user or database, or the password there or in DATABASE_PASSWORD"
    )]
    Refused(#[source] tokio_postgres::Error),
    #[error("PostgreSQL asks for a password; set DATABASE_PASSWORD, or put it into DATABASE_URL")]
    NoPassword(#[source] tokio_postgres::Error),
    #[error(
        "PostgreSQL's certificate does not verify; check the host and the sslrootcert of DATABASE_URL, and the server's certificate"
    )]
    Untrusted(#[source] tokio_postgres::Error),
    #[error("migrating did not end within {MIGRATE:?}; does another process hold the lock?")]
    MigrateDeadline,
    #[error("cannot take the migration lock")]
    Lock(#[source] tokio_postgres::Error),
    #[error("a migration failed")]
    Migration(#[source] Box<refinery::Error>),
    #[error("seeding did not end within {SEED:?}")]
    SeedDeadline,
    #[error("cannot insert the rows")]
    Seed(#[source] tokio_postgres::Error),
}

/// Why one attempt to connect failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no connection within {CONNECT:?}")]
    Deadline,
    #[error("cannot connect")]
    Failed(#[source] tokio_postgres::Error),
}

/// Migrates, then inserts `count` rows if the table is empty; returns how many rows were inserted.
pub(crate) async fn seed(database: &Database, count: NonZeroU32) -> Result<u64, MigrateError> {
    let (session, _) = Session::open(database).await?.migrated().await?;
    // The lock is still held: two seeders at once insert once.
    let insert = "INSERT INTO items (name, description, price_cents)
        SELECT 'item ' || n, 'Sample item number ' || n, (n * 7919) % 100000
        FROM generate_series(1, $1::bigint) AS n
        WHERE NOT EXISTS (SELECT FROM items)
        ORDER BY n";
    within(
        SEED,
        MigrateError::SeedDeadline,
        session.client.execute(insert, &[&i64::from(count.get())]),
    )
    .await?
    .map_err(MigrateError::Seed)
}

/// A connection of its own; dropping it says goodbye to the server, which gives up the lock.
pub(crate) struct Session {
    client: Client,
}

impl Session {
    /// Connects, waiting for a database that is not there yet.
    pub(crate) async fn open(database: &Database) -> Result<Self, MigrateError> {
        let deadline = Instant::now() + WAIT;
        let mut before = None;
        loop {
            let attempt = timeout_at(
                deadline,
                timeout(CONNECT, database.config.connect(database.tls.clone())),
            )
            .await
            .unwrap_or_else(Err);
            let error = match attempt {
                Ok(Ok((client, connection))) => {
                    tokio::spawn(async move {
                        // Whoever waits for a reply is told the error.
                        let _ = connection.await;
                    });
                    return Ok(Self { client });
                }
                Ok(Err(error)) if is_refusal(&error) => return Err(MigrateError::Refused(error)),
                Ok(Err(error)) if lacks_password(&error) => {
                    return Err(MigrateError::NoPassword(error));
                }
                Ok(Err(error)) if is_untrusted(&error) => {
                    return Err(MigrateError::Untrusted(error));
                }
                Ok(Err(error)) => ConnectError::Failed(error),
                Err(_) => ConnectError::Deadline,
            };
            if Instant::now() + PAUSE >= deadline {
                // The last attempt was cut short, so the one before it knows more.
                return Err(MigrateError::NoDatabase(before.unwrap_or(error)));
            }
            if before.is_none() {
                tracing::warn!(error = chain(&error), "waiting for PostgreSQL");
            }
            before = Some(error);
            sleep(PAUSE).await;
        }
    }

    /// Brings the schema up to date; returns the names of the migrations that were applied.
    pub(crate) async fn migrate(self) -> Result<Vec<String>, MigrateError> {
        self.migrated().await.map(|(_, applied)| applied)
    }

    /// Takes the lock, which is held until the session ends, and migrates.
    async fn migrated(mut self) -> Result<(Self, Vec<String>), MigrateError> {
        let report = within(MIGRATE, MigrateError::MigrateDeadline, async {
            self.client
                .batch_execute(LOCK)
                .await
                .map_err(MigrateError::Lock)?;
            embedded::migrations::runner()
                // A schema that is newer than this binary is what a rollback finds.
                .set_abort_missing(false)
                .run_async(&mut self.client)
                .await
                .map_err(|error| MigrateError::Migration(Box::new(error)))
        })
        .await??;
        let applied = report
            .applied_migrations()
            .iter()
            .map(ToString::to_string)
            .collect();
        Ok((self, applied))
    }
}

/// Whether waiting is no help: 28 invalid authorization, 3D no such database.
/// <https://www.postgresql.org/docs/15/errcodes-appendix.html>
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| {
        ["28", "3D"]
            .iter()
            .any(|class| state.code().starts_with(class))
    })
}

/// Whether the server wants a password and there is none. The client library has no code for that, only these words.
fn lacks_password(error: &tokio_postgres::Error) -> bool {
    error
        .source()
        .is_some_and(|source| source.to_string() == "password missing")
}

/// Whether the server showed a certificate that does not verify, which waiting does not help either.
fn is_untrusted(error: &tokio_postgres::Error) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .and_then(io::Error::get_ref)
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}

async fn within<T>(
    limit: Duration,
    late: MigrateError,
    work: impl Future<Output = T>,
) -> Result<T, MigrateError> {
    timeout(limit, work).await.map_err(|_| late)
}
