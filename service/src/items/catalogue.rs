//! Cache-aside: Redis first, PostgreSQL on a miss, and what was written is in Redis before it is acknowledged.
//!
//! Guarantee, while Redis answers and keeps what it was given: a read that begins after a write was acknowledged, or after another read
//! was answered, finds that version or a later one, through whichever process. It rests on three rules. Whatever comes from PostgreSQL is
//! in Redis before anybody is told it. Redis never lets a lower version replace a higher one. And nobody is given what was looked up
//! before he asked ([`Flights`]). Listings are not part of it: they come from PostgreSQL, ahead of the entries by what a write takes.
//!
//! Caveats, all bounded by the life of an entry (`CACHE_TTL`) and told in `Cache-Status`: a write that Redis did not take leaves the old
//! entry to the other processes until this one can remove it; a read that Redis did not answer in time, or whose fill it did not take,
//! may be ahead of the entry; and a Redis that loses entries early (eviction, failover) holds nothing back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cache::{Cache, CacheAway};
use super::entry::{Entry, Known};
use super::flights::{Flights, Landed, Pilot};
use super::model::{Document, Draft, Item, ItemId, PriorVersion};
use super::store::{Changed, Store};
use super::stores::{CatalogueError, First, Read, Redis, Source, Stores};
use crate::metrics::CacheMetrics;
use crate::pool::Occupancy;
use crate::shutdown::Drain;
use crate::waits::{self, Asked, For};

/// The share of an entry's life at whose end it is read anew early.
const EARLY: f64 = 0.02;

/// Items, however they are stored, as one worker reaches them.
pub(crate) struct Catalogue {
    stores: Arc<Stores>,
    flights: SharedFlights,
    counts: CacheMetrics,
    drain: Drain,
}

/// The look-ups of all workers.
pub(crate) type SharedFlights = Arc<Flights<Result<Read, CatalogueError>>>;

/// The look-ups of a process, none of them in the air.
pub(crate) fn flights() -> SharedFlights {
    Flights::new()
}

/// What a write made.
pub(crate) struct Written<T> {
    pub(crate) value: T,
    /// Whether Redis has taken it. If not, what was there before may be read until its entry ends or is removed.
    pub(crate) stored: bool,
}

/// Whether each store answers.
pub(crate) struct Dependencies {
    pub(crate) postgresql: bool,
    pub(crate) redis: bool,
}

impl Catalogue {
    pub(crate) fn new(
        items: Store,
        cache: Cache,
        flights: SharedFlights,
        counts: CacheMetrics,
        drain: Drain,
    ) -> Self {
        Self {
            stores: Arc::new(Stores { items, cache }),
            flights,
            counts,
            drain,
        }
    }

    /// Returns once it has tried to reach both stores: the first request is not to find them away because it came early.
    pub(crate) async fn tried(&self) {
        tokio::join!(self.stores.items.tried(), self.stores.cache.tried());
    }

    /// What is known of an item; `now` is when the request came.
    ///
    /// # Errors
    ///
    /// [`CatalogueError`] when neither store can tell.
    pub(crate) async fn read(&self, id: ItemId, now: Instant) -> Result<Read, CatalogueError> {
        if let Some((entry, left)) = self.stores.cache.near(id, now) {
            self.counts.near.inc();
            return Ok(self.hit(id, entry, left, true));
        }
        let landed = self.flights.landed(id);
        match self.stores.cache.get(id).await {
            Ok(Some((entry, left))) => {
                self.counts.hit.inc();
                Ok(self.hit(id, entry, left, false))
            }
            Ok(None) => {
                self.counts.miss.inc();
                Box::pin(self.look_up(id, landed, Redis::Answers)).await
            }
            Err(CacheAway) => {
                self.counts.bypass.inc();
                Box::pin(self.look_up(id, landed, Redis::Away)).await
            }
        }
    }

    /// At most `limit` items with an id above `after`, in order of id, from PostgreSQL. They may be ahead of what [`Self::read`] tells.
    pub(crate) async fn list(&self, after: i64, limit: i64) -> Result<Vec<Item>, CatalogueError> {
        Ok(self.stores.items.list(after, limit).await?)
    }

    pub(crate) async fn create(
        &self,
        draft: Draft,
    ) -> Result<Written<(ItemId, Document)>, CatalogueError> {
        self.to_the_end(None, |stores| async move {
            let item = stores.items.insert(&draft).await?;
            let id = ItemId::stored(&item);
            let document = Document::of(&item)?;
            let stored = stores.written(id, Known::Item(document.clone())).await;
            let value = (id, document);
            Ok(Written { value, stored })
        })
        .await
    }

    pub(crate) async fn replace(
        &self,
        id: ItemId,
        draft: Draft,
        prior: PriorVersion,
    ) -> Result<Changed<Written<Document>>, CatalogueError> {
        let drain = self.drain.clone();
        self.to_the_end(Some(id), |stores| async move {
            let changed = stores.items.replace(id, &draft, &prior).await;
            match stores.or_forget(id, changed, &drain).await? {
                Changed::Done(item) => {
                    let document = stores.document(id, &item).await?;
                    let stored = stores.written(id, Known::Item(document.clone())).await;
                    let value = document;
                    Ok(Changed::Done(Written { value, stored }))
                }
                Changed::NotFound => Ok(Changed::NotFound),
                Changed::VersionMismatch => Ok(Changed::VersionMismatch),
            }
        })
        .await
    }

    pub(crate) async fn delete(
        &self,
        id: ItemId,
        prior: PriorVersion,
    ) -> Result<Changed<Written<()>>, CatalogueError> {
        let drain = self.drain.clone();
        self.to_the_end(Some(id), |stores| async move {
            let changed = stores.items.delete(id, &prior).await;
            match stores.or_forget(id, changed, &drain).await? {
                Changed::Done(value) => {
                    let stored = stores.written(id, Known::Deleted).await;
                    Ok(Changed::Done(Written { value, stored }))
                }
                Changed::NotFound => Ok(Changed::NotFound),
                Changed::VersionMismatch => Ok(Changed::VersionMismatch),
            }
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

    /// The connections that only one caller uses at a time.
    pub(crate) fn pool(&self) -> Occupancy {
        self.stores.items.occupancy()
    }

    /// An entry that is told; one that many ask for is read anew before it ends, so that nobody has to wait for it.
    fn hit(&self, id: ItemId, entry: Entry, left: Duration, near: bool) -> Read {
        let ttl = self.stores.cache.ttl();
        // Before that it is as good as impossible, and chance costs time.
        let may_be_early = left < ttl / 2 && matches!(entry.known, Known::Item(_));
        if may_be_early
            && is_early(left, ttl, fastrand::f64())
            && let Some(pilot) = self.flights.alone(id)
        {
            // Nobody waits for it.
            self.take_off(pilot, id, First::Refresh(entry.until), Asked::default());
        }
        Read {
            document: entry.known.document(),
            source: Source::Hit { left, near },
        }
    }

    async fn look_up(
        &self,
        id: ItemId,
        landed: Landed,
        redis: Redis,
    ) -> Result<Read, CatalogueError> {
        let (answer, pilot) = self.flights.board(id);
        let collapsed = pilot.is_none();
        if collapsed {
            self.counts.coalesced.inc();
        }
        if let Some(pilot) = pilot {
            // Redis was asked just now, unless a flight has landed since and may have left something there.
            let first = if self.flights.landed(id) == landed {
                First::Database(redis)
            } else {
                First::Look
            };
            self.take_off(pilot, id, first, Asked::here());
        }
        // What another's look-up waits for is not known here.
        let _waiting = collapsed.then(|| waits::on(For::Database));
        let mut read = answer.await.map_err(|_| CatalogueError::LookUpPanicked)??;
        read.source = read.source.waited_for(redis, collapsed);
        Ok(read)
    }

    /// `asked` is about the first flight alone: whoever asks has his answer then.
    fn take_off(
        &self,
        pilot: Pilot<Result<Read, CatalogueError>>,
        id: ItemId,
        first: First,
        asked: Asked,
    ) {
        let stores = Arc::clone(&self.stores);
        let mut first = Some((first, asked));
        tokio::spawn(pilot.fly(move |_| {
            let stores = Arc::clone(&stores);
            let (what, asked) = first.take().unwrap_or((First::Look, Asked::default()));
            asked.of(async move { stores.look(id, what).await })
        }));
    }

    /// Runs a write in a task of its own: a client that goes away must not part the write from its invalidation. The task holds a
    /// [`Drain`], so the process waits for it.
    async fn to_the_end<T, F, W>(
        &self,
        changes: Option<ItemId>,
        write: F,
    ) -> Result<T, CatalogueError>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Stores>) -> W,
        W: Future<Output = Result<T, CatalogueError>> + Send + 'static,
    {
        let drain = self.drain.clone();
        let work = write(Arc::clone(&self.stores));
        let ended = tokio::spawn(Asked::here().of(async move {
            let _drain = drain;
            work.await
        }));
        if let Ok(result) = ended.await {
            return result;
        }
        // It may have been done before the panic.
        if let Some(id) = changes {
            self.stores.cache.forget(id).await;
        }
        Err(CatalogueError::WritePanicked)
    }
}

/// Whether an entry is read anew though it lives: the more likely the less is left, and almost surely in time where many ask. Vattani,
/// Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention" (2015), with a share of the life in place of the
/// time that a look-up takes. `random` is from 0 to 1.
fn is_early(left: Duration, ttl: Duration, random: f64) -> bool {
    left.as_secs_f64() <= -random.max(f64::MIN_POSITIVE).ln() * EARLY * ttl.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_anew_near_its_end_alone() {
        let ttl = Duration::from_secs(60);
        let at = |left| is_early(Duration::from_secs(left), ttl, 0.5);
        assert!(at(0));
        assert!(!at(1));
        assert!(!at(60));
        // Of 10,000 requests in the last second and a bit, nearly half come early enough.
        let many = (0..10_000).map(|n| f64::from(n) / 10_000.0);
        let early = many.filter(|random| is_early(Duration::from_secs(1), ttl, *random));
        assert!((4_000..5_000).contains(&early.count()));
        assert!(is_early(Duration::ZERO, ttl, 1.0));
        assert!(
            !is_early(ttl, ttl, 0.000_1),
            "never right after it was stored"
        );
    }
}
