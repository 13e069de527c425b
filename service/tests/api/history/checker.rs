//! Judges what clients saw, by nothing but their own clock. Pure.
//!
//! Of one key: whatever began after an answer was there must show that answer's version or a later one; a write makes a version of its
//! own, later than all that were seen before it began; and a version has one content.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

/// The version of what is deleted.
pub(crate) const DELETED: i64 = i64::MAX;

/// One answered request. Times are since the beginning of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) key: i64,
    pub(crate) began: Duration,
    pub(crate) answered: Duration,
    pub(crate) version: i64,
    /// A name that every write makes anew.
    pub(crate) content: String,
    pub(crate) wrote: bool,
    /// Whether later ones must not show anything earlier: not where Redis was not reached, which the answer says.
    pub(crate) binds: bool,
    /// Which process answered, and how, for people.
    pub(crate) by: String,
}

/// What is wrong with a history.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// The second began after the first was answered, and shows something earlier.
    Stale(Event, Event),
    /// The second wrote a version that was seen before it began, or by another write.
    NotNew(Event, Event),
    TwoContents(Event, Event),
}

/// Everything that is wrong.
pub(crate) fn check(mut history: Vec<Event>) -> Vec<Violation> {
    history.sort_by_key(|event| event.began);
    let mut by_key: HashMap<i64, Vec<Event>> = HashMap::new();
    for event in history {
        by_key.entry(event.key).or_default().push(event);
    }
    by_key
        .values()
        .flat_map(|events| check_key(events))
        .collect()
}

/// `events` are in the order in which they began.
fn check_key(events: &[Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut contents: HashMap<i64, &Event> = HashMap::new();
    let mut written: HashMap<i64, &Event> = HashMap::new();
    let mut unanswered: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
    let mut latest: Option<&Event> = None;
    for (index, event) in events.iter().enumerate() {
        while let Some(Reverse((answered, before))) = unanswered.peek().copied() {
            if answered >= event.began {
                break;
            }
            unanswered.pop();
            let before = &events[before];
            if before.binds && latest.is_none_or(|latest| latest.version < before.version) {
                latest = Some(before);
            }
        }
        unanswered.push(Reverse((event.answered, index)));
        if let Some(latest) = latest {
            if event.version < latest.version {
                violations.push(Violation::Stale(latest.clone(), event.clone()));
            } else if event.wrote && event.version == latest.version {
                violations.push(Violation::NotNew(latest.clone(), event.clone()));
            }
        }
        if event.wrote
            && let Some(other) = written.insert(event.version, event)
        {
            violations.push(Violation::NotNew(other.clone(), event.clone()));
        }
        let first = *contents.entry(event.version).or_insert(event);
        if first.content != event.content {
            violations.push(Violation::TwoContents(first.clone(), event.clone()));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(began: u64, answered: u64, version: i64, wrote: bool) -> Event {
        Event {
            key: 1,
            began: Duration::from_millis(began),
            answered: Duration::from_millis(answered),
            version,
            content: format!("content {version}"),
            wrote,
            binds: true,
            by: String::new(),
        }
    }

    fn read(began: u64, answered: u64, version: i64) -> Event {
        event(began, answered, version, false)
    }

    fn write(began: u64, answered: u64, version: i64) -> Event {
        event(began, answered, version, true)
    }

    #[test]
    fn what_overlaps_may_show_either() {
        let history = vec![
            read(0, 1, 1),
            write(2, 9, 2),
            read(3, 4, 1),
            read(3, 5, 2),
            read(5, 8, 2),
            write(6, 12, 3),
            read(10, 11, 3),
            event(13, 14, DELETED, true),
            read(15, 16, DELETED),
        ];
        assert_eq!(check(history), []);
    }

    #[test]
    fn an_old_version_after_an_acknowledged_write_is_stale() {
        let (write, read) = (write(0, 5, 2), read(6, 7, 1));
        let expected = Violation::Stale(write.clone(), read.clone());
        assert_eq!(check(vec![read, write]), [expected]);
    }

    #[test]
    fn an_old_version_after_a_new_one_was_read_is_stale_while_the_write_lasts() {
        let history = vec![write(0, 9, 2), read(1, 2, 2), read(3, 4, 1)];
        assert!(matches!(check(history)[..], [Violation::Stale(..)]));
        let ends_at_once = vec![write(0, 9, 2), read(1, 3, 2), read(3, 4, 1)];
        assert_eq!(check(ends_at_once), [], "they overlap");
    }

    #[test]
    fn a_deleted_item_does_not_come_back() {
        let history = vec![event(0, 1, DELETED, true), read(2, 3, 7)];
        assert!(matches!(check(history)[..], [Violation::Stale(..)]));
    }

    #[test]
    fn writes_make_versions_of_their_own() {
        let lost = vec![write(0, 5, 2), write(1, 6, 2)];
        assert!(matches!(check(lost)[..], [Violation::NotNew(..)]));
        let seen = vec![read(0, 1, 2), write(2, 3, 2)];
        assert!(matches!(check(seen)[..], [Violation::NotNew(..)]));
    }

    #[test]
    fn a_version_has_one_content() {
        let mut other = read(0, 9, 1);
        other.content = "another".to_owned();
        let history = vec![read(0, 9, 1), other];
        assert!(matches!(check(history)[..], [Violation::TwoContents(..)]));
    }

    #[test]
    fn what_does_not_bind_may_be_forgotten_and_must_not_be_stale() {
        let (mut write, mut read) = (write(0, 5, 2), read(6, 7, 1));
        write.binds = false;
        assert_eq!(check(vec![write.clone(), read.clone()]), []);
        (write.binds, read.binds) = (true, false);
        assert!(matches!(
            check(vec![write, read])[..],
            [Violation::Stale(..)]
        ));
    }

    #[test]
    fn keys_are_apart() {
        let mut other = read(6, 7, 1);
        other.key = 2;
        assert_eq!(check(vec![write(0, 5, 2), other]), []);
    }
}
