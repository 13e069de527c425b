//! Reading entries: many in one command.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bb8_redis::redis::{Cmd, Value};

use super::cache::{CacheAway, REPLY};
use super::calls::Calls;
use super::entry::{self, Entry};
use super::model::ItemId;
use super::near::Near;
use super::rounds::Rounds;
use crate::waits::{self, For};

/// Bytes of a key, or about: what is known beforehand is allocated once.
const KEY: usize = 24;

/// The reads of one worker.
pub(super) struct Reads {
    calls: Arc<Calls>,
    ttl: Duration,
    near: Option<Arc<Near>>,
    rounds: Arc<Rounds<ItemId, Answer>>,
}

/// An entry that lives, and what is left of its life.
pub(crate) type Live = (Entry, Duration);

type Answer = Result<Option<Live>, CacheAway>;

impl Reads {
    pub(super) fn new(calls: Arc<Calls>, ttl: Duration, near: Option<Arc<Near>>) -> Arc<Self> {
        Arc::new(Self {
            calls,
            ttl,
            near,
            rounds: Rounds::new(),
        })
    }

    /// The live entry of an item. One that cannot be read counts as none.
    pub(super) async fn get(self: &Arc<Self>, id: ItemId) -> Answer {
        let _waiting = waits::on(For::Cache);
        let (answer, round) = self.rounds.join(id);
        if let Some(round) = round {
            let reads = Arc::clone(self);
            tokio::spawn(round.carry(
                async move |ids: Vec<ItemId>| match reads.get_all(&ids).await {
                    Ok(entries) => entries.into_iter().map(Ok).collect(),
                    Err(CacheAway) => ids.iter().map(|_| Err(CacheAway)).collect(),
                },
            ));
        }
        answer.await.unwrap_or(Err(CacheAway))
    }

    /// As many entries as ids, in their order.
    async fn get_all(&self, ids: &[ItemId]) -> Result<Vec<Option<Live>>, CacheAway> {
        let sent = Instant::now();
        let tickets = self.near.as_ref().map(|near| {
            let tickets: Vec<_> = ids.iter().map(|id| near.ticket(*id, sent)).collect();
            (near, tickets)
        });
        let mut get = Cmd::with_capacity(1 + ids.len(), KEY * (1 + ids.len()));
        get.arg("MGET");
        for id in ids {
            get.arg(entry::key(id.get()));
        }
        let Value::Array(values) = self.calls.call(REPLY, &get).await? else {
            return Err(CacheAway);
        };
        let now = SystemTime::now();
        let entries: Vec<_> = values
            .into_iter()
            .map(|value| self.live(value, now))
            .collect();
        if let Some((near, tickets)) = tickets {
            for (ticket, entry) in tickets.into_iter().zip(&entries) {
                near.answered(ticket, entry.as_ref().map(|(entry, _)| entry));
            }
        }
        Ok(entries)
    }

    fn live(&self, value: Value, now: SystemTime) -> Option<Live> {
        let Value::BulkString(bytes) = value else {
            return None;
        };
        let entry = Entry::decode(bytes, now, self.ttl)?;
        let left = entry.left(now);
        Some((entry, left))
    }
}
