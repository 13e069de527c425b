//! What costs a call of its own for each service is asked in turn: a large fleet has more of them than its share of the
//! API allows in a resync.

use std::time::Duration;

use tokio::time::Instant;

use crate::aws::Bucket;

/// Of the calls that our share allows, so many are planned with; the others are for what is under way.
const PLANNED: f64 = 0.8;

/// How long a turn over the fleet takes, by what is asked; nothing where it fits in a resync, and each look asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rotation {
    /// The health of target groups.
    pub(super) targets: Duration,
    /// Log groups.
    pub(super) log_groups: Duration,
    /// Which revisions there are, for old ones to be given up.
    pub(super) revisions: Duration,
}

impl Rotation {
    /// For so many services, so many of them with target groups, and with log groups, that are looked at once per `resync`.
    pub fn of(services: usize, balanced: usize, logging: usize, resync: Duration) -> Self {
        let turn = |bucket: Bucket, calls| {
            let turn = bucket.takes(calls).div_f64(PLANNED);
            if turn <= resync { Duration::ZERO } else { turn }
        };
        Self {
            targets: turn(Bucket::LoadBalancing, balanced),
            log_groups: turn(Bucket::Logs, logging),
            revisions: turn(Bucket::TaskDefinitionRead, services),
        }
    }
}

/// What a look has brought, kept until it is asked again.
#[derive(Debug)]
pub(super) struct Kept<T> {
    /// `None` before it was asked for the first time.
    value: Option<T>,
    /// When its next turn is.
    due: Option<Instant>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            value: None,
            due: None,
        }
    }
}

impl<T> Kept<T> {
    /// What it was when it was asked last.
    pub(super) fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Whether its turn has come. The first is at any time of a turn, so that not all come at once.
    pub(super) fn is_due(&mut self, turn: Duration) -> bool {
        let now = Instant::now();
        let first = || now + turn.mul_f64(fastrand::f64());
        turn.is_zero() || *self.due.get_or_insert_with(first) <= now
    }

    /// Keeps what was asked now.
    pub(super) fn keep(&mut self, value: T, turn: Duration) {
        self.value = Some(value);
        self.due = Some(Instant::now() + turn);
    }

    /// The next look asks.
    pub(super) fn forget(&mut self) {
        self.value = None;
        self.due = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESYNC: Duration = Duration::from_secs(30);

    #[test]
    fn a_small_fleet_is_asked_about_at_every_look() {
        let rotation = Rotation::of(60, 60, 60, RESYNC);
        assert_eq!(
            (rotation.targets, rotation.log_groups),
            (Duration::ZERO, Duration::ZERO)
        );
        // Two in a second.
        assert_eq!(
            Rotation::of(1_000, 1_000, 0, RESYNC).targets,
            Duration::from_secs(500)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn each_has_its_turn_and_the_first_ones_are_spread() {
        let turn = Duration::from_secs(100);
        let mut all: Vec<Kept<()>> = (0..100).map(|_| Kept::default()).collect();
        for kept in &mut all {
            kept.is_due(turn);
        }
        let mut asked = Vec::new();
        for _ in 0..10 {
            tokio::time::sleep(turn / 10).await;
            let due = all
                .iter_mut()
                .filter_map(|kept| kept.is_due(turn).then_some(kept));
            asked.push(due.map(|kept| kept.keep((), turn)).count());
        }
        assert_eq!(asked.iter().sum::<usize>(), 100);
        assert!(asked.iter().all(|asked| *asked < 30), "{asked:?}");
    }
}
