//! Connections to PostgreSQL: one to a caller, or shared by many readers; and the word that it no longer takes the password.
//!
//! A password that is changed while the process runs leaves its connections alive and lets it make no new one, for good: the environment
//! that it came from never changes. Trying again would only hide that until the last connection is gone.

use std::sync::Arc;

use bb8_postgres::PostgresConnectionManager;
use bb8_redis::bb8::ManageConnection;
use tokio::sync::Notify;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::link::Shared;

/// Finds an item by its id.
pub(super) const FIND: &str = "SELECT id, name, description, price_cents, version, updated_at
     FROM items WHERE id = $1";

/// Tells that PostgreSQL has refused the password; one listener hears it, also afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct StalePassword(Arc<Notify>);

impl StalePassword {
    /// Returns once a connection was refused for its password.
    pub(crate) async fn told(&self) {
        self.0.notified().await;
    }
}

/// Makes connections for one caller at a time.
#[derive(Clone)]
pub(super) struct Manager {
    inner: PostgresConnectionManager<MakeRustlsConnect>,
    stale: StalePassword,
}

impl Manager {
    pub(super) const fn new(
        inner: PostgresConnectionManager<MakeRustlsConnect>,
        stale: StalePassword,
    ) -> Self {
        Self { inner, stale }
    }
}

impl ManageConnection for Manager {
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

/// A connection that many readers share; their statements go out without waiting for each other's rows.
#[derive(Clone)]
pub(super) struct Session(Arc<Prepared>);

struct Prepared {
    client: Client,
    find: Statement,
}

impl Session {
    /// The row that [`FIND`] finds.
    pub(super) async fn find(&self, id: i64) -> Result<Option<Row>, tokio_postgres::Error> {
        self.0.client.query_opt(&self.0.find, &[&id]).await
    }
}

impl Shared for Session {
    fn is_open(&self) -> bool {
        !self.0.client.is_closed()
    }
}

/// Makes connections that are shared, with their statement prepared.
pub(super) struct SessionManager(pub(super) Manager);

impl ManageConnection for SessionManager {
    type Connection = Session;
    type Error = tokio_postgres::Error;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        let client = self.0.connect().await?;
        let find = client.prepare_typed(FIND, &[Type::INT8]).await?;
        Ok(Session(Arc::new(Prepared { client, find })))
    }

    async fn is_valid(&self, session: &mut Self::Connection) -> Result<(), Self::Error> {
        session.0.client.simple_query("").await.map(|_| ())
    }

    fn has_broken(&self, session: &mut Self::Connection) -> bool {
        !session.is_open()
    }
}
