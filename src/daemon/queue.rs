//! Which service is due when, and which are being worked on. Knows keys and times only; `now` is a parameter.

mod lane;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use self::lane::Lane;
use crate::{
    aws::{SERVICES_PER_CALL, Urgency},
    backoff,
    daemon::board::Key,
    reconcile::Next,
};

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
    /// Those that wait, by how urgent they are. What is urgent has places of its own, so that it never waits for what is
    /// not.
    edits: Lane,
    follows: Lane,
    resyncs: Lane,
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
            // An edit is looked at by itself.
            edits: Lane::new(16, 1, Duration::ZERO),
            follows: Lane::new(40, SERVICES_PER_CALL, FOLLOW / 2),
            // A call for services of which some are not due yet costs no more than one for those that are.
            resyncs: Lane::new(40, SERVICES_PER_CALL, resync / 4),
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
            while let Some(keys) = self.lane(urgency).take(now) {
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
        let turn = FOLLOWED.saturating_mul(self.follows.calls());
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
            self.lane(was).ended(key);
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
        self.lane(urgency).insert(key, due);
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
            self.lane(urgency).remove(key, due);
        }
    }

    fn lane(&mut self, urgency: Urgency) -> &mut Lane {
        match urgency {
            Urgency::Edit => &mut self.edits,
            Urgency::Follow => &mut self.follows,
            Urgency::Resync => &mut self.resyncs,
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
        self.lanes().map(|lane| lane.depth(now)).sum()
    }

    /// How long the longest running work has been running.
    pub(super) fn longest_running(&self, now: Instant) -> Duration {
        let longest = self.busy.first();
        let running = longest.map(|(since, _)| now.saturating_duration_since(*since));
        running.unwrap_or_default()
    }

    /// When the next service is due. `None` when only the end of some work, or a change, can make one so.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.lanes().filter_map(Lane::wake).min()
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        [&self.edits, &self.follows, &self.resyncs].into_iter()
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
mod tests {
    use super::*;

    const RESYNC: Duration = Duration::from_secs(30);
    const SECOND: Duration = Duration::from_secs(1);

    fn key(name: &str) -> Key {
        ("prod".to_owned(), name.to_owned())
    }

    fn queue(names: &[&str], now: Instant) -> Queue {
        let mut queue = Queue::new(RESYNC);
        for name in names {
            queue.changed(&key(name), Urgency::Resync, now);
        }
        queue
    }

    /// What is handed out, batches put together.
    fn take(queue: &mut Queue, now: Instant) -> Vec<Key> {
        let batches = queue.take(now).into_iter();
        batches.flat_map(|batch| batch.keys).collect()
    }

    #[test]
    fn a_service_that_goes_and_comes_back_is_not_worked_on_twice() {
        let start = Instant::now();
        let mut queue = queue(&["api"], start);
        assert_eq!(take(&mut queue, start), [key("api")]);
        queue.gone(&key("api"));
        queue.changed(&key("api"), Urgency::Edit, start);
        assert_eq!(
            take(&mut queue, start + RESYNC),
            [],
            "the old work still runs"
        );
        queue.ended(&key("api"), Next::Resync, 0.5, start + RESYNC);
        assert_eq!(
            take(&mut queue, start + RESYNC),
            [key("api")],
            "now it is due at once"
        );
    }

    #[test]
    fn a_service_that_goes_while_it_is_worked_on_is_forgotten_at_the_end() {
        let start = Instant::now();
        let mut queue = queue(&["api"], start);
        queue.take(start);
        queue.gone(&key("api"));
        assert_eq!(queue.longest_running(start + SECOND), SECOND);
        queue.ended(&key("api"), Next::Follow, 0.5, start);
        assert_eq!((queue.wake(), queue.entries.len()), (None, 0));
    }

    #[test]
    fn a_change_during_the_work_makes_it_due_at_its_end_and_forgets_failures() {
        let start = Instant::now();
        let mut queue = queue(&["api"], start);
        queue.take(start);
        queue.changed(&key("api"), Urgency::Edit, start);
        queue.ended(&key("api"), Next::Backoff, 1.0, start + SECOND);
        assert_eq!(queue.wake(), Some(start + SECOND));
        queue.take(start + SECOND);
        queue.ended(&key("api"), Next::Backoff, 1.0, start + SECOND);
        assert_eq!(
            queue.wake(),
            Some(start + 2 * SECOND),
            "this is the first failure"
        );
    }

    #[test]
    fn backoff_reaches_its_cap_however_short_the_resync() {
        let start = Instant::now();
        let mut queue = queue(&["api"], start);
        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(take(&mut queue, now), [key("api")]);
            queue.ended(&key("api"), Next::Backoff, 1.0, now);
            let due = queue.wake().unwrap();
            waits.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn each_end_has_its_wait_and_none_is_a_hot_loop() {
        let start = Instant::now();
        let mut queue = queue(&["api"], start);
        let mut wait = |next| {
            let now = queue.wake().unwrap();
            queue.take(now);
            queue.ended(&key("api"), next, 0.5, now);
            queue.wake().unwrap() - now
        };
        assert_eq!(wait(Next::Resync), RESYNC);
        assert_eq!(wait(Next::Follow), FOLLOW);
        assert_eq!(wait(Next::Again), AGAIN);
    }

    #[test]
    fn the_longest_due_goes_first_and_places_are_limited() {
        let start = Instant::now();
        let mut queue = queue(&["z"], start);
        for number in 0..45 {
            queue.changed(
                &key(&format!("a{number:02}")),
                Urgency::Resync,
                start + SECOND,
            );
        }
        let now = start + 2 * SECOND;
        let taken = take(&mut queue, now);
        assert_eq!((taken.len(), &taken[0]), (40, &key("z")));
        let waits = (queue.depth(now), queue.wake());
        assert_eq!(waits, (6, None), "only ends make room");
        for key in &taken[..9] {
            queue.ended(key, Next::Resync, 0.5, now);
        }
        assert_eq!(take(&mut queue, now), [], "not for one batch yet");
        queue.ended(&taken[9], Next::Resync, 0.5, now);
        assert_eq!(take(&mut queue, now).len(), 6);
    }

    #[test]
    fn an_edit_has_a_place_whatever_else_goes_on_and_is_by_itself() {
        let start = Instant::now();
        let names: Vec<_> = (0..100).map(|number| format!("s{number:02}")).collect();
        let mut queue = queue(&names.iter().map(String::as_str).collect::<Vec<_>>(), start);
        queue.take(start);
        for name in ["s99", "new"] {
            queue.changed(&key(name), Urgency::Edit, start);
        }
        let edit = |name| Batch {
            urgency: Urgency::Edit,
            keys: vec![key(name)],
        };
        assert_eq!(queue.take(start), [edit("new"), edit("s99")]);
    }

    #[test]
    fn services_of_a_cluster_go_along_with_one_that_is_due_though_their_time_comes_later() {
        let start = Instant::now();
        let mut queue = queue(&["a", "b", "c", "late"], start);
        queue.changed(
            &("other".to_owned(), "d".to_owned()),
            Urgency::Resync,
            start,
        );
        queue.take(start);
        for (name, after) in [("a", 0), ("b", 1), ("c", 7), ("late", 8)] {
            queue.ended(&key(name), Next::Resync, 0.5, start + after * SECOND);
        }
        let batches = queue.take(start + RESYNC);
        let together = Batch {
            urgency: Urgency::Resync,
            keys: vec![key("a"), key("b"), key("c")],
        };
        assert_eq!(batches, [together]);
    }

    #[test]
    fn the_more_is_under_way_the_longer_it_takes_until_it_is_looked_at_again() {
        let start = Instant::now();
        for (clusters, follow) in [(1, FOLLOW), (20, 20 * FOLLOWED), (200, RESYNC)] {
            let mut queue = Queue::new(RESYNC);
            for cluster in 0..clusters {
                let key = (format!("c{cluster}"), "api".to_owned());
                queue.changed(&key, Urgency::Follow, start);
            }
            let batch = queue.take(start).remove(0);
            queue.ended(&batch.keys[0], Next::Follow, 0.5, start);
            let ends = queue.entries[&batch.keys[0]].state;
            assert!(
                matches!(ends, State::Waiting { due } if due - start >= follow.mul_f64(0.8) && due - start <= RESYNC),
                "{ends:?}"
            );
        }
    }

    #[test]
    fn what_waits_for_a_quota_is_due_then_and_looked_at_meanwhile() {
        let start = Instant::now();
        let mut queue = queue(&["api"], start);
        for (at, due) in [(5 * SECOND, 5 * SECOND), (3_600 * SECOND, RESYNC)] {
            let now = queue.wake().unwrap();
            queue.take(now);
            queue.ended(&key("api"), Next::At(now + at), 0.5, now);
            assert_eq!(queue.wake(), Some(now + due));
        }
    }

    #[test]
    fn a_turn_ends_when_each_service_was_worked_on_or_is_gone() {
        let start = Instant::now();
        let mut queue = queue(&["a", "b", "c"], start);
        queue.take(start);
        queue.ended(&key("a"), Next::Resync, 0.5, start);
        assert_eq!(queue.turn_ended(start), None);
        queue.ended(&key("b"), Next::Resync, 0.5, start + SECOND);
        assert_eq!(queue.turn_ended(start + SECOND), None);
        queue.gone(&key("c"));
        assert_eq!(queue.turn_ended(start + 2 * SECOND), Some(2 * SECOND));
        assert_eq!(queue.turn_ended(start + 2 * SECOND), None);
        let later = start + RESYNC + SECOND;
        assert_eq!(take(&mut queue, later), [key("a"), key("b")]);
        for (name, took) in [("a", None), ("b", Some(Duration::ZERO))] {
            queue.ended(&key(name), Next::Resync, 0.5, later);
            assert_eq!(queue.turn_ended(later), took);
        }
    }
}
