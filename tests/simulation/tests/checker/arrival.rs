//! How soon: L1.

use super::*;

/// What is done about the edit is done so much later than it was.
fn late(by: Duration, forge: impl Fn(&mut Vec<Entry>, usize)) -> Vec<Invariant> {
    let mut journal = ROLL_OUT.clone();
    let edit = nth_of(&journal, 1, |entry| {
        matches!(entry.what, What::Manifests(_))
    });
    let first = sent(&journal, "RegisterTaskDefinition", 1);
    put_off(&mut journal, edit + 1, by);
    assert!(edit < first);
    forge(&mut journal, edit);
    broken(&journal)
}

/// An honest daemon does something about an edit after less than this.
const HONEST: Duration = millis(400);

#[test]
fn l1_action_follows_soon() {
    let resync = Duration::from_secs(33);
    assert_eq!(late(resync - HONEST, |_, _| {}), []);
    assert_eq!(late(resync, |_, _| {}), [Invariant::L1]);
}

#[test]
fn l1_each_failure_in_a_row_may_double_the_wait_up_to_a_minute() {
    let failing = |many: u32, by: Duration| {
        late(Duration::from_secs(33) + by, |journal, edit| {
            let look = find(journal, "DescribeServices", 0);
            let mut look = journal[look].clone();
            look.at = journal[edit].at;
            called(&mut look).faults = vec!["throttle"];
            for _ in 0..many {
                journal.insert(edit, look.clone());
            }
        })
    };
    for (many, wait) in [(1, 1), (2, 2), (5, 16), (7, 60), (200, 60)] {
        let wait = Duration::from_secs(wait);
        assert_eq!(failing(many, wait - HONEST), [], "{many}");
        assert_eq!(failing(many, wait), [Invariant::L1], "{many}");
    }
}

#[test]
fn l1_who_starts_anew_waits_for_no_failures_of_the_one_before() {
    let failed_before = |has_ended: bool| {
        late(Duration::from_secs(34), |journal, edit| {
            let look = find(journal, "DescribeServices", 0);
            let mut look = journal[look].clone();
            look.at = journal[edit].at;
            let it = called(&mut look);
            (it.by, it.faults) = (Caller::Daemon(7), vec!["throttle"]);
            if has_ended {
                let what = What::Ended(7);
                let at = look.at;
                journal.insert(edit, Entry { at, what });
            }
            for _ in 0..3 {
                journal.insert(edit, look.clone());
            }
        })
    };
    assert_eq!(failed_before(false), []);
    assert_eq!(failed_before(true), [Invariant::L1]);
}

#[test]
fn l1_arrival_follows_soon_after_ecs_has_done_its_part() {
    // The last write comes so long after the rollout's end.
    let marked = |after: Duration| {
        let mut journal = ROLL_OUT.clone();
        let Some(What::Seen(_, seen)) = journal
            .iter()
            .find(|entry| matches!(entry.what, What::Seen(..)))
            .map(|entry| entry.what.clone())
        else {
            panic!("nothing was seen");
        };
        let ended = seen.deployments[0]["finishedAt"].as_f64().unwrap();
        let ended = Timestamp::UNIX_EPOCH + Duration::from_secs_f64(ended);
        for place in [sent, find] {
            let tag = place(&journal, "TagResource", 0);
            let tag = journal.remove(tag);
            put(
                &mut journal,
                Entry {
                    at: ended + after,
                    ..tag
                },
            );
        }
        let tag = sent(&journal, "TagResource", 0);
        let look = find(&journal, "DescribeServices", 0);
        let at = journal[tag].at - millis(1);
        again(&mut journal, look, at);
        broken(&journal)
    };
    assert_eq!(marked(Duration::from_secs(60) - HONEST), []);
    assert_eq!(marked(Duration::from_secs(60)), [Invariant::L1]);
}

#[test]
fn l1_a_service_that_another_hand_deletes_drains_first() {
    // It is deleted when its manifest is edited, and has a load balancer or none.
    let deleted = |balancers: Value, by: Duration| {
        late(by, |journal, edit| {
            let mut delete = journal[find(journal, "UpdateService", 0)].clone();
            delete.at = journal[edit].at;
            let it = called(&mut delete);
            (it.by, it.operation) = (Caller::Hand, "DeleteService".to_owned());
            change(it).before.service["loadBalancers"] = balancers.clone();
            journal.insert(edit + 1, delete);
        })
    };
    let group = json!([{ "targetGroupArn": "one" }]);
    for (balancers, drains) in [(json!([]), 1), (group, 31)] {
        let at_most = Duration::from_secs(33 + drains);
        assert_eq!(deleted(balancers.clone(), at_most - HONEST), []);
        assert_eq!(deleted(balancers, at_most), [Invariant::L1]);
    }
}
