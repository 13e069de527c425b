//! What the quotas of the APIs allow, whatever is asked by whom.

use std::time::Duration;

/// Of each bucket, in calls, what a daemon may take: a quarter of what AWS documents.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>
struct Quarter {
    burst: f64,
    per_second: f64,
}

/// RegisterTaskDefinition: 20 at once, 1 a second.
const DEFINITIONS: Quarter = Quarter {
    burst: 5.0,
    per_second: 0.25,
};
/// UpdateService: 50 at once, 5 a second.
const UPDATES: Quarter = Quarter {
    burst: 12.5,
    per_second: 1.25,
};

/// How long it takes at least to give so many services a definition of their own each and to update them.
#[must_use]
pub fn of_definitions_and_updates(services: usize) -> Duration {
    let takes = |quarter: Quarter| {
        let calls = f64::from(u32::try_from(services).unwrap_or(u32::MAX));
        ((calls - quarter.burst) / quarter.per_second).max(0.0)
    };
    Duration::from_secs_f64(takes(DEFINITIONS).max(takes(UPDATES)))
}
