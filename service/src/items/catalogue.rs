//! Cache-aside: Redis first, PostgreSQL on a miss, and after a write the entry is removed before the reply.
//!
//! Guarantees: an item that Redis cannot give is read from PostgreSQL; a write that was acknowledged has removed the entry, unless
//! Redis was away. Caveats, both bounded by [`TTL`](super::cache::TTL): a reader that missed before a write may store the old row
//! after the entry was removed; and a removal that Redis did not take leaves the old entry behind. Fills that depend on the row's
//! version would close the first.

use std::sync::Arc;
use std::time::Duration;

use super::cache::{Cache, CacheAway};
use super::model::{Document, Draft, Item, ItemId, PriorVersion};
use super::store::{Changed, Store, StoreError};
use crate::metrics::{CacheMetrics, Metrics};
use crate::shutdown::Drain;

/// Items, however they are stored.
pub(crate) struct Catalogue {
    stores: Arc<Stores>,
    counts: CacheMetrics,
    drain: Drain,
}

struct Stores {
    items: Store,
    cache: Cache,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Redis, with what is left of the entry's life.
    Hit(Duration),
    /// PostgreSQL, because Redis has no entry; `stored` when it has one now.
    Miss { stored: bool },
    /// PostgreSQL, because Redis is away.
    Bypass,
}

/// What a read found, and where.
pub(crate) struct Read {
    pub(crate) document: Option<Document>,
    pub(crate) source: Source,
}

/// Whether each store answers.
pub(crate) struct Dependencies {
    pub(crate) postgresql: bool,
    pub(crate) redis: bool,
}

/// Why items cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogueError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the item cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("the write ended in a panic")]
    Panicked(#[source] tokio::task::JoinError),
}

impl Catalogue {
    pub(crate) fn new(items: Store, cache: Cache, counts: CacheMetrics, drain: Drain) -> Self {
        Self {
            stores: Arc::new(Stores { items, cache }),
            counts,
            drain,
        }
    }

    pub(crate) async fn read(&self, id: ItemId) -> Result<Read, CatalogueError> {
        let cached = self.stores.cache.get(id).await;
        match cached {
            Ok(Some(entry)) => {
                self.counts.hit.inc();
                Ok(Read {
                    document: Some(entry.document),
                    source: Source::Hit(entry.ttl),
                })
            }
            Ok(None) => {
                self.counts.miss.inc();
                let document = self.find(id).await?;
                let stored = match &document {
                    Some(document) => self.stores.cache.put(id, document).await.is_ok(),
                    None => false,
                };
                Ok(Read {
                    document,
                    source: Source::Miss { stored },
                })
            }
            Err(CacheAway) => {
                self.counts.bypass.inc();
                Ok(Read {
                    document: self.find(id).await?,
                    source: Source::Bypass,
                })
            }
        }
    }

    /// At most `limit` items with an id above `after`, in order of id, from PostgreSQL.
    pub(crate) async fn list(&self, after: i64, limit: i64) -> Result<Vec<Item>, CatalogueError> {
        Ok(self.stores.items.list(after, limit).await?)
    }

    pub(crate) async fn create(&self, draft: Draft) -> Result<(ItemId, Document), CatalogueError> {
        self.to_the_end(|stores| async move {
            let item = stores.items.insert(&draft).await?;
            let id = ItemId::stored(&item);
            stores.invalidate(id).await;
            Ok((id, Document::of(&item)?))
        })
        .await
    }

    pub(crate) async fn replace(
        &self,
        id: ItemId,
        draft: Draft,
        prior: PriorVersion,
    ) -> Result<Changed<Document>, CatalogueError> {
        self.to_the_end(|stores| async move {
            let result = stores.items.replace(id, &draft, &prior).await;
            stores.invalidate(id).await;
            Ok(match result? {
                Changed::Done(item) => Changed::Done(Document::of(&item)?),
                Changed::NotFound => Changed::NotFound,
                Changed::VersionMismatch => Changed::VersionMismatch,
            })
        })
        .await
    }

    pub(crate) async fn delete(
        &self,
        id: ItemId,
        prior: PriorVersion,
    ) -> Result<Changed<()>, CatalogueError> {
        self.to_the_end(|stores| async move {
            let result = stores.items.delete(id, &prior).await;
            stores.invalidate(id).await;
            Ok(result?)
        })
        .await
    }

    /// Asks both stores at once.
    pub(crate) async fn dependencies(&self) -> Dependencies {
        let (postgresql, redis) = tokio::join!(self.stores.items.ping(), self.stores.cache.ping());
        Dependencies {
            postgresql: postgresql.is_ok(),
            redis: redis.is_ok(),
        }
    }

    pub(crate) fn record_pools(&self, metrics: &Metrics) {
        metrics.set_pool("postgresql", &self.stores.items.occupancy());
        metrics.set_pool("redis", &self.stores.cache.occupancy());
    }

    async fn find(&self, id: ItemId) -> Result<Option<Document>, CatalogueError> {
        let item = self.stores.items.find(id).await?;
        Ok(item.as_ref().map(Document::of).transpose()?)
    }

    /// Runs a write in a task of its own: a client that goes away must not part the write from its invalidation. The task holds a
    /// [`Drain`], so the process waits for it.
    async fn to_the_end<T, F, W>(&self, write: F) -> Result<T, CatalogueError>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Stores>) -> W,
        W: Future<Output = Result<T, CatalogueError>> + Send + 'static,
    {
        let drain = self.drain.clone();
        let work = write(Arc::clone(&self.stores));
        tokio::spawn(async move {
            let _drain = drain;
            work.await
        })
        .await
        .map_err(CatalogueError::Panicked)?
    }
}

impl Stores {
    /// Removes the entry, also after a write that seems to have failed: its reply may have been lost after the commit.
    async fn invalidate(&self, id: ItemId) {
        if self.cache.remove(id).await.is_err() {
            tracing::warn!(
                id = id.get(),
                "the entry could not be removed; it may be stale until it expires"
            );
        }
    }
}
