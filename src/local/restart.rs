//! When a daemon that ended is started again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A daemon that ran this long had started well.
const SETTLED: Duration = Duration::from_secs(60);

/// How often in a row it has ended soon after its start.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after a run of `ran`.
    pub(super) fn next(&mut self, ran: Duration) -> Duration {
        if ran >= SETTLED {
            self.failures = 0;
        }
        let wait = FIRST
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_is_capped_never_overflows_and_starts_anew_after_a_good_run() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..8)
            .map(|_| backoff.next(Duration::ZERO).as_millis())
            .collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        for _ in 0..100 {
            assert_eq!(backoff.next(Duration::ZERO), LONGEST);
        }
        assert_eq!(backoff.next(SETTLED), FIRST);
    }
}
