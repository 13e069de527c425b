//! How long to wait after failures: exponential, capped, with full jitter.

use std::time::Duration;

/// The longest wait.
pub const CAP: Duration = Duration::from_secs(60);
/// The longest wait after the first failure.
const FIRST: Duration = Duration::from_secs(1);

/// The wait after `failures` failures in a row. `random` is uniform in 0..1; all services failing at once then do not
/// come back at once.
pub fn delay(failures: u32, random: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let longest = FIRST.saturating_mul(1 << doublings).min(CAP);
    longest.mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap_and_never_overflows() {
        let longest: Vec<_> = [0, 1, 2, 3, 6, 7, 8, 40, u32::MAX]
            .map(|n| delay(n, 1.0).as_secs())
            .into();
        assert_eq!(longest, [1, 1, 2, 4, 32, 60, 60, 60, 60]);
    }

    #[test]
    fn jitter_covers_the_whole_range() {
        assert_eq!(delay(5, 0.0), Duration::ZERO);
        assert_eq!(delay(5, 0.5), Duration::from_secs(8));
    }
}
