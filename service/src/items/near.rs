//! A cache in this process, before Redis, kept in step by Redis itself (`CLIENT TRACKING`).
//!
//! Flow: Redis tells every connection which of the keys that it has read were changed. Two things make that exact. A reply may be
//! overtaken by the news that it is old, so before asking a [`Ticket`] is taken, and news of the key, or the end of the connection, makes
//! it void. And news travel, so an entry is told only under a lease: a command that was sent at most [`LEASE`] ago has been answered, and
//! Redis sends news and replies in order. Whoever has something new makes Redis forget the old, waits for as long ([`settled`]), and only
//! then stores it and tells it. So nobody is told what is older than what anybody was told before he asked.
//!
//! Assumptions: every process has the near-cache on; clocks run at the same rate for 10 ms, and differ by less than a second; Redis evicts
//! nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bb8_redis::redis::{PushInfo, PushKind, Value};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::entry::{self, Entry, Known};
use super::model::ItemId;
use crate::waits::{self, For};

/// For how long after a command was sent its reply vouches for the entries.
const LEASE: Duration = Duration::from_millis(10);
/// Entries end earlier here: clocks of processes differ, and nobody may tell what another knows to have ended.
const MARGIN: Duration = Duration::from_secs(1);
/// Bytes of entries at most.
const BYTES: u64 = 16 << 20;
/// What an entry costs beside its document.
const OVERHEAD: u64 = 160;
/// Entries that are expected; only the first size of tables follows from it.
const EXPECTED: usize = 1_024;
/// Counters of news, each for some keys. A power of two.
const COUNTERS: usize = 1_024;

/// The entries of one connection.
pub(super) struct Near {
    entries: Cache<i64, Kept, Weight>,
    news: Box<[AtomicU64]>,
    base: Instant,
    /// In nanoseconds after `base`.
    leased_until: AtomicU64,
}

/// Taken before Redis is asked; void once there is news of the key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    id: ItemId,
    news: u64,
    sent: Instant,
}

/// An entry, and when it ends by the clock that requests are timed with.
#[derive(Clone)]
struct Kept {
    entry: Entry,
    until: Instant,
}

#[derive(Clone)]
struct Weight;

impl Weighter<i64, Kept> for Weight {
    fn weight(&self, _: &i64, kept: &Kept) -> u64 {
        let json = match &kept.entry.known {
            Known::Item(document) => document.json.len(),
            Known::Unknown | Known::Deleted => 0,
        };
        OVERHEAD + u64::try_from(json).unwrap_or(u64::MAX - OVERHEAD)
    }
}

/// Returns once no process tells what is older than a change that Redis has taken.
pub(super) async fn settled() {
    let _waiting = waits::on(For::Cache);
    tokio::time::sleep(LEASE).await;
}

impl Near {
    pub(super) fn new() -> Self {
        Self {
            entries: Cache::with_weighter(EXPECTED, BYTES, Weight),
            news: (0..COUNTERS).map(|_| AtomicU64::new(0)).collect(),
            base: Instant::now(),
            leased_until: AtomicU64::new(0),
        }
    }

    /// The live entry of an item, if it may be told at `now`, and what is left of its life.
    pub(super) fn get(&self, id: ItemId, now: Instant) -> Option<(Entry, Duration)> {
        if self.since_base(now) >= self.leased_until.load(Ordering::Acquire) {
            return None;
        }
        let Kept { entry, until } = self.entries.get(&id.get())?;
        let left = until.saturating_duration_since(now);
        (!left.is_zero()).then_some((entry, left + MARGIN))
    }

    /// Before Redis is asked, and before the connection for it is chosen.
    pub(super) fn ticket(&self, id: ItemId, sent: Instant) -> Ticket {
        Ticket {
            id,
            news: self.counter(id.get()).load(Ordering::Acquire),
            sent,
        }
    }

    /// Redis has answered what the ticket was for.
    pub(super) fn answered(&self, ticket: Ticket, entry: Option<&Entry>) {
        let until = self.since_base(ticket.sent + LEASE);
        self.leased_until.fetch_max(until, Ordering::AcqRel);
        let Some(entry) = entry else { return };
        let id = ticket.id.get();
        let is_void = || self.counter(id).load(Ordering::Acquire) != ticket.news;
        if is_void() {
            return;
        }
        let kept = Kept {
            entry: entry.clone(),
            until: Instant::now() + entry.left(SystemTime::now()).saturating_sub(MARGIN),
        };
        self.entries.insert(id, kept);
        if is_void() {
            self.entries.remove(&id);
        }
    }

    /// What Redis, or the connection itself, has told unasked.
    pub(super) fn heard(&self, push: &PushInfo) {
        let changed = match (&push.kind, push.data.first()) {
            (PushKind::Invalidate, Some(Value::Array(keys))) => keys,
            // All keys: the database was emptied.
            (PushKind::Invalidate, _) | (PushKind::Disconnection, _) => return self.clear(),
            (_, _) => return,
        };
        changed.iter().for_each(|key| self.changed(key));
    }

    /// Forgets everything, and everything that is being asked for.
    pub(super) fn clear(&self) {
        self.leased_until.store(0, Ordering::Release);
        for counter in &self.news {
            counter.fetch_add(1, Ordering::AcqRel);
        }
        self.entries.clear();
    }

    fn changed(&self, key: &Value) {
        let Value::BulkString(key) = key else {
            return self.clear();
        };
        let Some(id) = entry::id(key) else { return };
        self.counter(id).fetch_add(1, Ordering::AcqRel);
        self.entries.remove(&id);
    }

    #[allow(clippy::indexing_slicing, reason = "masked")]
    fn counter(&self, id: i64) -> &AtomicU64 {
        let id = usize::try_from(id).unwrap_or_default();
        &self.news[id & (COUNTERS - 1)]
    }

    fn since_base(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.base);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::model::Document;
    use super::*;

    fn id(number: i64) -> ItemId {
        ItemId::parse(&number.to_string()).unwrap()
    }

    fn entry(version: i64, left: Duration) -> Entry {
        Entry {
            known: Known::Item(Document {
                version,
                json: Bytes::from(vec![b'x'; 1_000]),
            }),
            until: SystemTime::now() + left,
        }
    }

    fn invalidate(key: &str) -> PushInfo {
        let key = Value::BulkString(key.as_bytes().to_vec());
        PushInfo {
            kind: PushKind::Invalidate,
            data: vec![Value::Array(vec![key])],
        }
    }

    const MINUTE: Duration = Duration::from_secs(60);

    /// A near-cache that has just heard of item 1.
    fn filled() -> (Near, Instant) {
        let near = Near::new();
        let ticket = near.ticket(id(1), Instant::now());
        near.answered(ticket, Some(&entry(1, MINUTE)));
        (near, ticket.sent)
    }

    #[test]
    fn an_entry_is_told_under_the_lease_alone() {
        let (near, sent) = filled();
        assert!(near.get(id(1), sent).is_some());
        assert!(near.get(id(2), sent).is_none());
        let after = sent + LEASE;
        assert!(near.get(id(1), after).is_none());
        // Any reply renews it for all.
        let mut other = near.ticket(id(2), Instant::now());
        other.sent = after;
        near.answered(other, None);
        assert!(near.get(id(1), after).is_some());
    }

    #[test]
    fn news_remove_an_entry() {
        let (near, sent) = filled();
        near.heard(&invalidate("api:item:2:2"));
        near.heard(&invalidate("api:item:1:1"));
        assert!(near.get(id(1), sent).is_some());
        near.heard(&invalidate("api:item:2:1"));
        assert!(near.get(id(1), sent).is_none());
    }

    #[test]
    fn a_reply_that_news_overtake_is_not_kept() {
        let near = Near::new();
        let ticket = near.ticket(id(1), Instant::now());
        near.heard(&invalidate("api:item:2:1"));
        near.answered(ticket, Some(&entry(1, MINUTE)));
        assert!(near.get(id(1), ticket.sent).is_none());
    }

    #[test]
    fn the_end_of_the_connection_forgets_all_and_what_is_on_its_way() {
        for kind in [PushKind::Disconnection, PushKind::Invalidate] {
            let (near, sent) = filled();
            let ticket = near.ticket(id(2), Instant::now());
            let data = vec![Value::Nil];
            near.heard(&PushInfo { kind, data });
            assert!(near.get(id(1), sent).is_none());
            near.answered(ticket, Some(&entry(1, MINUTE)));
            assert!(near.get(id(1), sent).is_none());
            assert!(near.get(id(2), sent).is_none());
        }
    }

    #[test]
    fn an_entry_ends_with_its_life() {
        let near = Near::new();
        let ticket = near.ticket(id(1), Instant::now());
        near.answered(ticket, Some(&entry(1, MARGIN * 3)));
        let (_, left) = near.get(id(1), ticket.sent).unwrap();
        assert!(left <= MARGIN * 3 + ticket.sent.elapsed());
        // Still under the lease, which ends later.
        near.leased_until.fetch_max(u64::MAX, Ordering::AcqRel);
        assert!(near.get(id(1), ticket.sent + left - MARGIN).is_none());
    }

    #[test]
    fn its_bytes_are_bounded() {
        let near = Near::new();
        for number in 1..=50_000 {
            near.answered(
                near.ticket(id(number), Instant::now()),
                Some(&entry(1, MINUTE)),
            );
        }
        assert!(near.entries.weight() <= BYTES);
        assert!(near.entries.len() > 10_000, "{}", near.entries.len());
    }
}
