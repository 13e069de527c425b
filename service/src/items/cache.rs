//! Items in Redis, with a time to live. Every call is short, and a failure here is never the client's.
//!
//! Guarantee: an entry never gives way to one of a lower rank, so a reader that was overtaken by a write cannot put the old row back.
//! Redis itself decides that, in the scripts. Caveat: it can decide only by what it has; an entry that it lost (evicted, or with a
//! failover) holds nothing back.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bb8_redis::redis::{Cmd, RedisError, Value, cmd};

use super::calls::Calls;
use super::entry::{self, Entry, Known};
use super::fills::{Filled, Filling, Fills};
use super::model::ItemId;
use super::near::{self, Near};
use super::owed::Owed;
use super::reads::{Live, Reads};
use super::redis::Manager;
use crate::config::Redis;
use crate::deadline::Deadlines;
use crate::link::{Limits, Link};
use crate::logging::Sparse;
use crate::presence::Presence;

/// How long an unknown id is known to be unknown: this bounds what a flood of them leaves behind.
const UNKNOWN_TTL: Duration = Duration::from_secs(5);

/// For a reply to a reader: two orders of magnitude above what a Redis in the same network needs, and short enough to ask PostgreSQL
/// instead.
pub(super) const REPLY: Duration = Duration::from_millis(25);
/// For a reply to a writer.
const WRITTEN: Duration = Duration::from_secs(1);

/// Of writes that Redis did not take: while it is away, all of them.
static NOT_TAKEN: Sparse = Sparse::new(Duration::from_millis(200));

const LIMITS: Limits = Limits {
    connect: Duration::from_millis(500),
    pause: Duration::from_millis(50),
    probe: Duration::from_millis(100),
    calm: Duration::from_secs(1),
};

/// Stores an entry, ARGV[1], that ends at ARGV[2], unless one of a higher rank is there: 0. What is no entry counts as none.
/// Returns 3, and does nothing, if ARGV[3] is `look` and the id was unknown: see [`Put::LookAgain`]. Returns 2 if ARGV[4] is `mark` and
/// there was nothing of that rank to tell, and then has only forgotten what was there; whoever forgot for a higher rank may have done so just
/// now. Returns 1 if the entry is stored.
const REPLACE: &str = "\
local head = redis.call('GETRANGE', KEYS[1], 0, 32)
local held = string.match(head, '^' .. string.rep('%d', 19)) or ''
local ours = string.sub(ARGV[1], 1, 19)
if held > ours and ARGV[4] == 'mark' and string.sub(head, 33, 33) == '?' then return 2 end
if held > ours then return 0 end
if ARGV[3] == 'look' and held < ours and held == string.rep('0', 19) then return 3 end
if ARGV[4] == 'mark' and (held < ours or string.sub(head, 33, 33) == '?') then
  redis.call('SET', KEYS[1], string.sub(ARGV[1], 1, 32) .. '?', 'PXAT', ARGV[2])
  return 2
end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
return 1";

/// Leaves of an entry nothing but its rank, or ARGV[1] if that is higher, until ARGV[2]. It goes on to keep lower ranks out.
const FORGET: &str = "\
local held = string.match(redis.call('GETRANGE', KEYS[1], 0, 18), '^' .. string.rep('%d', 19)) or ''
local rank = ARGV[1]
if held > rank then rank = held end
if held ~= '' or rank > string.rep('0', 19) then
  redis.call('SET', KEYS[1], rank .. ARGV[2] .. '?', 'PXAT', ARGV[2])
end";

/// What is forgotten must keep late readers out for longer than a read may take.
const FORGOTTEN_TTL: Duration = Duration::from_secs(60);

/// The entries of items, as one worker reaches them.
pub(crate) struct Cache {
    calls: Arc<Calls>,
    reads: Arc<Reads>,
    fills: Arc<Fills>,
    ttl: Duration,
    near: Option<Arc<Near>>,
    owed: Arc<Owed>,
}

/// What became of an entry that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// Redis has it, or something later.
    Done,
    /// Since PostgreSQL was asked, somebody was told that there is no such item. It may have been deleted, which this reader could not
    /// see, so he asks again.
    LookAgain,
}

/// What serving needs to know of the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long an entry lives, and so the longest that a stale one can.
    pub(crate) ttl: Duration,
    /// Whether entries are kept in this process too.
    pub(crate) near: bool,
}

/// Redis did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis is unavailable")]
pub(crate) struct CacheAway;

impl Cache {
    /// Starts connecting in the background.
    ///
    /// # Errors
    ///
    /// When the client library refuses the address, which the configuration has checked.
    pub(crate) fn start(
        redis: &Redis,
        settings: Settings,
        deadlines: Arc<Deadlines>,
        owed: Arc<Owed>,
        presence: &Arc<Presence>,
    ) -> Result<Self, RedisError> {
        let near = settings.near.then(|| Arc::new(Near::new()));
        let manager = Manager::new(redis, Arc::clone(&owed), near.clone())?;
        let calls = Arc::new(Calls {
            link: Link::start(manager, LIMITS, presence),
            deadlines,
        });
        Ok(Self {
            reads: Reads::new(Arc::clone(&calls), settings.ttl, near.clone()),
            fills: Fills::new(Arc::clone(&calls)),
            calls,
            ttl: settings.ttl,
            near,
            owed,
        })
    }

    /// The live entry of an item, if this process has it and may tell it, and what is left of its life.
    pub(crate) fn near(&self, id: ItemId, now: Instant) -> Option<Live> {
        let found = self.near.as_ref()?.get(id, now)?;
        (!self.owed.has(id)).then_some(found)
    }

    /// The live entry of an item in Redis, and what is left of its life. One that cannot be read counts as none and is overwritten by the fill that follows.
    pub(crate) async fn get(&self, id: ItemId) -> Result<Option<Live>, CacheAway> {
        if self.owed.has(id) {
            return Err(CacheAway);
        }
        self.reads.get(id).await
    }

    /// Stores what a reader found when he asked PostgreSQL at `asked`, unless Redis knows of something later. When this returns, no
    /// process tells anything earlier.
    ///
    /// The entry's life begins at `asked`. So it ends before that of any entry that has overtaken it: even where Redis stands still and
    /// executes this much later, it cannot bring the past back.
    pub(crate) async fn put(
        &self,
        id: ItemId,
        known: Known,
        asked: SystemTime,
        again: bool,
    ) -> Result<Put, CacheAway> {
        let filling = self.filling(id, known, asked);
        match self.fills.fill(filling).await? {
            Filled::Stored => Ok(Put::Done),
            // Boxed, since it is rare and would be a large part of every look-up.
            Filled::Taken(filling) => Box::pin(self.replace(REPLY, &filling, !again)).await,
        }
    }

    /// Stores what a writer made of an item. It waits longer than a reader: nobody is to see what was there before the write, once it
    /// is acknowledged.
    pub(crate) async fn put_written(&self, id: ItemId, known: Known) -> Result<(), CacheAway> {
        let filling = self.filling(id, known, SystemTime::now());
        self.replace(WRITTEN, &filling, false).await.map(|_| ())
    }

    fn filling(&self, id: ItemId, known: Known, asked: SystemTime) -> Filling {
        let life = match known {
            Known::Item(_) | Known::Deleted => self.ttl,
            Known::Unknown => self.ttl.min(UNKNOWN_TTL),
        };
        let until = asked + life;
        Filling::new(id, &Entry { known, until })
    }

    /// With a near-cache, what was there is forgotten first, and nothing new is told until no process tells the old: otherwise one
    /// reader would see the new, and the next one, elsewhere, the old again.
    async fn replace(
        &self,
        deadline: Duration,
        filling: &Filling,
        look: bool,
    ) -> Result<Put, CacheAway> {
        let replace = |look: bool, mark: bool| {
            let mut replace = cmd("EVAL");
            replace.arg(REPLACE).arg(1).arg(&filling.key);
            replace.arg(&filling.value).arg(filling.until);
            replace.arg(if look { "look" } else { "" });
            replace.arg(if mark { "mark" } else { "" });
            replace
        };
        let mark = self.near.is_some();
        let done = self.calls.call(deadline, &replace(look, mark)).await?;
        if done == Value::Int(3) {
            return Ok(Put::LookAgain);
        }
        if done != Value::Int(2) {
            return Ok(Put::Done);
        }
        near::settled().await;
        self.calls.call(deadline, &replace(false, false)).await?;
        Ok(Put::Done)
    }

    /// Makes the next reader ask PostgreSQL; now if Redis takes it, and else as soon as it does.
    pub(crate) async fn forget(&self, id: ItemId) {
        let forgotten = self.calls.call(WRITTEN, &forgetting(id.get(), 0)).await;
        if forgotten.is_err() {
            self.owe(id, 0);
        } else if self.near.is_some() {
            near::settled().await;
        }
    }

    /// Makes the next reader ask PostgreSQL as soon as Redis is back, and keeps out what is below `rank`.
    pub(crate) fn owe(&self, id: ItemId, rank: i64) {
        let owed = self.owed.add(id, rank);
        // Its keeper settles what is owed when it has asked the connection.
        self.calls.link.suspect();
        if let Some(left_out) = NOT_TAKEN.admit(Instant::now()) {
            tracing::warn!(
                id = id.get(),
                will_be_removed = owed,
                left_out,
                "Redis did not take a write; other processes may show the item as it was until it does, at most until its entry expires"
            );
        }
    }

    /// Returns once there was an attempt to connect.
    pub(crate) async fn tried(&self) {
        self.calls.link.tried().await;
    }

    /// How long an entry lives.
    pub(crate) const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Whether Redis answers.
    pub(crate) async fn ping(&self) -> Result<(), CacheAway> {
        self.calls.call(REPLY, &cmd("PING")).await.map(|_| ())
    }
}

/// The command that forgets an item.
pub(super) fn forgetting(id: i64, rank: i64) -> Cmd {
    let until = SystemTime::now() + FORGOTTEN_TTL;
    let mut forget = cmd("EVAL");
    forget.arg(FORGET).arg(1).arg(entry::key(id));
    forget
        .arg(entry::rank(rank).as_slice())
        .arg(entry::milliseconds(until));
    forget
}

/// The command that removes an item's entry, and its rank with it.
pub(super) fn deleting(id: i64) -> Cmd {
    let mut delete = cmd("DEL");
    delete.arg(entry::key(id));
    delete
}
