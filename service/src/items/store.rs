//! Items in PostgreSQL, the truth. One round trip per call.

use std::sync::Arc;
use std::time::Duration;

use bb8_postgres::PostgresConnectionManager;
use prometheus::Histogram;
use tokio::sync::SetOnce;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::finds::{Finds, TURN};
use super::model::{Draft, Item, ItemId, PriorVersion};
use super::postgres::{FIND, Manager, SessionManager, StalePassword};
use crate::config::Database;
use crate::deadline::Deadlines;
use crate::link::{self, Link};
use crate::pool::{self, CallError, Occupancy, Pool};
use crate::presence::Presence;
use crate::waits::{self, For};

/// For changes, listings, and whatever else may take its time.
const POOL: pool::Limits = pool::Limits {
    size: 3,
    connect: Duration::from_secs(3),
    acquire: Duration::from_millis(800),
    call: Duration::from_millis(2_500),
};

const LINK: link::Limits = link::Limits {
    connect: Duration::from_secs(3),
    pause: Duration::from_millis(250),
    probe: Duration::from_millis(500),
    calm: Duration::from_secs(5),
};

/// After this the server gives a statement up by itself; below [`POOL`]`.call`, so that we hear of it. A connection that breaks meanwhile
/// leaves open whether the statement was done.
pub(super) const STATEMENT_DEADLINE: Duration = Duration::from_secs(2);
const STATEMENT_TIMEOUT: &str = "-c statement_timeout=2000";
/// For the prepared statement: PostgreSQL would plan each list of ids anew, since short ones seem to pay for it.
/// <https://www.postgresql.org/docs/15/sql-prepare.html>
const ONE_PLAN: &str = "-c plan_cache_mode=force_generic_plan";

/// The items table, as one worker reaches it.
pub(crate) struct Store {
    finds: Arc<Finds>,
    pool: Pool<Manager>,
}

/// Why PostgreSQL did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("there is no connection to PostgreSQL")]
    Away,
    #[error("more readers wait for PostgreSQL than it serves within {TURN:?}")]
    Overloaded,
    #[error("PostgreSQL is unavailable")]
    Unavailable(#[source] CallError<tokio_postgres::Error>),
    #[error("PostgreSQL refused the statement")]
    Refused(#[source] tokio_postgres::Error),
    #[error("a row is not as the schema says")]
    Row(#[source] tokio_postgres::Error),
    #[error("an insert returned no row")]
    NoRow,
    #[error("the search for rows ended in a panic")]
    BrokenOff,
}

impl StoreError {
    /// Whether trying again later may help.
    pub(crate) const fn is_temporary(&self) -> bool {
        match self {
            Self::Away | Self::Overloaded | Self::Unavailable(_) => true,
            Self::Refused(_) | Self::Row(_) | Self::NoRow | Self::BrokenOff => false,
        }
    }
}

/// What a change to one item came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Changed<T> {
    Done(T),
    NotFound,
    /// The item has another version than the change asks for.
    VersionMismatch,
}

impl Store {
    /// Starts connecting in the background, for writers and listings once `serving` is set. `stale` is told when PostgreSQL refuses the
    /// password.
    pub(crate) fn start(
        database: &Database,
        deadlines: Arc<Deadlines>,
        presence: &Arc<Presence>,
        wait_seconds: Histogram,
        stale: StalePassword,
        serving: Arc<SetOnce<()>>,
    ) -> Self {
        let mut config = database.config.clone();
        let options = match config.get_options() {
            Some(given) => format!("{given} {STATEMENT_TIMEOUT} {ONE_PLAN}"),
            None => format!("{STATEMENT_TIMEOUT} {ONE_PLAN}"),
        };
        config
            .options(options)
            .application_name("api")
            .connect_timeout(POOL.connect)
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_secs(10));
        let tls = database.tls.clone();
        let sessions = SessionManager::new(config.clone(), tls.clone(), stale.clone());
        let link = Link::start(sessions, LINK, presence);
        let manager = Manager::new(PostgresConnectionManager::new(config, tls), stale);
        Self {
            finds: Finds::new(link, deadlines, wait_seconds.clone()),
            pool: Pool::new(manager, serving, POOL, presence, wait_seconds),
        }
    }

    /// Returns once there was an attempt to connect.
    pub(crate) async fn tried(&self) {
        self.finds.tried().await;
    }

    /// # Errors
    ///
    /// Like every call here: [`StoreError`] when PostgreSQL is away, late or refuses.
    pub(crate) async fn find(&self, id: ItemId) -> Result<Option<Item>, Arc<StoreError>> {
        self.finds.find(id).await
    }

    /// At most `limit` items with an id above `after`, in order of id.
    pub(crate) async fn list(&self, after: i64, limit: i64) -> Result<Vec<Item>, StoreError> {
        let sql = "SELECT id, name, description, price_cents, version, updated_at
                   FROM items WHERE id > $1 ORDER BY id LIMIT $2";
        let rows = self
            .rows(sql, &[(&after, Type::INT8), (&limit, Type::INT8)])
            .await?;
        rows.iter().map(item).collect()
    }

    pub(crate) async fn insert(&self, draft: &Draft) -> Result<Item, StoreError> {
        let sql = "INSERT INTO items (name, description, price_cents) VALUES ($1, $2, $3)
                   RETURNING id, name, description, price_cents, version, updated_at";
        let rows = self
            .rows(
                sql,
                &[
                    (&draft.name, Type::TEXT),
                    (&draft.description, Type::TEXT),
                    (&draft.price_cents, Type::INT8),
                ],
            )
            .await?;
        item(rows.first().ok_or(StoreError::NoRow)?)
    }

    pub(crate) async fn replace(
        &self,
        id: ItemId,
        draft: &Draft,
        prior: &PriorVersion,
    ) -> Result<Changed<Item>, StoreError> {
        let sql = "UPDATE items
                   SET name = $2, description = $3, price_cents = $4,
                       version = version + 1, updated_at = now()
                   WHERE id = $1 AND ($5::bigint[] IS NULL OR version = ANY($5))
                   RETURNING id, name, description, price_cents, version, updated_at";
        let changed = self
            .one(
                sql,
                &[
                    (&id.get(), Type::INT8),
                    (&draft.name, Type::TEXT),
                    (&draft.description, Type::TEXT),
                    (&draft.price_cents, Type::INT8),
                    (&prior.versions(), Type::INT8_ARRAY),
                ],
            )
            .await?;
        self.changed(id, prior, changed).await
    }

    pub(crate) async fn delete(
        &self,
        id: ItemId,
        prior: &PriorVersion,
    ) -> Result<Changed<()>, StoreError> {
        let sql = "DELETE FROM items
                   WHERE id = $1 AND ($2::bigint[] IS NULL OR version = ANY($2))
                   RETURNING id";
        let params: &[(&(dyn ToSql + Sync), Type)] = &[
            (&id.get(), Type::INT8),
            (&prior.versions(), Type::INT8_ARRAY),
        ];
        let deleted = self.rows(sql, params).await?.first().map(|_| ());
        self.changed(id, prior, deleted).await
    }

    /// Whether PostgreSQL answers.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.rows("SELECT 1", &[]).await.map(|_| ())
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        self.pool.occupancy()
    }

    async fn changed<T>(
        &self,
        id: ItemId,
        prior: &PriorVersion,
        done: Option<T>,
    ) -> Result<Changed<T>, StoreError> {
        Ok(match (done, prior) {
            (Some(value), _) => Changed::Done(value),
            (None, PriorVersion::Any) => Changed::NotFound,
            (None, PriorVersion::OneOf(_)) => {
                match self
                    .one(FIND, &[(&[id.get()].as_slice(), Type::INT8_ARRAY)])
                    .await?
                {
                    Some(_) => Changed::VersionMismatch,
                    None => Changed::NotFound,
                }
            }
        })
    }

    async fn one(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Option<Item>, StoreError> {
        self.rows(sql, params).await?.first().map(item).transpose()
    }

    async fn rows(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, StoreError> {
        // Said at once while there is no connection at all; the pool would try for one.
        if !self.finds.is_there() {
            return Err(StoreError::Away);
        }
        let _waiting = waits::on(For::Database);
        self.pool
            .call(async |client| client.query_typed(sql, params).await)
            .await
            .map_err(StoreError::from)
    }
}

impl PriorVersion {
    fn versions(&self) -> Option<&[i64]> {
        match self {
            Self::Any => None,
            Self::OneOf(versions) => Some(versions),
        }
    }
}

impl From<CallError<tokio_postgres::Error>> for StoreError {
    fn from(error: CallError<tokio_postgres::Error>) -> Self {
        match error {
            CallError::Failed(error) if is_refusal(&error) => Self::Refused(error),
            CallError::Failed(_) | CallError::NoConnection(_) | CallError::NoReply(_) => {
                Self::Unavailable(error)
            }
        }
    }
}

/// Whether the server understood the statement and said no. The other classes mean that it cannot serve now: 08 connection,
/// 53 resources, 55 object state (locks), 57 operator intervention (restart, statement timeout), 58 system error.
/// <https://www.postgresql.org/docs/15/errcodes-appendix.html>
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| {
        !["08", "53", "55", "57", "58"]
            .iter()
            .any(|class| state.code().starts_with(class))
    })
}

/// The columns are in the order in which every statement names them: their names would be looked up for each row.
pub(super) fn item(row: &Row) -> Result<Item, StoreError> {
    let read = || {
        Ok(Item {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            description: row.try_get(2)?,
            price_cents: row.try_get(3)?,
            version: row.try_get(4)?,
            updated_at: row.try_get(5)?,
        })
    };
    read().map_err(StoreError::Row)
}
