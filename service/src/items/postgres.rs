//! Connections to PostgreSQL: one to a caller, or shared by many readers; and the word that it no longer takes the password.
//!
//! A password that is changed while the process runs leaves its connections alive and lets it make no new one, for good: the environment
//! that it came from never changes. Trying again would only hide that until the last connection is gone.

use std::sync::Arc;

use bb8_postgres::PostgresConnectionManager;
use bb8_redis::bb8::ManageConnection;
use tokio::sync::{Notify, OnceCell};
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::link::Shared;

/// Finds items by their ids.
pub(super) const FIND: &str = "SELECT id, name, description, price_cents, version, updated_at
     FROM items WHERE id = ANY($1)";

/// Tells that PostgreSQL has refused the password; one listener hears it, also afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct StalePassword(Arc<Notify>);

impl StalePassword {
    fn hear(&self, error: &tokio_postgres::Error) {
        if error.code() == Some(&SqlState::INVALID_PASSWORD) {
            self.0.notify_one();
        }
    }

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
        let connected = self.inner.connect().await;
        connected.inspect_err(|error| self.stale.hear(error))
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
pub(super) struct Session(Arc<Open>);

struct Open {
    client: Client,
    /// Prepared by its first reader: the process connects while there may be no schema yet.
    find: OnceCell<Statement>,
    _driver: Driver,
}

/// Ends with the session: a connection that was given up would live for as long as it owes replies, beside its successors.
struct Driver(JoinHandle<Result<(), tokio_postgres::Error>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Session {
    /// The rows that [`FIND`] finds, in any order.
    pub(super) async fn find(&self, ids: &[i64]) -> Result<Vec<Row>, tokio_postgres::Error> {
        let Open { client, find, .. } = &*self.0;
        let prepare = || client.prepare_typed(FIND, &[Type::INT8_ARRAY]);
        client
            .query(find.get_or_try_init(prepare).await?, &[&ids])
            .await
    }
}

impl Shared for Session {
    fn is_open(&self) -> bool {
        !self.0.client.is_closed()
    }
}

/// Makes connections that are shared.
pub(super) struct SessionManager {
    config: Config,
    tls: MakeRustlsConnect,
    stale: StalePassword,
}

impl SessionManager {
    pub(super) const fn new(config: Config, tls: MakeRustlsConnect, stale: StalePassword) -> Self {
        Self { config, tls, stale }
    }
}

impl ManageConnection for SessionManager {
    type Connection = Session;
    type Error = tokio_postgres::Error;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        let connected = self.config.connect(self.tls.clone()).await;
        let (client, connection) = connected.inspect_err(|error| self.stale.hear(error))?;
        let driver = Driver(tokio::spawn(connection));
        Ok(Session(Arc::new(Open {
            client,
            find: OnceCell::new(),
            _driver: driver,
        })))
    }

    async fn is_valid(&self, session: &mut Self::Connection) -> Result<(), Self::Error> {
        session.0.client.simple_query("").await.map(|_| ())
    }

    fn has_broken(&self, session: &mut Self::Connection) -> bool {
        !session.is_open()
    }
}
