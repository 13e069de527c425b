//! Why something is left as it is.

use std::time::Duration;

use super::*;
use crate::plan::{Hold, step};

#[test]
fn a_plan_that_only_says_something_is_not_empty() {
    let desired = desired(&manifest(), "1");
    let drifted = with_service(in_sync(&desired), |service| {
        service["desiredCount"] = json!(5)
    });
    let Plan {
        steps, differences, ..
    } = plan(&desired, &drifted, &Lessons::default());
    let hold = Hold {
        deployment: "arn".to_owned(),
        image: String::new(),
        digest: String::new(),
        fields: Vec::new(),
        reason: String::new(),
        since: None,
    };
    let nothing = Plan::default;
    assert!(nothing().is_empty());
    for one in [
        Plan { steps, ..nothing() },
        Plan {
            differences,
            ..nothing()
        },
        Plan {
            blocked: vec![Blocked::NotOwned],
            ..nothing()
        },
        Plan {
            hold: Some(hold),
            ..nothing()
        },
    ] {
        assert!(!one.is_empty(), "{one:?}");
    }
}

#[test]
fn a_plan_that_is_stopped_makes_no_calls_and_says_why() {
    let mut plan = Plan {
        steps: vec![step::redeploy("prod", "api")],
        ..Plan::default()
    };
    plan.stop(Blocked::AskingAround);
    assert_eq!(
        (plan.steps, plan.blocked),
        (vec![], vec![Blocked::AskingAround])
    );
}

#[test]
fn only_what_goes_on_by_itself_is_a_wait() {
    assert!(Blocked::AskingAround.is_a_wait());
    assert!(Blocked::Quota(Duration::from_secs(4)).is_a_wait());
    assert!(!Blocked::NotOwned.is_a_wait());
    assert!(!Blocked::RollingBack.is_a_wait());
}

#[test]
fn people_are_told_what_it_is_about() {
    let suspended = |reason: &str| Blocked::Suspended(reason.to_owned()).to_string();
    assert_eq!(suspended(""), "suspended by the manifest");
    assert_eq!(suspended("INC-812"), "suspended by the manifest: INC-812");
    let contested = Blocked::Contested(vec!["service.a".to_owned(), "service.b".to_owned()]);
    assert!(
        contested
            .to_string()
            .starts_with("service.a, service.b was set back")
    );
}
