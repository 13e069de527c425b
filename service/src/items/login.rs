//! Connections to PostgreSQL, and the word that it no longer takes the password.
//!
//! A password that is changed while the process runs leaves its connections alive and lets it make no new one, for good: the environment
//! that it came from never changes. Trying again would only hide that until the last connection is gone.

use std::sync::Arc;

use bb8_postgres::PostgresConnectionManager;
use bb8_redis::bb8::ManageConnection;
use tokio::sync::Notify;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Tells that PostgreSQL has refused the password; one listener hears it, also afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct StalePassword(Arc<Notify>);

impl StalePassword {
    /// Returns once a connection was refused for its password.
    pub(crate) async fn told(&self) {
        self.0.notified().await;
    }
}

/// Connects to PostgreSQL.
pub(super) struct PostgresManager {
    pub(super) inner: PostgresConnectionManager<MakeRustlsConnect>,
    pub(super) stale: StalePassword,
}

impl ManageConnection for PostgresManager {
    type Connection = Client;
    type Error = tokio_postgres::Error;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        self.inner.connect().await.inspect_err(|error| {
            if error.code() == Some(&SqlState::INVALID_PASSWORD) {
                self.stale.0.notify_one();
            }
        })
    }

    async fn is_valid(&self, connection: &mut Self::Connection) -> Result<(), Self::Error> {
        self.inner.is_valid(connection).await
    }

    fn has_broken(&self, connection: &mut Self::Connection) -> bool {
        self.inner.has_broken(connection)
    }
}
