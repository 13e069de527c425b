//! Which service is due when, and which are being worked on. Knows keys and times only; `now` is a parameter.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{backoff, daemon::board::Key, reconcile::Next};

/// How many services are worked on at once.
pub(super) const AT_ONCE: usize = 32;
/// How soon a service is looked at again while something is under way.
const FOLLOW: Duration = Duration::from_secs(2);
/// How soon a service is looked at again when AWS was not as it had been planned for.
const AGAIN: Duration = Duration::from_secs(1);

/// Every service's place in the queue. One that is worked on is never handed out again before that work has ended,
/// whatever becomes of its manifest meanwhile.
#[derive(Debug)]
pub(super) struct Queue {
    resync: Duration,
    entries: BTreeMap<Key, Entry>,
    turn: Option<Turn>,
}

#[derive(Debug)]
struct Entry {
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
            turn: None,
        }
    }

    /// A service's manifest is new or has changed: it is due now, or as soon as the present work has ended.
    pub(super) fn changed(&mut self, key: &Key, now: Instant) {
        let fresh = Entry {
            state: State::Waiting { due: now },
            failures: 0,
        };
        let entry = self.entries.entry(key.clone()).or_insert(fresh);
        entry.failures = 0;
        entry.state = match entry.state {
            State::Waiting { .. } => State::Waiting { due: now },
            State::Busy { since, .. } => State::Busy {
                since,
                then: Then::Anew,
            },
        };
    }

    /// These are due now, but for those that wait after a failure.
    pub(super) fn hurry(&mut self, keys: &[Key], now: Instant) {
        for key in keys {
            if let Some(entry) = self.entries.get_mut(key)
                && entry.failures == 0
                && let State::Waiting { due } = &mut entry.state
            {
                *due = now.min(*due);
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
            Some(State::Waiting { .. }) | None => {
                self.entries.remove(key);
            }
        }
    }

    /// What is to be worked on now: the longest due first, and no more than [`AT_ONCE`] at a time.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Key> {
        let mut due: Vec<_> = self.due(now).collect();
        due.sort();
        due.truncate(AT_ONCE.saturating_sub(self.busy().count()));
        let taken: Vec<_> = due.into_iter().map(|(_, key)| key.clone()).collect();
        for key in &taken {
            if let Some(entry) = self.entries.get_mut(key) {
                entry.state = State::Busy {
                    since: now,
                    then: Then::Wait,
                };
            }
        }
        if self.turn.is_none() && !taken.is_empty() {
            self.turn = Some(Turn {
                began: now,
                waiting_for: self.described().cloned().collect(),
            });
        }
        taken
    }

    /// The work on a service ended. `random` is uniform in 0..1.
    pub(super) fn ended(&mut self, key: &Key, next: Next, random: f64, now: Instant) {
        let failures = self.entries.get(key).map_or(0, |entry| entry.failures);
        let (failures, wait) = match next {
            Next::Resync => (0, self.resync),
            Next::Follow => (0, FOLLOW.min(self.resync)),
            Next::Again => (0, AGAIN),
            Next::Backoff => {
                let failures = failures.saturating_add(1);
                (failures, backoff::delay(failures, random))
            }
        };
        self.rest(key, failures, now, wait);
    }

    /// The work on a service broke off by a bug of ours, which is likely to be there again.
    pub(super) fn broke(&mut self, key: &Key, now: Instant) {
        let failures = self.entries.get(key).map_or(0, |entry| entry.failures);
        self.rest(key, failures.saturating_add(1), now, backoff::CAP);
    }

    fn rest(&mut self, key: &Key, failures: u32, now: Instant, wait: Duration) {
        if let Some(turn) = &mut self.turn {
            turn.waiting_for.remove(key);
        }
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.failures = failures;
        let then = match entry.state {
            State::Busy { then, .. } => then,
            State::Waiting { .. } => Then::Wait,
        };
        match then {
            Then::Wait => entry.state = State::Waiting { due: now + wait },
            Then::Anew => {
                *entry = Entry {
                    state: State::Waiting { due: now },
                    failures: 0,
                }
            }
            Then::Gone => {
                self.entries.remove(key);
            }
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
        self.due(now).count()
    }

    /// How long the longest running work has been running.
    pub(super) fn longest_running(&self, now: Instant) -> Duration {
        let longest = self
            .busy()
            .map(|since| now.saturating_duration_since(since))
            .max();
        longest.unwrap_or_default()
    }

    /// When the next service is due. `None` when only the end of some work, or a change, can make one so.
    pub(super) fn wake(&self) -> Option<Instant> {
        let next = self.entries.values().filter_map(Entry::due).min();
        next.filter(|_| self.busy().count() < AT_ONCE)
    }

    fn due(&self, now: Instant) -> impl Iterator<Item = (Instant, &Key)> {
        let waiting = self
            .entries
            .iter()
            .filter_map(|(key, entry)| Some((entry.due()?, key)));
        waiting.filter(move |(due, _)| *due <= now)
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

    /// Since when each that is worked on has been.
    fn busy(&self) -> impl Iterator<Item = Instant> {
        self.entries.values().filter_map(|entry| match entry.state {
            State::Busy { since, .. } => Some(since),
            State::Waiting { .. } => None,
        })
    }
}

impl Entry {
    fn due(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { due } => Some(due),
            State::Busy { .. } => None,
        }
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
            queue.changed(&key(name), now);
        }
        queue
    }

    #[test]
    fn a_service_that_goes_and_comes_back_is_not_worked_on_twice() {
        let start = Instant::now();
        let mut queue = queue(&["api"], start);
        assert_eq!(queue.take(start), [key("api")]);
        queue.gone(&key("api"));
        queue.changed(&key("api"), start);
        assert_eq!(queue.take(start + RESYNC), [], "the old work still runs");
        queue.ended(&key("api"), Next::Resync, 0.5, start + RESYNC);
        assert_eq!(
            queue.take(start + RESYNC),
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
        queue.changed(&key("api"), start);
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
            assert_eq!(queue.take(now), [key("api")]);
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
        for number in 0..40 {
            queue.changed(&key(&format!("a{number}")), start + SECOND);
        }
        let now = start + 2 * SECOND;
        let taken = queue.take(now);
        assert_eq!((taken.len(), &taken[0]), (AT_ONCE, &key("z")));
        assert_eq!(
            (queue.depth(now), queue.wake()),
            (9, None),
            "only an end makes room"
        );
        queue.ended(&key("z"), Next::Resync, 0.5, now);
        assert_eq!(queue.take(now).len(), 1);
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
        assert_eq!(queue.take(later), [key("a"), key("b")]);
        for (name, took) in [("a", None), ("b", Some(Duration::ZERO))] {
            queue.ended(&key(name), Next::Resync, 0.5, later);
            assert_eq!(queue.turn_ended(later), took);
        }
    }
}
