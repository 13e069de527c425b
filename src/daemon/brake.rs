//! The brake. When many services are to be deployed at once and no manifest was edited, that is a bug of ours or a change
//! of AWS's, not drift; then none is. Pure: `now` is a parameter.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{daemon::board::Key, reconcile::Permit};

/// Fewer than this are no sign of anything.
const AT_LEAST: usize = 3;
/// One in so many may.
const ONE_IN: usize = 5;
/// So many other services say enough of a larger fleet.
const SAMPLE: usize = 50;

/// What every service was last seen to want.
#[derive(Debug)]
pub(super) struct Brake {
    resync: Duration,
    services: BTreeMap<Key, Seen>,
    /// Those that want a deployment that no edit asked for: nearly always none, of many.
    wanting: BTreeSet<Key>,
    refused: BTreeSet<Key>,
}

#[derive(Debug, Default)]
struct Seen {
    /// When it was last looked at.
    at: Option<Instant>,
    /// That look failed: what the service wants is not known, and not waited for.
    failed: bool,
    /// Since when it has wanted a deployment that no edit asked for.
    wants_since: Option<Instant>,
    /// When it last got one.
    started: Option<Instant>,
}

impl Brake {
    pub(super) fn new(resync: Duration) -> Self {
        Self {
            resync,
            services: BTreeMap::new(),
            wanting: BTreeSet::new(),
            refused: BTreeSet::new(),
        }
    }

    /// The services there are now.
    pub(super) fn set(&mut self, keys: &BTreeSet<Key>) {
        self.services.retain(|key, _| keys.contains(key));
        self.wanting.retain(|key| keys.contains(key));
        self.refused.retain(|key| keys.contains(key));
        for key in keys {
            self.services.entry(key.clone()).or_default();
        }
    }

    /// A look at a service failed.
    pub(super) fn failed(&mut self, key: &Key, now: Instant) {
        if let Some(seen) = self.services.get_mut(key) {
            seen.at = Some(now);
            seen.failed = true;
        }
    }

    /// A service was looked at; `wants` says whether it is to be deployed though no edit asked for it.
    pub(super) fn ask(&mut self, key: &Key, wants: bool, now: Instant) -> Permit {
        let Some(seen) = self.services.get_mut(key) else {
            // Its manifest has gone meanwhile.
            return if wants {
                Permit::Later
            } else {
                Permit::Granted
            };
        };
        seen.at = Some(now);
        seen.failed = false;
        self.refused.remove(key);
        if !wants {
            seen.wants_since = None;
            self.wanting.remove(key);
            return Permit::Granted;
        }
        self.wanting.insert(key.clone());
        let since = *seen.wants_since.get_or_insert(now);
        let sample: Vec<_> = self
            .services
            .values()
            .filter(|seen| seen.is_known_since(since))
            .collect();
        let known = self.services.values().filter(|seen| !seen.failed).count();
        if sample.len() < known.min(SAMPLE) {
            return Permit::Later;
        }
        let of = sample.len();
        let wanting = sample
            .into_iter()
            .filter(|seen| seen.wants_since.is_some() || seen.has_started_since(now, self.resync))
            .count();
        let is_refused = wanting >= AT_LEAST && wanting * ONE_IN > of;
        if is_refused {
            self.refused.insert(key.clone());
        } else if let Some(seen) = self.services.get_mut(key) {
            // Should the write fail, it wants the same still, and the others need not be looked at again for that.
            seen.started = Some(now);
        }
        if is_refused {
            Permit::Refused(format!(
                "{wanting} of {of} services would start deployments at once though no manifest was edited; none does. \
                 Find out what has changed for all of them. An edit of a manifest, or `evenkeel apply`, goes through"
            ))
        } else {
            Permit::Granted
        }
    }

    /// Whether any service is refused what it wants.
    pub(super) fn is_engaged(&self) -> bool {
        !self.refused.is_empty()
    }

    /// The services that have to be looked at before those that wait can be answered.
    pub(super) fn awaited(&self) -> Vec<Key> {
        let waiting = self.wanting.difference(&self.refused);
        let oldest = waiting
            .filter_map(|key| self.services.get(key)?.wants_since)
            .max();
        let Some(since) = oldest else {
            return Vec::new();
        };
        let unseen = self
            .services
            .iter()
            .filter(|(_, seen)| !seen.failed && !seen.is_known_since(since));
        unseen.take(SAMPLE).map(|(key, _)| key.clone()).collect()
    }
}

impl Seen {
    fn is_known_since(&self, since: Instant) -> bool {
        !self.failed && self.at.is_some_and(|at| at >= since)
    }

    fn has_started_since(&self, now: Instant, within: Duration) -> bool {
        self.started
            .is_some_and(|started| now.saturating_duration_since(started) <= within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESYNC: Duration = Duration::from_secs(30);

    fn key(number: usize) -> Key {
        ("prod".to_owned(), format!("s{number:03}"))
    }

    fn brake(services: usize) -> Brake {
        let mut brake = Brake::new(RESYNC);
        brake.set(&(0..services).map(key).collect());
        brake
    }

    /// One turn over the fleet, in which the first `wanting` services want a deployment; how they are answered.
    fn turn(brake: &mut Brake, services: usize, wanting: usize, now: Instant) -> Vec<Permit> {
        let answers = (0..services).map(|number| brake.ask(&key(number), number < wanting, now));
        answers.take(services).collect::<Vec<_>>()[..wanting].to_vec()
    }

    fn granted(answers: &[Permit]) -> usize {
        answers
            .iter()
            .filter(|answer| **answer == Permit::Granted)
            .count()
    }

    #[test]
    fn one_of_many_waits_for_the_others_to_be_looked_at_and_goes() {
        let (mut brake, start) = (brake(10), Instant::now());
        turn(&mut brake, 10, 0, start);
        let later = start + RESYNC;
        assert_eq!(brake.ask(&key(0), true, later), Permit::Later);
        assert_eq!(brake.awaited().len(), 9);
        for number in 1..10 {
            brake.ask(&key(number), false, later);
        }
        assert_eq!(brake.awaited(), []);
        assert_eq!(brake.ask(&key(0), true, later), Permit::Granted);
        assert!(!brake.is_engaged());
    }

    #[test]
    fn more_than_a_fifth_are_all_refused_for_as_long_as_they_want_it() {
        let (mut brake, start) = (brake(10), Instant::now());
        turn(&mut brake, 10, 3, start);
        for second in 1..100 {
            let now = start + Duration::from_secs(second);
            assert_eq!(granted(&turn(&mut brake, 10, 3, now)), 0);
        }
        assert!(brake.is_engaged());
        let now = start + Duration::from_secs(100);
        assert_eq!(granted(&turn(&mut brake, 10, 0, now)), 0);
        assert!(!brake.is_engaged());
    }

    #[test]
    fn a_fifth_and_fewer_than_three_go() {
        for (services, wanting) in [(10, 2), (15, 3), (2, 2), (1, 1)] {
            let (mut brake, start) = (brake(services), Instant::now());
            turn(&mut brake, services, wanting, start);
            let answers = turn(
                &mut brake,
                services,
                wanting,
                start + Duration::from_secs(1),
            );
            assert_eq!(granted(&answers), wanting, "{wanting} of {services}");
        }
    }

    #[test]
    fn those_that_went_a_moment_ago_count() {
        let (mut brake, start) = (brake(10), Instant::now());
        let second = Duration::from_secs(1);
        turn(&mut brake, 10, 2, start);
        assert_eq!(granted(&turn(&mut brake, 10, 2, start + second)), 2);
        assert_eq!(brake.ask(&key(5), true, start + 2 * second), Permit::Later);
        for number in (0..10).filter(|number| *number != 5) {
            brake.ask(&key(number), false, start + 2 * second);
        }
        let answer = brake.ask(&key(5), true, start + 3 * second);
        assert!(matches!(answer, Permit::Refused(_)), "{answer:?}");
        let answer = brake.ask(&key(5), true, start + 2 * RESYNC);
        assert_eq!(answer, Permit::Granted);
    }

    #[test]
    fn a_write_that_fails_is_made_again_without_another_turn() {
        let (mut brake, start) = (brake(10), Instant::now());
        assert_eq!(brake.ask(&key(0), true, start), Permit::Later);
        turn(&mut brake, 10, 1, start);
        for second in 0..100 {
            let now = start + Duration::from_secs(second);
            assert_eq!(brake.ask(&key(0), true, now), Permit::Granted);
            brake.failed(&key(0), now);
            assert_eq!(brake.awaited(), []);
        }
        brake.ask(&key(0), false, start + 4 * RESYNC);
        let answer = brake.ask(&key(0), true, start + 5 * RESYNC);
        assert_eq!(answer, Permit::Later, "another incident");
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_waited_for() {
        let (mut brake, start) = (brake(4), Instant::now());
        for number in 1..4 {
            brake.failed(&key(number), start);
        }
        assert_eq!(brake.ask(&key(0), true, start), Permit::Granted);
    }

    #[test]
    fn a_sample_is_enough_of_a_large_fleet() {
        let (mut brake, start) = (brake(1_000), Instant::now());
        assert_eq!(brake.ask(&key(0), true, start), Permit::Later);
        assert_eq!(brake.awaited().len(), SAMPLE);
        for number in 1..SAMPLE {
            brake.ask(&key(number), false, start);
        }
        assert_eq!(brake.ask(&key(0), true, start), Permit::Granted);
    }
}
