//! S3: a definition is registered once.

use super::*;

/// Where the list that was read right before the second registration was answered, and where that was sent.
fn places(journal: &[Entry]) -> (usize, usize) {
    let register = sent(journal, "RegisterTaskDefinition", 1);
    let list = before(journal, register, "ListTaskDefinitions");
    (list, register)
}

/// The second registration finds its like there, registered then.
fn is_there(journal: &mut [Entry], register: usize, registered: Timestamp) {
    let change = change(called(&mut journal[register]));
    let mut copy = change.after.definitions.last().unwrap().clone();
    copy["registeredAt"] = moment(registered);
    copy["taskDefinitionArn"] = json!("a copy");
    change.before.definitions.push(copy);
}

/// It is there since so long before or after the list was answered, and the list is forged.
fn copied(from_list: i64, forge: impl Fn(&mut Called)) -> Vec<Invariant> {
    let mut journal = ROLL_OUT.clone();
    let (list, register) = places(&journal);
    forge(called(&mut journal[list]));
    let registered = journal[list].at + jiff::SignedDuration::from_millis(from_list);
    is_there(&mut journal, register, registered);
    broken(&journal)
}

#[test]
fn s3_what_a_list_shows_is_not_registered_again() {
    assert_eq!(copied(-1, |_| {}), [Invariant::S3]);
    assert_eq!(copied(1, |_| {}), [], "it came later");
    let stale = |by: u64| move |list: &mut Called| list.shows -= millis(by);
    assert_eq!(copied(-50, stale(40)), [Invariant::S3]);
    assert_eq!(copied(-50, stale(60)), [], "the list was older");
    let lost = |list: &mut Called| list.faults = vec!["pageLost"];
    assert_eq!(copied(-10_000, lost), [], "the list came without its items");
}

#[test]
fn s3_another_hands_and_another_content_are_no_copies() {
    for (path, value) in [("/tags", json!([])), ("/cpu", json!("512"))] {
        let mut journal = ROLL_OUT.clone();
        let (list, register) = places(&journal);
        let at = journal[list].at - millis(1);
        is_there(&mut journal, register, at);
        let change = change(called(&mut journal[register]));
        *change
            .before
            .definitions
            .last_mut()
            .unwrap()
            .pointer_mut(path)
            .unwrap() = value;
        assert_eq!(broken(&journal), [], "{path}");
    }
}

#[test]
fn s3_the_definitions_are_listed_before_one_is_registered() {
    // The only list is so old, and does not show it.
    let listed = |age: u64| {
        let mut journal = ROLL_OUT.clone();
        let (list, register) = places(&journal);
        let at = journal[register].at;
        is_there(&mut journal, register, at - millis(1));
        let list = journal.remove(list);
        let old = Entry {
            at: at - Duration::from_secs(age),
            ..list
        };
        put(&mut journal, old);
        broken(&journal)
    };
    assert!(!listed(59).contains(&Invariant::S3));
    assert!(listed(61).contains(&Invariant::S3));
}

#[test]
fn s3_who_was_answered_knows_for_five_minutes() {
    // The copy is what was registered at first, so long before; the list has come without its items.
    let answered = |ago: u64, is_told: bool| {
        let mut journal = ROLL_OUT.clone();
        let (list, register) = places(&journal);
        called(&mut journal[list]).faults = vec!["pageLost"];
        let at = journal[register].at - Duration::from_secs(ago);
        is_there(&mut journal, register, at);
        let first = find(&journal, "RegisterTaskDefinition", 0);
        let mut first = journal[first].clone();
        first.at = at;
        let it = called(&mut first);
        it.is_told = is_told;
        it.outcome = Ok(json!({ "taskDefinition": { "taskDefinitionArn": "a copy" } }));
        put(&mut journal, first);
        broken(&journal).contains(&Invariant::S3)
    };
    assert!(answered(299, true));
    assert!(!answered(301, true));
    assert!(!answered(299, false));
}

#[test]
fn s3_each_copy_must_have_been_hidden() {
    // Two are there; one came after the list, and the other one before it or after it.
    let two = |other: i64| {
        let mut journal = ROLL_OUT.clone();
        let (list, register) = places(&journal);
        let at = journal[list].at;
        for from_list in [1, other] {
            let registered = at + jiff::SignedDuration::from_millis(from_list);
            is_there(&mut journal, register, registered);
        }
        broken(&journal)
    };
    assert_eq!(two(2), []);
    assert_eq!(two(-2), [Invariant::S3]);
}
