//! Removals that Redis did not take when a write asked for them. They are made good as soon as it answers, by whichever worker reaches it
//! first, and before that one reads there.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bb8_redis::redis::aio::MultiplexedConnection;
use bb8_redis::redis::{RedisError, pipe};

use super::cache::forgetting;
use super::model::ItemId;

/// Ids at most; those beyond are left to the end of their entries' lives.
const MOST: usize = 10_000;
/// Ids in one exchange.
const BATCH: usize = 100;

/// The ids whose entries may be older than an acknowledged write, each with how often it came to be owed.
#[derive(Debug, Default)]
pub(crate) struct Owed(Mutex<HashMap<i64, u64>>);

impl Owed {
    /// Owes a removal; `false` when there are too many already.
    pub(super) fn add(&self, id: ItemId) -> bool {
        let mut ids = self.ids();
        let room = ids.len() < MOST || ids.contains_key(&id.get());
        if room {
            *ids.entry(id.get()).or_default() += 1;
        }
        room
    }

    /// Removes what is owed. What could not be removed stays owed.
    pub(super) async fn settle(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), RedisError> {
        loop {
            let batch: Vec<(i64, u64)> = {
                let ids = self.ids();
                ids.iter()
                    .take(BATCH)
                    .map(|(id, times)| (*id, *times))
                    .collect()
            };
            if batch.is_empty() {
                return Ok(());
            }
            let mut removals = pipe();
            for (id, _) in &batch {
                removals.add_command(forgetting(*id)).ignore();
            }
            removals.query_async::<()>(connection).await?;
            let mut ids = self.ids();
            for (id, times) in batch {
                // Owed anew meanwhile: the removal may have come before that write.
                if ids.get(&id) == Some(&times) {
                    ids.remove(&id);
                }
            }
        }
    }

    fn ids(&self) -> MutexGuard<'_, HashMap<i64, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
