//! Finding rows: many in one statement, on a connection that all readers of a worker share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::Histogram;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Row;

use super::model::{ById, Item, ItemId};
use super::postgres::Session;
use super::rounds::Rounds;
use super::store::{StoreError, item};
use crate::deadline::{Deadlines, Late};
use crate::link::Link;
use crate::pool::CallError;
use crate::waits::{self, For};

/// Readers whose rows are asked for at once.
const READERS: usize = 64;
/// For a reader's turn. Beyond it the database has more to do than it can, and an answer at once is worth more than a late one.
pub(super) const TURN: Duration = Duration::from_millis(5);
/// For the rows, from the moment of the turn. With the others this keeps a failed look-up below a second; one who comes during a look-up
/// that fails waits for the next one.
const DEADLINE: Duration = Duration::from_millis(700);

/// The readers of one worker.
pub(super) struct Finds {
    /// A second connection costs PostgreSQL a process more and saves nothing while rows are in its memory: it fetched a tenth less a
    /// second where both fought for cores.
    link: Link<Session>,
    turns: Semaphore,
    deadlines: Arc<Deadlines>,
    rounds: Arc<Rounds<ItemId, Found>>,
    wait_seconds: Histogram,
}

/// All who asked together share a failure.
type Found = Result<Option<Item>, Arc<StoreError>>;

impl Finds {
    pub(super) fn new(
        link: Link<Session>,
        deadlines: Arc<Deadlines>,
        wait_seconds: Histogram,
    ) -> Arc<Self> {
        Arc::new(Self {
            link,
            turns: Semaphore::new(READERS),
            deadlines,
            rounds: Rounds::new(),
            wait_seconds,
        })
    }

    /// Whether there is a connection.
    pub(super) fn is_there(&self) -> bool {
        self.link.live().is_some()
    }

    /// Returns once there was an attempt to connect.
    pub(super) async fn tried(&self) {
        self.link.tried().await;
    }

    pub(super) async fn find(self: &Arc<Self>, id: ItemId) -> Found {
        if !self.is_there() {
            return Err(Arc::new(StoreError::Away));
        }
        let _waiting = waits::on(For::Database);
        let _turn = self.turn().await?;
        let (answer, round) = self.rounds.join(id);
        if let Some(round) = round {
            let finds = Arc::clone(self);
            tokio::spawn(round.carry(async move |ids: Vec<ItemId>| {
                match finds.find_all(&ids).await.map_err(Arc::new) {
                    Ok(items) => items.into_iter().map(Ok).collect(),
                    Err(error) => ids.iter().map(|_| Err(Arc::clone(&error))).collect(),
                }
            }));
        }
        let broken_off = || Err(Arc::new(StoreError::BrokenOff));
        answer.await.unwrap_or_else(|_| broken_off())
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        if let Ok(turn) = self.turns.try_acquire() {
            self.wait_seconds.observe(0.0);
            return Ok(turn);
        }
        let waiting = Instant::now();
        // Boxed, since it is rare and would be a large part of every look-up.
        let turn = Box::pin(self.deadlines.within(TURN, self.turns.acquire())).await;
        let turn = turn.ok().and_then(Result::ok);
        self.wait_seconds.observe(waiting.elapsed().as_secs_f64());
        turn.ok_or(StoreError::Overloaded)
    }

    /// As many items as ids, in their order.
    async fn find_all(&self, ids: &[ItemId]) -> Result<Vec<Option<Item>>, StoreError> {
        let session = self.link.live().ok_or(StoreError::Away)?;
        let keys: Vec<i64> = ids.iter().map(|id| id.get()).collect();
        let rows = self
            .deadlines
            .within(DEADLINE, session.find(&keys))
            .await
            .map_err(|Late(deadline)| CallError::NoReply(deadline))
            .and_then(|found| found.map_err(CallError::Failed))
            .inspect_err(|_| self.link.suspect())?;
        let mut found = ById::<Row>::with_capacity_and_hasher(rows.len(), Default::default());
        for row in rows {
            found.insert(row.try_get(0).map_err(StoreError::Row)?, row);
        }
        let find = |id| found.get(id).map(item).transpose();
        keys.iter().map(find).collect()
    }
}
