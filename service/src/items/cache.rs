//! Items in Redis, with a time to live. Every call is short, and a failure here is never the client's.
//!
//! Guarantee: an entry never gives way to one of a lower rank, so a reader that was overtaken by a write cannot put the old row back.
//! Redis itself decides that, in the scripts. Caveat: it can decide only by what it has; an entry that it lost (evicted, or with a
//! failover) holds nothing back.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bb8_redis::redis::{Cmd, RedisError, Value, cmd};

use super::entry::{self, Entry, Known};
use super::model::ItemId;
use super::near::{self, Near};
use super::owed::Owed;
use super::redis::{Manager, Session};
use crate::config::Redis;
use crate::deadline::Deadlines;
use crate::link::{Limits, Link};
use crate::logging::chain;
use crate::presence::Presence;

/// How long an unknown id is known to be unknown: this bounds what a flood of them leaves behind.
const UNKNOWN_TTL: Duration = Duration::from_secs(5);

/// For a reply to a reader: two orders of magnitude above what a Redis in the same network needs, and short enough to ask PostgreSQL
/// instead.
const REPLY: Duration = Duration::from_millis(25);
/// For a reply to a writer.
const WRITTEN: Duration = Duration::from_secs(1);

/// Bytes of a read's arguments at most: what is known beforehand is allocated once.
const GET: usize = 40;

const LIMITS: Limits = Limits {
    connect: Duration::from_millis(500),
    pause: Duration::from_millis(50),
    probe: Duration::from_millis(100),
    calm: Duration::from_secs(1),
};

/// Stores an entry unless one of a higher rank is there. Returns 0 for that, 2 if one of a lower rank was there, 1 otherwise.
/// What is no entry counts as none.
const REPLACE: &str = "\
local held = string.match(redis.call('GETRANGE', KEYS[1], 0, 18), '^' .. string.rep('%d', 19)) or ''
local ours = string.sub(ARGV[1], 1, 19)
if held > ours then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if held ~= '' and held < ours then return 2 end
return 1";

/// Leaves of an entry nothing but its rank, which goes on to keep lower ones out.
const FORGET: &str = "\
local head = redis.call('GETRANGE', KEYS[1], 0, 31)
if head ~= '' then redis.call('SET', KEYS[1], head .. '?', 'PX', ARGV[1]) end";

/// What is forgotten must keep late readers out for longer than a read may take.
const FORGOTTEN_TTL: Duration = Duration::from_secs(60);

/// The entries of items, as one worker reaches them.
pub(crate) struct Cache {
    link: Link<Session>,
    deadlines: Arc<Deadlines>,
    ttl: Duration,
    near: Option<Arc<Near>>,
    owed: Arc<Owed>,
}

/// What Redis is to hold.
struct Put {
    key: String,
    value: Vec<u8>,
    /// In milliseconds.
    life: u64,
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
        Ok(Self {
            link: Link::start(manager, LIMITS, presence),
            deadlines,
            ttl: settings.ttl,
            near,
            owed,
        })
    }

    /// The live entry of an item, if this process has it and may tell it, and what is left of its life.
    pub(crate) fn near(&self, id: ItemId, now: Instant) -> Option<(Entry, Duration)> {
        self.near.as_ref()?.get(id, now)
    }

    /// The live entry of an item in Redis. One that cannot be read counts as none and is overwritten by the fill that follows.
    pub(crate) async fn get(&self, id: ItemId) -> Result<Option<Entry>, CacheAway> {
        let ticket = self.near.as_ref().map(|near| near.ticket(id));
        let mut get = Cmd::with_capacity(2, GET);
        get.arg("GET").arg(entry::key(id.get()));
        let reply = self.call(REPLY, &get).await?;
        let entry = if let Value::BulkString(bytes) = reply {
            Entry::decode(bytes, SystemTime::now(), self.ttl)
        } else {
            None
        };
        if let (Some(near), Some(ticket)) = (&self.near, ticket) {
            near.answered(ticket, entry.as_ref());
        }
        Ok(entry)
    }

    /// Stores what a reader found, unless Redis knows of something later. When this returns, no process tells anything earlier.
    pub(crate) async fn put(&self, id: ItemId, known: Known) -> Result<(), CacheAway> {
        let put = self.entry(id, known);
        // Mostly there is nothing, and Redis need not run a script to see that.
        let mut set = cmd("SET");
        set.arg(&put.key).arg(&put.value).arg("NX");
        set.arg("PX").arg(put.life);
        if self.call(REPLY, &set).await? == Value::Okay {
            return Ok(());
        }
        self.replace(REPLY, &put).await
    }

    /// Stores what a writer made of an item. It waits longer than a reader: nobody is to see what was there before the write, once it
    /// is acknowledged.
    pub(crate) async fn put_written(&self, id: ItemId, known: Known) -> Result<(), CacheAway> {
        self.replace(WRITTEN, &self.entry(id, known)).await
    }

    fn entry(&self, id: ItemId, known: Known) -> Put {
        let life = match known {
            Known::Item(_) | Known::Deleted => self.ttl,
            Known::Unknown => self.ttl.min(UNKNOWN_TTL),
        };
        let until = SystemTime::now() + life;
        Put {
            key: entry::key(id.get()),
            value: Entry { known, until }.encode(),
            life: milliseconds(life),
        }
    }

    async fn replace(&self, deadline: Duration, put: &Put) -> Result<(), CacheAway> {
        let mut replace = cmd("EVAL");
        replace.arg(REPLACE).arg(1).arg(&put.key);
        replace.arg(&put.value).arg(put.life);
        let replaced_an_older_one = self.call(deadline, &replace).await? == Value::Int(2);
        if replaced_an_older_one && self.near.is_some() {
            near::settled().await;
        }
        Ok(())
    }

    /// Makes the next reader ask PostgreSQL; now if Redis takes it, and else as soon as it does.
    pub(crate) async fn forget(&self, id: ItemId) {
        let forgotten = self.call(WRITTEN, &forgetting(id.get())).await;
        if forgotten.is_err() {
            self.owe(id);
        } else if self.near.is_some() {
            near::settled().await;
        }
    }

    /// Makes the next reader ask PostgreSQL as soon as Redis is back.
    pub(crate) fn owe(&self, id: ItemId) {
        let owed = self.owed.add(id);
        // Its keeper settles what is owed when it has asked the connection.
        self.link.suspect();
        tracing::warn!(
            id = id.get(),
            owed,
            "Redis did not take a write; the item may be stale until it does, at most until its entry expires"
        );
    }

    /// Returns once there was an attempt to connect.
    pub(crate) async fn tried(&self) {
        self.link.tried().await;
    }

    /// How long an entry lives.
    pub(crate) const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Whether Redis answers.
    pub(crate) async fn ping(&self) -> Result<(), CacheAway> {
        self.call(REPLY, &cmd("PING")).await.map(|_| ())
    }

    async fn call(&self, deadline: Duration, command: &Cmd) -> Result<Value, CacheAway> {
        let mut session = self.link.live().ok_or(CacheAway)?;
        let reply = session.connection.send_packed_command(command);
        let failure = match self.deadlines.within(deadline, reply).await {
            Ok(reply) => match reply.and_then(Value::extract_error) {
                Ok(value) => return Ok(value),
                Err(error) => chain(&error),
            },
            Err(late) => chain(&late),
        };
        tracing::debug!(error = failure, "Redis did not answer");
        self.link.suspect();
        Err(CacheAway)
    }
}

/// The command that forgets an item.
pub(super) fn forgetting(id: i64) -> Cmd {
    let mut forget = cmd("EVAL");
    forget.arg(FORGET).arg(1).arg(entry::key(id));
    forget.arg(milliseconds(FORGOTTEN_TTL));
    forget
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
