//! How often, and how soon: S9, S10 and L1.

use super::*;

#[test]
fn s9_writes_stay_under_a_quarter_of_the_quota() {
    let mut journal = ROLL_OUT.clone();
    let update = find(&journal, "UpdateService", 0);
    let write = Called {
        operation: "TagResource".to_owned(),
        outcome: Err(emulator::core::ApiError {
            status: 400,
            code: "ClientException",
            message: String::new(),
        }),
        ..called(&mut journal[update]).clone()
    };
    let entry = Entry {
        at: journal[update].at,
        what: What::Called(Box::new(write)),
    };
    // A quarter of a burst of 20, and one on its way. An honest one follows.
    let many = |count| {
        let mut journal = ROLL_OUT.clone();
        journal.splice(update..update, vec![entry.clone(); count]);
        broken(&journal)
    };
    assert_eq!(many(5), []);
    assert_eq!(many(6), [Invariant::S9]);
}

#[test]
fn s9_many_services_are_not_deployed_at_once_unasked() {
    // Each is deployed by an edit, and then once more.
    let of = |name: &str, at: u64, journal: &mut Vec<Entry>| {
        let honest = &ROLL_OUT[find(&ROLL_OUT, "UpdateService", 0)];
        let mut entry = honest.clone();
        entry.at = START + Duration::from_secs(at);
        let called = called(&mut entry);
        called.input["service"] = json!(name);
        let Change { before, after } = called.change.as_mut().unwrap();
        for sight in [before, after] {
            set_tag(
                &mut sight.service,
                "evenkeel:owner",
                &format!("{OWNER}/prod/{name}"),
            );
        }
        let look = Called {
            operation: "DescribeServices".to_owned(),
            input: json!({ "services": [name] }),
            change: None,
            ..called.clone()
        };
        let look = Entry {
            at: entry.at,
            what: What::Called(Box::new(look)),
        };
        journal.extend([look, entry]);
    };
    let deployed = |many: usize| {
        let names: Vec<_> = (0..10).map(|number| format!("s{number}")).collect();
        let files = names
            .iter()
            .map(|name| Manifest::new(name, "1").file())
            .collect();
        let mut journal = vec![note(What::Manifests(files)), note(What::Started(0))];
        for (number, name) in names.iter().enumerate() {
            of(name, 60 * (number as u64 + 1), &mut journal);
        }
        for (number, name) in names.iter().take(many).enumerate() {
            of(name, 3_600 + number as u64, &mut journal);
        }
        broken(&journal)
    };
    assert_eq!(deployed(2), []);
    assert_eq!(deployed(3), [Invariant::S9]);
}

const START: Timestamp = Timestamp::constant(1_790_000_000, 0);

fn note(what: What) -> Entry {
    Entry { at: START, what }
}

#[test]
fn s10_what_matches_is_left_alone() {
    let nothing = forged(&ROLL_OUT, "TagResource", 0, |called| {
        let change = change(called);
        change.after = change.before.clone();
    });
    assert_eq!(broken(&nothing), [Invariant::S10]);
    let mut at_rest = ROLL_OUT.clone();
    let tagged = find(&at_rest, "TagResource", 0);
    let rest = at_rest
        .iter()
        .position(|entry| matches!(entry.what, What::Rest(_)))
        .unwrap();
    let when = at_rest[rest].at + Duration::from_secs(1);
    let looked = find(&at_rest, "DescribeServices", 0);
    again(&mut at_rest, looked, when);
    again(&mut at_rest, tagged, when);
    assert_eq!(broken(&at_rest), [Invariant::S10]);
}

#[test]
fn l1_action_follows_soon_and_arrival_soon_after() {
    let late = |by: u32, operation: &str| {
        let mut journal = ROLL_OUT.clone();
        let first = find(
            &journal,
            operation,
            if operation == "TagResource" { 0 } else { 1 },
        );
        for entry in &mut journal[first..] {
            entry.at += Duration::from_secs(by.into());
            // ECS rolls out as long as it did, later.
            if let What::Seen(_, sight) = &mut entry.what {
                delay(sight, f64::from(by));
            }
        }
        broken(&journal)
    };
    assert_eq!(late(20, "RegisterTaskDefinition"), []);
    assert!(late(40, "RegisterTaskDefinition").contains(&Invariant::L1));
}

fn delay(sight: &mut Sight, by: f64) {
    for deployment in &mut sight.deployments {
        for member in ["createdAt", "finishedAt"] {
            if let Some(at) = deployment[member].as_f64() {
                deployment[member] = json!(at + by);
            }
        }
    }
}
