//! How often: S9 and S10.

use super::*;

#[test]
fn s9_writes_stay_under_a_quarter_of_the_quota() {
    let update = sent(&ROLL_OUT, "UpdateService", 0);
    let mut entry = ROLL_OUT[update].clone();
    let it = called(&mut entry);
    it.operation = "TagResource".to_owned();
    it.outcome = Err(emulator::core::ApiError {
        status: 400,
        code: "ClientException",
        message: String::new(),
    });
    // A quarter of a burst of 20, and one more in a plan. An honest one follows.
    let many = |count| {
        let mut journal = ROLL_OUT.clone();
        journal.splice(update..update, vec![entry.clone(); count]);
        broken(&journal)
    };
    assert_eq!(many(5), []);
    assert_eq!(many(6), [Invariant::S9]);
    // By a quarter of a refill of ten per second there is one again after 400 ms.
    let refilled = |apart: u64| {
        let mut journal = ROLL_OUT.clone();
        let tag = sent(&journal, "TagResource", 0);
        let is_apart = journal[tag].at.duration_since(entry.at);
        let by = millis(apart) - Duration::try_from(is_apart).unwrap();
        put_off(&mut journal, tag, by);
        journal.splice(update..update, vec![entry.clone(); 6]);
        broken(&journal)
    };
    assert_eq!(refilled(399), [Invariant::S9]);
    assert_eq!(refilled(401), []);
}

/// Services that are each deployed by an edit, and then once more, so many of them and so long after each other, when
/// the journal has been forged.
fn deployed(
    many: usize,
    apart: Duration,
    forge: impl Fn(&mut Vec<Entry>, &[String]),
) -> Vec<Invariant> {
    let names: Vec<_> = (0..10).map(|number| format!("s{number}")).collect();
    let follows = |name: &String| Manifest {
        track: name == "s0",
        ..Manifest::new(name, "1")
    };
    let files = names.iter().map(|name| follows(name).file()).collect();
    let mut journal = vec![note(What::Manifests(files)), note(What::Started(0))];
    for (number, name) in (1..).zip(&names) {
        deploy(name, START + 60 * number * millis(1_000), &mut journal);
    }
    forge(&mut journal, &names);
    for (number, name) in (0..).zip(names.iter().take(many)) {
        let at = START + Duration::from_secs(3_600) + number * apart;
        deploy(name, at, &mut journal);
    }
    broken(&journal)
}

fn deploy(name: &str, at: Timestamp, journal: &mut Vec<Entry>) {
    let look = Called {
        operation: "DescribeServices".to_owned(),
        input: json!({ "services": [name] }),
        change: None,
        ..called(&mut ROLL_OUT[find(&ROLL_OUT, "DescribeServices", 0)].clone()).clone()
    };
    journal.push(Entry {
        at,
        what: What::Called(Box::new(look)),
    });
    for place in [sent, find] {
        let mut entry = ROLL_OUT[place(&ROLL_OUT, "UpdateService", 0)].clone();
        entry.at = at;
        let it = called(&mut entry);
        it.input["service"] = json!(name);
        let Change { before, after } = it.change.as_mut().unwrap();
        for sight in [before, after] {
            let owner = format!("{OWNER}/prod/{name}");
            set_tag(&mut sight.service, "evenkeel:owner", &owner);
        }
        journal.push(entry);
    }
}

#[test]
fn s9_many_services_are_not_deployed_at_once_unasked() {
    let soon = Duration::from_secs(1);
    assert_eq!(deployed(2, soon, |_, _| {}), []);
    assert_eq!(deployed(3, soon, |_, _| {}), [Invariant::S9]);
    // The first and the third.
    assert_eq!(deployed(3, millis(15_000), |_, _| {}), [Invariant::S9]);
    assert_eq!(deployed(3, millis(15_001), |_, _| {}), []);
}

#[test]
fn s9_who_starts_anew_knows_what_was_deployed() {
    let anew = |journal: &mut Vec<Entry>, _: &[String]| {
        let at = START + Duration::from_secs(3_000);
        let what = What::Started(0);
        journal.push(Entry { at, what });
    };
    let broken = deployed(3, Duration::from_secs(1), anew);
    assert_eq!(broken, [Invariant::S9]);
}

#[test]
fn s9_an_edit_and_a_push_of_what_is_followed_ask_for_deployments() {
    let later = START + Duration::from_secs(3_000);
    let edit = |journal: &mut Vec<Entry>, names: &[String]| {
        let files = names.iter().map(|name| Manifest::new(name, "2").file());
        let what = What::Manifests(files.collect());
        journal.push(Entry { at: later, what });
    };
    assert_eq!(deployed(3, Duration::from_secs(1), edit), []);
    let push = |name: &'static str| {
        move |journal: &mut Vec<Entry>, _: &[String]| {
            let mut entry = ROLL_OUT[find(&ROLL_OUT, "DescribeServices", 0)].clone();
            entry.at = later;
            let it = called(&mut entry);
            (it.by, it.operation) = (Caller::Hand, "PutImage".to_owned());
            it.input = json!({ "repositoryName": name });
            journal.push(entry);
        }
    };
    let soon = Duration::from_secs(1);
    assert_eq!(deployed(3, soon, push("s0")), [], "two are left");
    assert_eq!(deployed(3, soon, push("s1")), [Invariant::S9]);
}

const START: Timestamp = Timestamp::constant(1_790_000_000, 0);

fn note(what: What) -> Entry {
    Entry { at: START, what }
}

#[test]
fn s10_what_matches_is_left_alone() {
    // The mark is there already: since before the look that came right before it, or since after.
    let marked = |from_look: i64, by: Caller, is_told: bool| {
        let mut journal = forged(&ROLL_OUT, "TagResource", 0, |called| {
            let change = change(called);
            change.after = change.before.clone();
        });
        let tag = sent(&journal, "TagResource", 0);
        let look = before(&journal, tag, "DescribeServices");
        let honest = ROLL_OUT[find(&ROLL_OUT, "TagResource", 0)].clone();
        let mut mark = Entry {
            at: journal[look].at + jiff::SignedDuration::from_millis(from_look),
            ..honest
        };
        let it = called(&mut mark);
        (it.by, it.is_told) = (by, is_told);
        put(&mut journal, mark);
        // Between the two, an honest call may have changed something else.
        journal.retain(|entry| {
            let called = entry.called();
            !called.is_some_and(|it| it.operation == "UpdateService" && it.by != Caller::Hand)
        });
        broken(&journal)
    };
    let daemon = Caller::Daemon(0);
    assert_eq!(marked(-1, Caller::Hand, true), [Invariant::S10]);
    assert_eq!(marked(1, Caller::Hand, true), []);
    assert_eq!(marked(1, daemon, true), [Invariant::S10], "it knows");
    assert_eq!(marked(1, daemon, false), [], "its reply was lost");
}

#[test]
fn s10_a_look_that_shows_what_was_hides_also_what_one_has_done_before() {
    let shown = |age: u64| {
        let mut journal = ROLL_OUT.clone();
        let tag = sent(&journal, "TagResource", 0);
        let made = journal[find(&journal, "TagResource", 0)].at;
        // Once more, after another look.
        let look = before(&journal, tag, "DescribeServices");
        let at = made + Duration::from_secs(5);
        let look = again(&mut journal, look, at);
        called(&mut journal[look]).shows = at - millis(age);
        let mut twice = journal[sent(&journal, "TagResource", 0)].clone();
        twice.at = at + millis(40);
        let change = change(called(&mut twice));
        change.before = change.after.clone();
        put(&mut journal, twice);
        broken(&journal)
    };
    assert_eq!(shown(4_999), [Invariant::S10]);
    assert_eq!(shown(5_001), []);
}

#[test]
fn s10_nothing_is_written_at_rest() {
    let written = |after: u64| {
        let mut journal = ROLL_OUT.clone();
        let tag = sent(&journal, "TagResource", 0);
        let rest = nth_of(&journal, 0, |entry| matches!(entry.what, What::Rest(_)));
        let What::Rest(time) = journal[rest].what else {
            panic!("no rest");
        };
        let when = journal[rest].at + time + millis(after) - millis(1_000);
        let looked = find(&journal, "DescribeServices", 0);
        again(&mut journal, looked, when);
        again(&mut journal, tag, when);
        broken(&journal)
    };
    assert_eq!(written(999), [Invariant::S10]);
    assert_eq!(written(1_000), []);
}
