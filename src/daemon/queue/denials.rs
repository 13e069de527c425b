//! Clusters that we are not let into: it is asked once in a while whether we are again, for all of their services.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::backoff;

/// By cluster; none where AWS lets us in.
#[derive(Debug, Default)]
pub(super) struct Denials(BTreeMap<String, Denial>);

#[derive(Debug)]
struct Denial {
    /// In a row.
    times: u32,
    /// When it is asked again; `None` while it is being asked.
    next: Option<Instant>,
}

impl Denials {
    /// When a cluster that has something due then may be asked; `None` before the call under way has told.
    pub(super) fn allow(&self, cluster: &str, due: Instant) -> Option<Instant> {
        match self.0.get(cluster) {
            None => Some(due),
            Some(denial) => denial.next.map(|next| next.max(due)),
        }
    }

    /// The cluster is being asked.
    pub(super) fn asked(&mut self, cluster: &str) {
        if let Some(denial) = self.0.get_mut(cluster) {
            denial.next = None;
        }
    }

    /// AWS has answered for a cluster. `random` is uniform in 0..1.
    pub(super) fn answered(&mut self, cluster: &str, is_denied: bool, random: f64, now: Instant) {
        if !is_denied {
            self.0.remove(cluster);
            return;
        }
        let denial = self.0.entry(cluster.to_owned()).or_insert(Denial {
            times: 0,
            next: None,
        });
        // Others that were under way at the first time say nothing new.
        if denial.next.is_none() {
            denial.times = denial.times.saturating_add(1);
            // Not at once: nobody else asks meanwhile.
            let wait = backoff::delay(denial.times, f64::midpoint(1.0, random));
            denial.next = Some(now + wait);
        }
    }

    /// Work on a cluster ended; it may have been without an answer.
    pub(super) fn ended(&mut self, cluster: &str, now: Instant) {
        if let Some(denial) = self.0.get_mut(cluster) {
            denial.next.get_or_insert(now + backoff::CAP);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CLUSTER: &str = "prod";

    #[test]
    fn a_cluster_that_denies_us_is_asked_once_a_minute_in_the_end_and_at_once_when_it_does_not() {
        let (mut denials, mut now) = (Denials::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..8 {
            // Two calls were under way.
            denials.answered(CLUSTER, true, 1.0, now);
            denials.answered(CLUSTER, true, 1.0, now);
            let next = denials.allow(CLUSTER, now).unwrap();
            waits.push((next - now).as_secs());
            now = next;
            denials.asked(CLUSTER);
            assert_eq!(denials.allow(CLUSTER, now), None, "one call at a time");
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(denials.allow("other", now), Some(now));
        denials.answered(CLUSTER, false, 1.0, now);
        assert_eq!(denials.allow(CLUSTER, now), Some(now));
    }

    #[test]
    fn work_that_ends_without_an_answer_is_not_waited_for() {
        let (mut denials, now) = (Denials::default(), Instant::now());
        denials.answered(CLUSTER, true, 0.0, now);
        assert_eq!(
            denials.allow(CLUSTER, now),
            Some(now + Duration::from_millis(500))
        );
        denials.asked(CLUSTER);
        denials.ended(CLUSTER, now);
        assert_eq!(denials.allow(CLUSTER, now), Some(now + backoff::CAP));
    }
}
