//! Items in Redis: JSON with a time to live. Every call is short, and a failure here is never the client's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bb8_redis::redis::{self, RedisError, cmd, pipe};
use prometheus::Histogram;

use super::connect::RedisManager;
use super::model::{Document, ItemId};
use crate::config::Redis;
use crate::logging::chain;
use crate::pool::{CallError, Limits, Occupancy, Pool};

/// How long an entry lives, and so the longest that a stale one can.
pub(crate) const TTL: Duration = Duration::from_secs(60);

const LIMITS: Limits = Limits {
    size: 16,
    connect: Duration::from_millis(500),
    acquire: Duration::from_millis(100),
    call: Duration::from_millis(100),
};

/// The entries of items.
pub(crate) struct Cache {
    pool: Pool<RedisManager>,
    /// Whether the last call failed, so that an outage is two log lines and not one per request.
    away: AtomicBool,
}

/// Redis did not answer; the reason has been logged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis is unavailable")]
pub(crate) struct CacheAway;

/// A live entry.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) document: Document,
    /// What is left of its life.
    pub(crate) ttl: Duration,
}

impl Cache {
    /// Starts connecting in the background.
    ///
    /// # Errors
    ///
    /// When the client library refuses the address, which the configuration has checked.
    pub(crate) fn start(redis: &Redis, wait_seconds: Histogram) -> Result<Self, RedisError> {
        let manager = RedisManager::new(redis)?;
        Ok(Self {
            pool: Pool::start("Redis", manager, LIMITS, wait_seconds),
            away: AtomicBool::new(false),
        })
    }

    /// The live entry of an item. One that cannot be read counts as none and is overwritten by the fill that follows.
    pub(crate) async fn get(&self, id: ItemId) -> Result<Option<Entry>, CacheAway> {
        let key = key(id);
        let (json, left): (Option<Vec<u8>>, i64) = self
            .call(async |connection| pipe().get(&key).pttl(&key).query_async(connection).await)
            .await?;
        // The entry may end between the two commands; PTTL is then negative.
        let ttl = Duration::from_millis(left.try_into().unwrap_or(0));
        Ok(json
            .and_then(Document::from_json)
            .map(|document| Entry { document, ttl }))
    }

    pub(crate) async fn put(&self, id: ItemId, document: &Document) -> Result<(), CacheAway> {
        let key = key(id);
        self.call(async |connection| {
            cmd("SET")
                .arg(&key)
                .arg(document.json.as_ref())
                .arg("EX")
                .arg(TTL.as_secs())
                .query_async(connection)
                .await
        })
        .await
    }

    pub(crate) async fn remove(&self, id: ItemId) -> Result<(), CacheAway> {
        let key = key(id);
        self.call(async |connection| cmd("DEL").arg(&key).query_async(connection).await)
            .await
    }

    /// Whether Redis answers.
    pub(crate) async fn ping(&self) -> Result<(), CacheAway> {
        self.call(async |connection| cmd("PING").query_async::<()>(connection).await)
            .await
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        self.pool.occupancy()
    }

    async fn call<T>(
        &self,
        call: impl AsyncFnOnce(&mut redis::aio::MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Result<T, CacheAway> {
        let result = self.pool.call(call).await;
        self.note(result.as_ref().err());
        result.map_err(|_| CacheAway)
    }

    fn note(&self, error: Option<&CallError<RedisError>>) {
        if self.away.swap(error.is_some(), Ordering::Relaxed) == error.is_some() {
            return;
        }
        match error {
            Some(error) => tracing::warn!(
                error = chain(error),
                "Redis is unavailable; items are read from PostgreSQL"
            ),
            None => tracing::info!("Redis is available again"),
        }
    }
}

/// The number is that of the entry's format: during a rollout two versions of this program share one Redis.
fn key(id: ItemId) -> String {
    format!("api:item:1:{}", id.get())
}
