//! What earlier passes have learnt about writes. It lives in one process: losing it costs a few writes more.

use jiff::{SignedDuration, Timestamp};

use crate::diff::Difference;

/// So many repairs of one field …
const REPAIRS: usize = 3;
/// … within this time mean that somebody else keeps changing it. It is left alone for as long.
const WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// What writes under one version of a manifest have come to. Another version begins anew.
#[derive(Debug, Default)]
pub struct Lessons {
    manifest: String,
    not_taken: Vec<Difference>,
    /// Pointers of what was repaired, and when, within the last hour.
    repaired: Vec<(String, Timestamp)>,
}

impl Lessons {
    /// The lessons under the manifest with this digest.
    pub fn under(&mut self, manifest: &str) -> &mut Self {
        if self.manifest != manifest {
            *self = Self {
                manifest: manifest.to_owned(),
                ..Self::default()
            };
        }
        self
    }

    /// Notes differences that AWS has accepted and that its answer still shows. Such an answer is not a stale read.
    pub fn note_not_taken(&mut self, remaining: Vec<Difference>) {
        for difference in remaining {
            if !self.not_taken.contains(&difference) {
                self.not_taken.push(difference);
            }
        }
    }

    /// Forgets what a look shows no more: should it come again, it is someone else's doing.
    pub fn forget_all_but(&mut self, shown: &[Difference]) {
        self.not_taken.retain(|known| shown.contains(known));
    }

    /// Notes that these drifted fields have been set back.
    pub fn note_repaired<'a>(
        &mut self,
        differences: impl IntoIterator<Item = &'a Difference>,
        now: Timestamp,
    ) {
        let differences = differences.into_iter();
        let now_repaired = differences.map(|one| (one.pointer.clone(), now));
        self.repaired.extend(now_repaired);
        self.repaired.retain(|(_, at)| is_recent(*at, now));
    }

    /// Whether AWS has accepted this before without taking it.
    pub fn is_not_taken(&self, difference: &Difference) -> bool {
        self.not_taken.contains(difference)
    }

    /// Whether somebody keeps changing this field back.
    pub(super) fn is_contested(&self, difference: &Difference, now: Timestamp) -> bool {
        let recent = self
            .repaired
            .iter()
            .filter(|(pointer, at)| *pointer == difference.pointer && is_recent(*at, now));
        recent.count() >= REPAIRS
    }
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) < WITHIN
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn difference(pointer: &str) -> Difference {
        Difference {
            path: pointer.to_owned(),
            pointer: pointer.to_owned(),
            desired: Value::Null,
            live: Value::Null,
        }
    }

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    #[test]
    fn the_third_repair_in_an_hour_is_the_last_for_an_hour() {
        let (mut lessons, field) = (Lessons::default(), difference("/service/x"));
        for at in [0, 10, 20] {
            assert!(!lessons.is_contested(&field, minute(at)));
            lessons.note_repaired([&field], minute(at));
        }
        assert!(lessons.is_contested(&field, minute(21)));
        assert!(!lessons.is_contested(&difference("/service/y"), minute(21)));
        assert!(lessons.is_contested(&field, minute(59)));
        assert!(!lessons.is_contested(&field, minute(60)));
        lessons.note_repaired([&field], minute(60));
        assert!(lessons.is_contested(&field, minute(61)));
        assert!(!lessons.under("another").is_contested(&field, minute(61)));
    }

    #[test]
    fn repairs_now_and_then_are_no_contest_and_take_no_room() {
        let (mut lessons, field) = (Lessons::default(), difference("/service/x"));
        for at in 0..1_000 {
            lessons.note_repaired([&field], minute(at * 31));
            assert!(!lessons.is_contested(&field, minute(at * 31)));
        }
        assert!(lessons.repaired.len() <= REPAIRS);
    }

    #[test]
    fn a_manifest_keeps_its_lessons_until_it_changes() {
        let (mut lessons, field) = (Lessons::default(), difference("/service/x"));
        lessons.under("one").note_not_taken(vec![field.clone()]);
        assert!(lessons.under("one").is_not_taken(&field));
        assert!(!lessons.under("two").is_not_taken(&field));
        assert!(!lessons.under("one").is_not_taken(&field));
    }

    #[test]
    fn what_is_shown_no_more_may_be_sent_again() {
        let (mut lessons, field) = (Lessons::default(), difference("/service/x"));
        lessons.note_not_taken(vec![field.clone()]);
        assert!(lessons.is_not_taken(&field));
        lessons.forget_all_but(&[]);
        assert!(!lessons.is_not_taken(&field));
    }
}
