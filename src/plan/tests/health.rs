//! One redeployment per incident, and never one that has failed already.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::{desired, in_sync, manifest_with, operations, revision, with_service};
use crate::{
    desired::Desired,
    manifest::Manifest,
    observed::{Observed, Outcome, PastDeployment, Targets},
    plan::{Cause, Incident, Lessons, Plan, needs_history, plan},
    tags,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn watched(action: &str) -> Arc<Manifest> {
    let health =
        format!("  targetHealth: {{minimumHealthy: 2, gracePeriod: 2m, action: {action}}}\n");
    manifest_with(move |text| {
        let group =
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/api/73e2d6bc24d8a067";
        let balancers = format!(
            "    desiredCount: 2\n    loadBalancers: [{{targetGroupArn: '{group}', containerName: api, containerPort: 80}}]\n"
        );
        text.replace("    desiredCount: 2\n", &balancers) + &health
    })
}

/// `healthy` targets of two since 1,000; it is `now`.
fn seen(desired: &Desired, healthy: u32, now: i64) -> Observed {
    let mut observed = with_service(in_sync(desired), |service| {
        service["loadBalancers"] = desired.service["loadBalancers"].clone();
        service["deployments"][0]["createdAt"] = json!(1);
    });
    observed.targets = Some(Targets {
        healthy,
        total: 2,
        foreign: Vec::new(),
    });
    observed.aws_time = at(now);
    observed.unhealthy_since = (healthy < 2).then(|| at(1_000));
    observed
}

fn marked(observed: Observed, value: &str) -> Observed {
    with_service(observed, |service| {
        let mark = json!({"key": tags::REDEPLOYED, "value": value});
        service["tags"].as_array_mut().unwrap().push(mark);
    })
}

fn deployed(desired: &Desired, outcome: Outcome, created: i64) -> PastDeployment {
    PastDeployment {
        arn: "past".to_owned(),
        outcome,
        reason: String::new(),
        created_at: Some(at(created)),
        finished_at: Some(at(created + 60)),
        revision: desired.service.clone(),
        definition: Some(revision(desired, 1)),
        failure: None,
    }
}

fn planned(desired: &Desired, observed: &Observed) -> Plan {
    plan(desired, observed, &Lessons::default())
}

#[test]
fn after_the_grace_period_the_mark_is_written_and_the_tasks_are_replaced() {
    let desired = desired(&watched("redeploy"), "1");
    let (early, due) = (seen(&desired, 1, 1_119), seen(&desired, 1, 1_120));
    assert!(planned(&desired, &early).is_empty() && !needs_history(&desired, &early));
    assert!(needs_history(&desired, &due));
    let plan = planned(&desired, &due);
    assert_eq!(operations(&plan), ["TagResource", "UpdateService"]);
    assert_eq!(plan.cause, Some(Cause::TargetHealth));
    assert_eq!(plan.steps[1].input["forceNewDeployment"], true);
    assert!(!plan.steps[1].input.contains_key("taskDefinition"));
}

#[test]
fn an_incident_is_answered_once() {
    let desired = desired(&watched("redeploy"), "1");
    let mark = at(1_120).to_string();
    let mut later = marked(seen(&desired, 0, 90_000), &mark);
    later.history = vec![deployed(&desired, Outcome::Succeeded, 1_121)];
    assert_eq!(planned(&desired, &later).steps, []);

    let mut not_made = marked(seen(&desired, 0, 1_300), &mark);
    not_made.history = vec![deployed(&desired, Outcome::Succeeded, 500)];
    let plan = planned(&desired, &not_made);
    assert_eq!(
        operations(&plan),
        ["UpdateService"],
        "only the mark was written"
    );
}

#[test]
fn it_ends_with_the_minimum_met_and_the_next_one_is_ten_minutes_apart() {
    let desired = desired(&watched("redeploy"), "1");
    let mark = at(1_120).to_string();
    let met = planned(&desired, &marked(seen(&desired, 2, 1_200), &mark));
    assert_eq!(operations(&met), ["TagResource"]);
    let ended = met.steps[0].input["tags"][0]["value"].as_str().unwrap();

    for (now, answered) in [(1_719, false), (1_720, true)] {
        let again = marked(seen(&desired, 1, now), ended);
        assert!(
            !Incident::read(again.service.as_ref().unwrap())
                .unwrap()
                .is_open
        );
        assert_eq!(
            planned(&desired, &again).starts_deployment(),
            answered,
            "{now}"
        );
    }
    let calm = planned(&desired, &marked(seen(&desired, 2, 9_000), ended));
    assert!(calm.is_empty());
}

#[test]
fn a_redeployment_that_failed_is_not_tried_again() {
    let desired = desired(&watched("redeploy"), "1");
    let mut failed = seen(&desired, 1, 90_000);
    failed.history = vec![deployed(&desired, Outcome::Failed, 2_000)];
    let plan = planned(&desired, &failed);
    assert!(plan.hold.is_some());
    assert_eq!(plan.steps, []);
}

#[test]
fn nothing_is_redeployed_during_a_rollout_or_under_report() {
    let desired_ = desired(&watched("redeploy"), "1");
    let rolling = with_service(seen(&desired_, 0, 9_000), |service| {
        service["deployments"][0]["rolloutState"] = json!("IN_PROGRESS");
    });
    assert_eq!(planned(&desired_, &rolling).steps, []);
    let report = desired(&watched("report"), "1");
    assert_eq!(planned(&report, &seen(&report, 0, 9_000)).steps, []);
}

#[test]
fn drift_that_starts_a_deployment_replaces_the_tasks_anyway() {
    let desired = desired(&watched("redeploy"), "1");
    let drifted = with_service(seen(&desired, 0, 9_000), |service| {
        service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] = json!(["sg-9"]);
    });
    let plan = planned(&desired, &drifted);
    assert_eq!(operations(&plan), ["UpdateService"]);
    assert!(!plan.steps[0].input.contains_key("forceNewDeployment"));
}
