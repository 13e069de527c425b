//! Removals that Redis did not take when a write asked for them. They are made good as soon as it answers, by whichever worker reaches it
//! first, and before that one reads there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bb8_redis::redis::aio::MultiplexedConnection;
use bb8_redis::redis::{RedisError, pipe};

use super::cache::{deleting, forgetting};
use super::model::ItemId;

/// Ids at most; those beyond are left to the end of their entries' lives.
const MOST: usize = 10_000;
/// Ids in one exchange.
const BATCH: usize = 100;

/// The ids whose entries may be older than an acknowledged write. This process does not read their entries meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    debts: Mutex<Debts>,
    /// Of debts; asked by every request.
    number: AtomicUsize,
}

#[derive(Debug, Default)]
struct Debts {
    by_id: HashMap<i64, Debt>,
    /// Of the next debt; never used again, so that a debt that was made anew is not taken for the one before.
    stamp: u64,
}

/// What an entry must not be older than.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Debt {
    rank: i64,
    stamp: u64,
}

impl Owed {
    /// Owes that nothing below `rank` is told of an id; `false` when there are too many debts already.
    pub(super) fn add(&self, id: ItemId, rank: i64) -> bool {
        let mut debts = self.debts();
        let before = debts.by_id.get(&id.get()).map(|debt| debt.rank);
        if before.is_none() && debts.by_id.len() >= MOST {
            return false;
        }
        debts.stamp += 1;
        let rank = rank.max(before.unwrap_or(0));
        let stamp = debts.stamp;
        debts.by_id.insert(id.get(), Debt { rank, stamp });
        self.number.store(debts.by_id.len(), Ordering::Release);
        true
    }

    /// Whether the entry of an id must not be told.
    pub(super) fn has(&self, id: ItemId) -> bool {
        self.number.load(Ordering::Acquire) > 0 && self.debts().by_id.contains_key(&id.get())
    }

    /// Removes what is owed. What could not be removed stays owed; only a connection that fails is an error.
    pub(super) async fn settle(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), RedisError> {
        while let Some(batch) = self.batch() {
            let mut removals = pipe();
            for (id, debt) in &batch {
                removals.add_command(forgetting(*id, debt.rank)).ignore();
            }
            let mut done = removals.query_async::<()>(connection).await;
            if done.as_ref().is_err_and(refused) {
                // One that has no memory left takes this still.
                let mut removals = pipe();
                for (id, _) in &batch {
                    removals.add_command(deleting(*id)).ignore();
                }
                done = removals.query_async::<()>(connection).await;
            }
            match done {
                Err(error) if refused(&error) => return Ok(()),
                done => done?,
            }
            self.paid(&batch);
        }
        Ok(())
    }

    fn batch(&self) -> Option<Vec<(i64, Debt)>> {
        let debts = self.debts();
        let batch = debts.by_id.iter().take(BATCH);
        let batch: Vec<_> = batch.map(|(id, debt)| (*id, *debt)).collect();
        (!batch.is_empty()).then_some(batch)
    }

    /// A debt that was made anew meanwhile stays: the removal may have come before its write.
    fn paid(&self, batch: &[(i64, Debt)]) {
        let mut debts = self.debts();
        for (id, debt) in batch {
            if debts.by_id.get(id) == Some(debt) {
                debts.by_id.remove(id);
            }
        }
        self.number.store(debts.by_id.len(), Ordering::Release);
    }

    fn debts(&self) -> MutexGuard<'_, Debts> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether Redis answered, and said no.
fn refused(error: &RedisError) -> bool {
    error.code().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> ItemId {
        ItemId::parse(&number.to_string()).unwrap()
    }

    #[test]
    fn a_debt_that_is_made_anew_is_not_paid_by_the_removal_before() {
        let owed = Owed::default();
        assert!(!owed.has(id(1)));
        assert!(owed.add(id(1), 2) && owed.add(id(2), 1));
        let first = owed.batch().unwrap();
        owed.paid(&first);
        assert!(!owed.has(id(1)) && owed.batch().is_none());
        assert!(owed.add(id(1), 2));
        owed.paid(&first);
        assert!(owed.has(id(1)) && !owed.has(id(2)));
    }

    #[test]
    fn the_highest_rank_is_owed_and_the_number_is_bounded() {
        let owed = Owed::default();
        assert!(owed.add(id(1), 5) && owed.add(id(1), 0));
        assert!(owed.batch().unwrap().iter().all(|(_, debt)| debt.rank == 5));
        for number in 2..=i64::try_from(MOST).unwrap() {
            assert!(owed.add(id(number), 1));
        }
        assert!(!owed.add(id(1_000_000), 1));
        assert!(owed.add(id(7), 2), "it is owed already");
    }
}
