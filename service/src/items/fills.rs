//! Storing what PostgreSQL was found to hold: many entries in one message.

use std::sync::Arc;

use bb8_redis::redis::{Cmd, Pipeline, Value};

use super::cache::{CacheAway, REPLY};
use super::calls::Calls;
use super::entry::{self, Entry};
use super::model::ItemId;
use super::rounds::Rounds;
use crate::waits::{self, For};

/// Bytes of a SET beside key and value: what is known beforehand is allocated once.
const WORDS: usize = "SETNXPXAT".len() + "1764288000000".len();

/// What Redis is to hold.
#[derive(Clone, Debug)]
pub(super) struct Filling {
    pub(super) key: String,
    pub(super) value: Vec<u8>,
    /// In milliseconds since 1970.
    pub(super) until: u64,
}

/// The fills of one worker.
pub(super) struct Fills {
    calls: Arc<Calls>,
    rounds: Arc<Rounds<Filling, Result<Filled, CacheAway>>>,
}

/// What became of a filling.
#[derive(Debug)]
pub(super) enum Filled {
    Stored,
    /// Something is there.
    Taken(Filling),
}

impl Filling {
    pub(super) fn new(id: ItemId, entry: &Entry) -> Self {
        Self {
            key: entry::key(id.get()),
            value: entry.encode(),
            until: entry::milliseconds(entry.until),
        }
    }
}

impl Fills {
    pub(super) fn new(calls: Arc<Calls>) -> Arc<Self> {
        Arc::new(Self {
            calls,
            rounds: Rounds::new(),
        })
    }

    /// Stores a filling where nothing is: mostly nothing is, and Redis need not run a script to see that.
    pub(super) async fn fill(self: &Arc<Self>, filling: Filling) -> Result<Filled, CacheAway> {
        let _waiting = waits::on(For::Cache);
        let (answer, round) = self.rounds.join(filling);
        if let Some(round) = round {
            let fills = Arc::clone(self);
            tokio::spawn(round.carry(async move |fillings| fills.fill_all(fillings).await));
        }
        answer.await.unwrap_or(Err(CacheAway))
    }

    async fn fill_all(&self, fillings: Vec<Filling>) -> Vec<Result<Filled, CacheAway>> {
        let mut sets = Pipeline::with_capacity(fillings.len());
        for filling in &fillings {
            let Filling { key, value, until } = filling;
            let mut set = Cmd::with_capacity(6, key.len() + value.len() + WORDS);
            set.arg("SET").arg(key).arg(value);
            set.arg("NX").arg("PXAT").arg(until);
            sets.add_command(set);
        }
        let Ok(replies) = self.calls.call_all(REPLY, &sets).await else {
            return fillings.iter().map(|_| Err(CacheAway)).collect();
        };
        let filled = |(filling, reply)| {
            Ok(if reply == Value::Okay {
                Filled::Stored
            } else {
                Filled::Taken(filling)
            })
        };
        fillings.into_iter().zip(replies).map(filled).collect()
    }
}
