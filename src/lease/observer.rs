//! Whether the lease may be taken, by nothing but what was seen and one's own clock.
//!
//! No clock of another machine is believed: a record counts from when it was first seen here, which is later than it was
//! written. Whoever wrote it counts from before, so its time is over first.

use tokio::time::Instant;

use super::record::Record;

/// What somebody who does not hold the lease has seen of it.
#[derive(Debug, Default)]
pub(super) struct Observer {
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    etag: String,
    since: Instant,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is no lease: make it.
    Absent,
    /// It is nobody's, ours, or has run out: replace the object with this ETag.
    Free(String),
    /// Somebody else's until then, as far as was seen.
    Held { by: String, until: Instant },
}

impl Observer {
    /// The lease's object was read at `now`, when its answer had come.
    pub(super) fn see(
        &mut self,
        found: Option<(String, Record)>,
        me: &str,
        now: Instant,
    ) -> Verdict {
        let Some((etag, record)) = found else {
            self.seen = None;
            return Verdict::Absent;
        };
        if self.seen.as_ref().is_none_or(|seen| seen.etag != etag) {
            self.seen = Some(Seen {
                etag: etag.clone(),
                since: now,
            });
        }
        let since = self.seen.as_ref().map_or(now, |seen| seen.since);
        let until = since + record.ttl();
        match record.holder {
            // Ours: a write whose reply was lost, which says nothing about for how long.
            Some(by) if by != me && now < until => Verdict::Held { by, until },
            Some(_) | None => Verdict::Free(etag),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(holder: Option<&str>, etag: &str) -> Option<(String, Record)> {
        let record = Record {
            holder: holder.map(str::to_owned),
            ttl_seconds: 15,
            sequence: 1,
        };
        Some((etag.to_owned(), record))
    }

    #[test]
    fn a_lease_is_taken_when_it_was_seen_unchanged_for_its_time() {
        let (mut observer, start) = (Observer::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut see = |etag, seconds| observer.see(of(Some("other"), etag), "me", at(seconds));
        let held = |until| Verdict::Held {
            by: "other".to_owned(),
            until: at(until),
        };
        assert_eq!(see("1", 0), held(15));
        assert_eq!(see("1", 14), held(15));
        assert_eq!(see("2", 14), held(29), "it was renewed");
        assert_eq!(see("2", 28), held(29));
        assert_eq!(see("2", 29), Verdict::Free("2".to_owned()));
    }

    #[test]
    fn what_is_nobodys_or_ours_is_free_at_once() {
        let (mut observer, now) = (Observer::default(), Instant::now());
        assert_eq!(observer.see(None, "me", now), Verdict::Absent);
        let free = Verdict::Free("1".to_owned());
        assert_eq!(observer.see(of(None, "1"), "me", now), free);
        assert_eq!(observer.see(of(Some("me"), "1"), "me", now), free);
    }

    #[test]
    fn no_promise_is_believed_for_longer_than_a_minute() {
        let (mut observer, now) = (Observer::default(), Instant::now());
        let record = Record {
            holder: Some("other".to_owned()),
            ttl_seconds: u64::MAX,
            sequence: 1,
        };
        let minute = Duration::from_secs(60);
        let found = || Some(("1".to_owned(), record.clone()));
        assert!(matches!(
            observer.see(found(), "me", now),
            Verdict::Held { until, .. } if until == now + minute
        ));
        assert!(matches!(
            observer.see(found(), "me", now + minute),
            Verdict::Free(_)
        ));
    }
}
