//! Which service is due when, and which are being worked on. Knows keys and times only; `now` is a parameter.

mod denials;
mod lane;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use self::{denials::Denials, lane::Lanes};
use crate::{aws::Urgency, backoff, daemon::board::Key, reconcile::Next};

/// How soon a service is looked at again while something is under way, at the soonest.
const FOLLOW: Duration = Duration::from_secs(2);
/// How much time each call has for itself by which such services are described: half of our share of DescribeServices, so
/// that the others are looked at, too.
const FOLLOWED: Duration = Duration::from_millis(400);
/// How soon a service is looked at again when AWS was not as it had been planned for.
const AGAIN: Duration = Duration::from_secs(1);

/// Every service's place in the queue. One that is worked on is never handed out again before that work has ended,
/// whatever becomes of its manifest meanwhile.
#[derive(Debug)]
pub(super) struct Queue {
    resync: Duration,
    entries: BTreeMap<Key, Entry>,
    /// Those that wait.
    lanes: Lanes,
    denials: Denials,
    /// Those that are worked on, by when that began.
    busy: BTreeSet<(Instant, Key)>,
    turn: Option<Turn>,
}

/// Services of one cluster that are described by one call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) urgency: Urgency,
    pub(super) keys: Vec<Key>,
}

#[derive(Debug)]
struct Entry {
    urgency: Urgency,
    state: State,
    /// In a row.
    failures: u32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Waiting { due: Instant },
    Busy { since: Instant, then: Then },
}

/// What follows when the work has ended.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// What the work came to decides.
    Wait,
    /// It is due at once: its manifest changed meanwhile.
    Anew,
    /// Nothing: its manifest is gone.
    Gone,
}

/// One full turn over the fleet: from its first work until each service that there was has been worked on.
#[derive(Debug)]
struct Turn {
    began: Instant,
    waiting_for: BTreeSet<Key>,
}

impl Queue {
    pub(super) fn new(resync: Duration) -> Self {
        Self {
            resync,
            entries: BTreeMap::new(),
            lanes: Lanes::new(resync),
            denials: Denials::default(),
            busy: BTreeSet::new(),
            turn: None,
        }
    }

    /// A service's manifest is new or has changed: it is due now, or as soon as the present work has ended.
    pub(super) fn changed(&mut self, key: &Key, urgency: Urgency, now: Instant) {
        match self.entries.get_mut(key) {
            Some(Entry {
                state: State::Busy { then, .. },
                failures,
                ..
            }) => {
                *then = Then::Anew;
                *failures = 0;
            }
            Some(_) | None => self.wait(key, urgency, 0, now),
        }
    }

    /// These are due now, but for those that wait after a failure.
    pub(super) fn hurry(&mut self, keys: &[Key], now: Instant) {
        for key in keys {
            if let Some(entry) = self.entries.get(key)
                && entry.failures == 0
                && let State::Waiting { due } = entry.state
            {
                let urgency = entry.urgency.min(Urgency::Follow);
                self.wait(key, urgency, 0, now.min(due));
            }
        }
    }

    /// A service's manifest is gone.
    pub(super) fn gone(&mut self, key: &Key) {
        if let Some(turn) = &mut self.turn {
            turn.waiting_for.remove(key);
        }
        match self.entries.get_mut(key).map(|entry| &mut entry.state) {
            Some(State::Busy { then, .. }) => *then = Then::Gone,
            Some(State::Waiting { .. }) => self.forget(key),
            None => {}
        }
    }

    /// What is to be worked on now: in each lane the longest due first, and of the same cluster what will be due soon.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Batch> {
        let mut batches = Vec::new();
        for urgency in [Urgency::Edit, Urgency::Follow, Urgency::Resync] {
            while let Some(keys) = self.take_batch(urgency, now) {
                batches.push(Batch { urgency, keys });
            }
        }
        for key in batches.iter().flat_map(|batch| &batch.keys) {
            if let Some(entry) = self.entries.get_mut(key) {
                entry.state = State::Busy {
                    since: now,
                    then: Then::Wait,
                };
                self.busy.insert((now, key.clone()));
            }
        }
        if self.turn.is_none() && !batches.is_empty() {
            self.turn = Some(Turn {
                began: now,
                waiting_for: self.described().cloned().collect(),
            });
        }
        batches
    }

    fn take_batch(&mut self, urgency: Urgency, now: Instant) -> Option<Vec<Key>> {
        let lane = self.lanes.of(urgency);
        let keys = lane.take(&self.denials, now)?;
        if let Some((cluster, _)) = keys.first() {
            self.denials.asked(cluster);
        }
        Some(keys)
    }

    /// AWS has said whether it lets us into a cluster. `random` is uniform in 0..1.
    pub(super) fn answered(&mut self, cluster: &str, is_denied: bool, random: f64, now: Instant) {
        self.denials.answered(cluster, is_denied, random, now);
    }

    /// The work on a service ended. `random` is uniform in 0..1.
    pub(super) fn ended(&mut self, key: &Key, next: Next, random: f64, now: Instant) {
        let failures = self.entries.get(key).map_or(0, |entry| entry.failures);
        let follow = |wait: Duration| (Urgency::Follow, 0, now + wait);
        let resync = now + self.resync;
        let (urgency, failures, due) = match next {
            Next::Resync => (Urgency::Resync, 0, resync),
            Next::Follow => follow(self.follow()),
            Next::Again => follow(AGAIN),
            Next::At(at) if at <= resync => (Urgency::Follow, 0, at),
            Next::At(_) => (Urgency::Resync, 0, resync),
            Next::Backoff => {
                let failures = failures.saturating_add(1);
                let wait = backoff::delay(failures, random);
                (Urgency::Follow, failures, now + wait)
            }
        };
        self.rest(key, urgency, failures, due, now);
    }

    /// How soon what is under way is looked at again, by how much is.
    fn follow(&self) -> Duration {
        let turn = FOLLOWED.saturating_mul(self.lanes.follows.calls());
        FOLLOW.max(turn).min(self.resync)
    }

    /// The work on a service broke off by a bug of ours, which is likely to be there again.
    pub(super) fn broke(&mut self, key: &Key, now: Instant) {
        let failures = self.entries.get(key).map_or(0, |entry| entry.failures);
        let due = now + backoff::CAP;
        self.rest(key, Urgency::Follow, failures.saturating_add(1), due, now);
    }

    fn rest(&mut self, key: &Key, urgency: Urgency, failures: u32, due: Instant, now: Instant) {
        if let Some(turn) = &mut self.turn {
            turn.waiting_for.remove(key);
        }
        self.denials.ended(&key.0, now);
        let Some(entry) = self.entries.get(key) else {
            return;
        };
        let (was, then) = match entry.state {
            State::Busy { since, then } => {
                self.busy.remove(&(since, key.clone()));
                (Some(entry.urgency), then)
            }
            State::Waiting { .. } => (None, Then::Wait),
        };
        if let Some(was) = was {
            self.lanes.of(was).ended(key);
        }
        match then {
            Then::Wait => self.wait(key, urgency, failures, due),
            Then::Anew => self.wait(key, Urgency::Edit, 0, now),
            Then::Gone => {
                self.entries.remove(key);
            }
        }
    }

    /// It waits now, wherever it was before.
    fn wait(&mut self, key: &Key, urgency: Urgency, failures: u32, due: Instant) {
        self.forget(key);
        self.lanes.of(urgency).insert(key, due);
        let entry = Entry {
            urgency,
            state: State::Waiting { due },
            failures,
        };
        self.entries.insert(key.clone(), entry);
    }

    fn forget(&mut self, key: &Key) {
        if let Some(Entry {
            urgency,
            state: State::Waiting { due },
            ..
        }) = self.entries.remove(key)
        {
            self.lanes.of(urgency).remove(key, due);
        }
    }

    /// How long the turn took that has just come to its end, if one has.
    pub(super) fn turn_ended(&mut self, now: Instant) -> Option<Duration> {
        let ended = self
            .turn
            .take_if(|turn| turn.waiting_for.is_empty())
            .map(|turn| now.saturating_duration_since(turn.began));
        ended.filter(|_| !self.entries.is_empty())
    }

    /// How many are due and wait for a free place.
    pub(super) fn depth(&self, now: Instant) -> usize {
        self.lanes.all().map(|lane| lane.depth(now)).sum()
    }

    /// How long the longest running work has been running.
    pub(super) fn longest_running(&self, now: Instant) -> Duration {
        let longest = self.busy.first();
        let running = longest.map(|(since, _)| now.saturating_duration_since(*since));
        running.unwrap_or_default()
    }

    /// When the next service is due. `None` when only the end of some work, or a change, can make one so.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.lanes
            .all()
            .filter_map(|lane| lane.wake(&self.denials))
            .min()
    }

    /// Those whose manifest is not gone.
    fn described(&self) -> impl Iterator<Item = &Key> {
        let is_gone = |state: &State| {
            matches!(
                state,
                State::Busy {
                    then: Then::Gone,
                    ..
                }
            )
        };
        let entries = self.entries.iter();
        entries
            .filter(move |(_, entry)| !is_gone(&entry.state))
            .map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests;
