//! Both stores together: what a look-up finds, and what a write leaves in Redis.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::cache::{Cache, CacheAway, Put};
use super::entry::Known;
use super::model::{Document, Item, ItemId};
use super::store::{Changed, STATEMENT_DEADLINE, Store, StoreError};
use crate::shutdown::Drain;

/// Redis before PostgreSQL, as one worker reaches them.
pub(super) struct Stores {
    pub(super) items: Store,
    pub(super) cache: Cache,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The cache, with what is left of the entry's life.
    Hit { left: Duration, near: bool },
    /// PostgreSQL, because Redis has no entry; `stored` when it has one now. `collapsed`: several requests were answered by one.
    Miss { stored: bool, collapsed: bool },
    /// PostgreSQL, because Redis is away.
    Bypass { collapsed: bool },
}

/// What a read found, and where.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) document: Option<Document>,
    pub(crate) source: Source,
}

/// Why items cannot be read or written. Shared by all who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CatalogueError {
    #[error(transparent)]
    Store(Arc<StoreError>),
    #[error("the item cannot be written as JSON")]
    Json(#[source] Arc<serde_json::Error>),
    #[error("the look-up ended in a panic")]
    LookUpPanicked,
    #[error("the write ended in a panic")]
    WritePanicked,
}

impl CatalogueError {
    /// Whether trying again later may help: PostgreSQL is away, late or has too much to do.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_temporary())
    }
}

impl From<StoreError> for CatalogueError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<Arc<StoreError>> for CatalogueError {
    fn from(error: Arc<StoreError>) -> Self {
        Self::Store(error)
    }
}

impl From<serde_json::Error> for CatalogueError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(Arc::new(error))
    }
}

/// What Redis has just said.
#[derive(Clone, Copy)]
pub(super) enum Redis {
    Answers,
    Away,
}

/// What a flight begins with.
pub(super) enum First {
    /// Redis, and PostgreSQL if it has nothing.
    Look,
    /// PostgreSQL, since Redis was asked.
    Database(Redis),
    /// As `Look`, but the entry that lives until this time is as good as none.
    Refresh(SystemTime),
}

impl Stores {
    pub(super) async fn look(&self, id: ItemId, what: First) -> Result<Read, CatalogueError> {
        let known_until = match what {
            First::Database(redis) => return self.find(id, redis).await,
            First::Refresh(until) => Some(until),
            First::Look => None,
        };
        match self.cache.get(id).await {
            Ok(Some((entry, left))) if Some(entry.until) > known_until => Ok(Read {
                source: Source::Hit { left, near: false },
                document: entry.known.document(),
            }),
            Ok(_) => self.find(id, Redis::Answers).await,
            Err(CacheAway) => self.find(id, Redis::Away).await,
        }
    }

    async fn find(&self, id: ItemId, redis: Redis) -> Result<Read, CatalogueError> {
        let mut again = false;
        loop {
            let asked = SystemTime::now();
            let known = match self.items.find(id).await? {
                Some(item) => Known::Item(Document::of(&item)?),
                None => Known::Unknown,
            };
            let document = known.clone().document();
            let source = match redis {
                Redis::Away => Source::Bypass { collapsed: false },
                Redis::Answers => {
                    let put = self.cache.put(id, known, asked, again).await;
                    if put == Ok(Put::LookAgain) {
                        again = true;
                        continue;
                    }
                    Source::Miss {
                        stored: put.is_ok(),
                        collapsed: false,
                    }
                }
            };
            return Ok(Read { document, source });
        }
    }

    /// An item that was written, as it is told.
    pub(super) async fn document(
        &self,
        id: ItemId,
        item: &Item,
    ) -> Result<Document, CatalogueError> {
        match Document::of(item) {
            Ok(document) => Ok(document),
            Err(error) => {
                self.cache.forget(id).await;
                Err(error.into())
            }
        }
    }

    /// Before a write is acknowledged, nobody may be told what was there before it. Whether that is so.
    pub(super) async fn written(&self, id: ItemId, known: Known) -> bool {
        let rank = known.rank();
        let stored = self.cache.put_written(id, known).await.is_ok();
        if !stored {
            self.cache.owe(id, rank);
        }
        stored
    }

    /// A write that was not done may have been for an entry that is not true, and one that seems to have failed may have been done: its
    /// reply may have been lost after the commit. So the next reader is to ask PostgreSQL.
    pub(super) async fn or_forget<T>(
        self: &Arc<Self>,
        id: ItemId,
        changed: Result<Changed<T>, StoreError>,
        drain: &Drain,
    ) -> Result<Changed<T>, StoreError> {
        // While PostgreSQL is away nothing is even sent.
        if !matches!(changed, Ok(Changed::Done(_)) | Err(StoreError::Away)) {
            self.cache.forget(id).await;
        }
        if let Err(StoreError::Unavailable(_)) = changed {
            // The server may still be at it, until its own deadline.
            let (stores, drain) = (Arc::clone(self), drain.clone());
            tokio::spawn(async move {
                let _drain = drain;
                tokio::time::sleep(STATEMENT_DEADLINE).await;
                stores.cache.forget(id).await;
            });
        }
        changed
    }
}

impl Source {
    /// As it is for one who asked Redis and had to wait, maybe for another's look-up: what that found in Redis was not there for him.
    pub(super) const fn waited_for(self, redis: Redis, collapsed: bool) -> Self {
        match (self, redis) {
            (Self::Hit { .. }, Redis::Answers) => Self::Miss {
                stored: true,
                collapsed,
            },
            (Self::Miss { stored, .. }, Redis::Answers) => Self::Miss { stored, collapsed },
            (Self::Bypass { .. }, _) | (_, Redis::Away) => Self::Bypass { collapsed },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_waited_has_not_hit() {
        let hit = Source::Hit {
            left: Duration::from_secs(1),
            near: false,
        };
        let collapsed = true;
        let miss = Source::Miss {
            stored: true,
            collapsed,
        };
        assert_eq!(hit.waited_for(Redis::Answers, collapsed), miss);
        let bypass = Source::Bypass { collapsed };
        assert_eq!(hit.waited_for(Redis::Away, collapsed), bypass);
    }
}
