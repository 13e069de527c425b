//! A rollout without progress is taken back, where there is something to go back to.

use jiff::Timestamp;
use serde_json::json;

use super::{desired, in_sync, manifest, manifest_with, operations, revision, with_service};
use crate::{
    desired::Desired,
    observed::{Observed, Outcome, PastDeployment, Progress},
    plan::{Lessons, needs_history, plan},
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn past(desired: &Desired, arn: &str, outcome: Outcome, created: i64) -> PastDeployment {
    PastDeployment {
        arn: arn.to_owned(),
        outcome,
        reason: String::new(),
        created_at: Some(at(created)),
        finished_at: None,
        revision: desired.service.clone(),
        definition: Some(revision(desired, 2)),
        failure: None,
    }
}

/// A rollout that began at 1,000 and has started nothing; the timeout is 15 minutes.
fn rolling(desired: &Desired, now: i64) -> Observed {
    let mut observed = with_service(in_sync(desired), |service| {
        service["deployments"][0]["rolloutState"] = json!("IN_PROGRESS");
        service["deployments"][0]["runningCount"] = json!(0);
        service["deployments"][0]["createdAt"] = json!(1_000);
    });
    observed.aws_time = at(now);
    let service = observed.service.as_ref().unwrap();
    observed.progress = Progress::follow(None, service, None, at(now));
    observed.history = vec![
        past(desired, "running", Outcome::Running, 1_000),
        past(desired, "good", Outcome::Succeeded, 500),
    ];
    observed
}

#[test]
fn an_overdue_rollout_is_taken_back_by_its_own_deployment() {
    let desired = desired(&manifest(), "1");
    let (early, due) = (rolling(&desired, 1_899), rolling(&desired, 1_900));
    assert_eq!(plan(&desired, &early, &Lessons::default()).steps, []);
    assert!(!needs_history(&desired, &early) && needs_history(&desired, &due));
    let plan = plan(&desired, &due, &Lessons::default());
    assert_eq!(operations(&plan), ["StopServiceDeployment"]);
    let input = &plan.steps[0].input;
    assert_eq!(input["serviceDeploymentArn"], "running");
    assert_eq!(input["stopType"], "ROLLBACK");
}

#[test]
fn what_has_nothing_to_go_back_to_is_left_as_it_is() {
    let desired = desired(&manifest(), "1");
    let mut first = rolling(&desired, 9_000);
    first.history.truncate(1);
    assert_eq!(plan(&desired, &first, &Lessons::default()).steps, []);
}

#[test]
fn report_and_suspend_stop_nothing() {
    for line in ["  drift: {policy: report}\n", "  suspend: true\n"] {
        let desired = desired(&manifest_with(|text| text + line), "1");
        let plan = plan(&desired, &rolling(&desired, 9_000), &Lessons::default());
        assert_eq!(plan.steps, [], "{line}");
    }
}

#[test]
fn an_edit_supersedes_it_at_once() {
    let before = desired(&manifest(), "1");
    let after = desired(&manifest_with(|text| text.replace("1.0.0", "1.1.0")), "2");
    let plan = plan(&after, &rolling(&before, 9_000), &Lessons::default());
    assert_eq!(
        operations(&plan)[..2],
        ["RegisterTaskDefinition", "UpdateService"]
    );
}
