use super::*;

const RESYNC: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

fn key(name: &str) -> Key {
    ("prod".to_owned(), name.to_owned())
}

fn queue(names: &[&str], now: Instant) -> Queue {
    let mut queue = Queue::new(RESYNC);
    for name in names {
        queue.changed(&key(name), Urgency::Resync, now);
    }
    queue
}

/// What is handed out, batches put together.
fn take(queue: &mut Queue, now: Instant) -> Vec<Key> {
    let batches = queue.take(now).into_iter();
    batches.flat_map(|batch| batch.keys).collect()
}

#[test]
fn a_service_that_goes_and_comes_back_is_not_worked_on_twice() {
    let start = Instant::now();
    let mut queue = queue(&["api"], start);
    assert_eq!(take(&mut queue, start), [key("api")]);
    queue.gone(&key("api"));
    queue.changed(&key("api"), Urgency::Edit, start);
    assert_eq!(
        take(&mut queue, start + RESYNC),
        [],
        "the old work still runs"
    );
    queue.ended(&key("api"), Next::Resync, 0.5, start + RESYNC);
    assert_eq!(
        take(&mut queue, start + RESYNC),
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
    queue.changed(&key("api"), Urgency::Edit, start);
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
        assert_eq!(take(&mut queue, now), [key("api")]);
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
    for number in 0..65 {
        queue.changed(
            &key(&format!("a{number:02}")),
            Urgency::Resync,
            start + SECOND,
        );
    }
    let now = start + 2 * SECOND;
    let taken = take(&mut queue, now);
    assert_eq!((taken.len(), &taken[0]), (60, &key("z")));
    let waits = (queue.depth(now), queue.wake());
    assert_eq!(waits, (6, None), "only ends make room");
    for key in &taken[..9] {
        queue.ended(key, Next::Resync, 0.5, now);
    }
    assert_eq!(take(&mut queue, now), [], "not for one batch yet");
    queue.ended(&taken[9], Next::Resync, 0.5, now);
    assert_eq!(take(&mut queue, now).len(), 6);
}

#[test]
fn an_edit_has_a_place_whatever_else_goes_on_and_is_by_itself() {
    let start = Instant::now();
    let names: Vec<_> = (0..100).map(|number| format!("s{number:02}")).collect();
    let mut queue = queue(&names.iter().map(String::as_str).collect::<Vec<_>>(), start);
    queue.take(start);
    for name in ["s99", "new"] {
        queue.changed(&key(name), Urgency::Edit, start);
    }
    let edit = |name| Batch {
        urgency: Urgency::Edit,
        keys: vec![key(name)],
    };
    assert_eq!(queue.take(start), [edit("new"), edit("s99")]);
}

#[test]
fn services_of_a_cluster_go_along_with_one_that_is_due_though_their_time_comes_later() {
    let start = Instant::now();
    let mut queue = queue(&["a", "b", "c", "late"], start);
    queue.changed(
        &("other".to_owned(), "d".to_owned()),
        Urgency::Resync,
        start,
    );
    queue.take(start);
    for (name, after) in [("a", 0), ("b", 1), ("c", 7), ("late", 8)] {
        queue.ended(&key(name), Next::Resync, 0.5, start + after * SECOND);
    }
    let batches = queue.take(start + RESYNC);
    let together = Batch {
        urgency: Urgency::Resync,
        keys: vec![key("a"), key("b"), key("c")],
    };
    assert_eq!(batches, [together]);
}

#[test]
fn the_more_is_under_way_the_longer_it_takes_until_it_is_looked_at_again() {
    let start = Instant::now();
    for (clusters, follow) in [(1, FOLLOW), (20, 20 * FOLLOWED), (200, RESYNC)] {
        let mut queue = Queue::new(RESYNC);
        for cluster in 0..clusters {
            let key = (format!("c{cluster}"), "api".to_owned());
            queue.changed(&key, Urgency::Follow, start);
        }
        let batch = queue.take(start).remove(0);
        queue.ended(&batch.keys[0], Next::Follow, 0.5, start);
        let ends = queue.entries[&batch.keys[0]].state;
        assert!(
            matches!(ends, State::Waiting { due } if due - start >= follow.mul_f64(0.8) && due - start <= RESYNC),
            "{ends:?}"
        );
    }
}

#[test]
fn what_waits_for_a_quota_is_due_then_and_looked_at_meanwhile() {
    let start = Instant::now();
    let mut queue = queue(&["api"], start);
    for (at, due) in [(5 * SECOND, 5 * SECOND), (3_600 * SECOND, RESYNC)] {
        let now = queue.wake().unwrap();
        queue.take(now);
        queue.ended(&key("api"), Next::At(now + at), 0.5, now);
        assert_eq!(queue.wake(), Some(now + due));
    }
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
    assert_eq!(take(&mut queue, later), [key("a"), key("b")]);
    for (name, took) in [("a", None), ("b", Some(Duration::ZERO))] {
        queue.ended(&key(name), Next::Resync, 0.5, later);
        assert_eq!(queue.turn_ended(later), took);
    }
}
