//! What failed is remembered, and nothing else is.

use serde_json::json;

use super::{desired, in_sync, manifest, manifest_with, operations, revision, with_service};
use crate::{
    desired::Desired,
    observed::{Observed, Outcome, PastDeployment, Revision, TaskFailure},
    plan::{Blocked, Cause, Lessons, needs_history, plan},
    tags,
};

/// A first deployment that failed: nothing differs, and nothing can be rolled back to.
fn stalled(observed: Observed) -> Observed {
    with_service(observed, |service| {
        service["deployments"][0]["rolloutState"] = json!("FAILED")
    })
}

fn failed(desired: &Desired, revision: Revision, arn: &str) -> PastDeployment {
    let mut carried = desired.service.clone();
    carried.insert("taskDefinition".to_owned(), json!(revision.arn()));
    carried.insert("platformVersion".to_owned(), json!("1.4.0"));
    PastDeployment {
        arn: arn.to_owned(),
        outcome: Outcome::Failed,
        reason: "tasks failed to start".to_owned(),
        created_at: None,
        finished_at: None,
        revision: carried,
        definition: Some(revision),
        failure: Some(TaskFailure {
            task: "1".to_owned(),
            stopped_reason: "Essential container in task exited".to_owned(),
            container: Some("api".to_owned()),
            exit_code: Some(1),
            log: vec!["no database".to_owned()],
        }),
    }
}

#[test]
fn what_failed_is_held_and_the_rest_is_still_repaired() {
    let before = desired(&manifest(), "1");
    let after = desired(&manifest_with(|text| text.replace("1.0.0", "crashes")), "2");
    let mut observed = with_service(in_sync(&before), |service| {
        service["healthCheckGracePeriodSeconds"] = json!(9)
    });
    observed.history = vec![failed(&after, revision(&after, 2), "arn:failed")];
    let held = plan(&after, &observed, &Lessons::default());
    let hold = held.hold.as_ref().unwrap();
    assert_eq!(hold.reason, "api exited 1: no database");
    assert_eq!(
        hold.image,
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:crashes"
    );
    assert_eq!(
        hold.what(),
        "api:crashes",
        "the grace period starts no tasks"
    );
    assert_eq!(operations(&held), ["UpdateService"]);
    assert!(!held.starts_deployment());

    // Another manifest is another projection.
    let next = desired(&manifest_with(|text| text.replace("1.0.0", "1.2.0")), "3");
    assert!(plan(&next, &observed, &Lessons::default()).starts_deployment());

    // Someone said `retry`.
    let forgiven = with_service(observed, |service| {
        service["tags"]
            .as_array_mut()
            .unwrap()
            .push(json!({"key": tags::FORGIVEN, "value": "arn:failed"}));
    });
    assert!(plan(&after, &forgiven, &Lessons::default()).starts_deployment());
}

#[test]
fn a_success_after_the_failure_lifts_the_hold() {
    let before = desired(&manifest(), "1");
    let after = desired(&manifest_with(|text| text.replace("1.0.0", "1.1.0")), "2");
    let failure = failed(&after, revision(&after, 2), "arn:failed");
    let success = PastDeployment {
        outcome: Outcome::Succeeded,
        arn: "arn:newer".to_owned(),
        ..failure.clone()
    };
    let observed = Observed {
        history: vec![success, failure],
        ..in_sync(&before)
    };
    assert!(plan(&after, &observed, &Lessons::default()).starts_deployment());
}

#[test]
fn nothing_starts_during_a_rollback() {
    let before = desired(&manifest(), "1");
    let after = desired(&manifest_with(|text| text.replace("1.0.0", "1.1.0")), "2");
    let rolling_back = with_service(in_sync(&before), |service| {
        service["deployments"][0]["rolloutState"] = json!("IN_PROGRESS");
        service["deployments"][0]["rolloutStateReason"] = json!(
            "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/0123456789012345678."
        );
    });
    let plan = plan(&after, &rolling_back, &Lessons::default());
    assert_eq!(plan.steps, []);
    assert_eq!(plan.blocked, [Blocked::RollingBack]);
}

#[test]
fn a_stalled_service_is_started_again_only_when_someone_says_so() {
    let desired = desired(&manifest(), "1");
    let unexplained = plan(&desired, &stalled(in_sync(&desired)), &Lessons::default());
    assert_eq!(
        unexplained.steps,
        [],
        "no history: nothing is known, nothing is forced"
    );

    let mut held = stalled(in_sync(&desired));
    assert!(needs_history(&desired, &held));
    held.history = vec![failed(&desired, revision(&desired, 1), "arn:failed")];
    let held_plan = plan(&desired, &held, &Lessons::default());
    assert!(held_plan.steps.is_empty());
    assert_eq!(held_plan.hold.unwrap().what(), "api:1.0.0");

    let forgiven = with_service(held, |service| {
        service["tags"]
            .as_array_mut()
            .unwrap()
            .push(json!({"key": tags::FORGIVEN, "value": "arn:failed"}));
    });
    let retried = plan(&desired, &forgiven, &Lessons::default());
    assert_eq!(operations(&retried), ["UpdateService"]);
    assert_eq!(retried.steps[0].input["forceNewDeployment"], true);
}

#[test]
fn a_first_revision_that_omits_load_balancers_is_still_recognised() {
    let balanced = manifest_with(|text| {
        text.replace(
            "    launchType: FARGATE\n",
            "    launchType: FARGATE\n    loadBalancers: [{targetGroupArn: \"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/t/1\", containerName: api, containerPort: 80}]\n",
        )
    });
    let desired = desired(&balanced, "1");
    let mut past = failed(&desired, revision(&desired, 1), "arn:failed");
    past.revision.remove("loadBalancers");
    let mut observed = stalled(in_sync(&desired));
    observed.history = vec![past];
    assert!(
        plan(&desired, &observed, &Lessons::default())
            .hold
            .is_some()
    );
}

#[test]
fn a_revision_says_which_version_the_latest_was() {
    let latest = manifest_with(|text| {
        text.replace(
            "    launchType: FARGATE\n",
            "    launchType: FARGATE\n    platformVersion: LATEST\n",
        )
    });
    let desired = desired(&latest, "1");
    let mut observed = stalled(in_sync(&desired));
    observed.history = vec![failed(&desired, revision(&desired, 1), "arn:failed")];
    let plan = plan(&desired, &observed, &Lessons::default());
    assert!(plan.hold.is_some());
}

#[test]
fn what_is_ignored_does_not_lift_a_hold() {
    let ignoring = |tag: &str| {
        let tag = tag.to_owned();
        manifest_with(move |text| {
            text.replace("1.0.0", &tag) + "  drift: {ignore: [/service/networkConfiguration]}\n"
        })
    };
    let before = desired(&ignoring("1.0.0"), "1");
    let after = desired(&ignoring("crashes"), "2");
    let mut past = failed(&after, revision(&after, 2), "arn:failed");
    past.revision["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] =
        json!(["sg-1", "sg-by-hand"]);
    let observed = Observed {
        history: vec![past],
        ..in_sync(&before)
    };
    let plan = plan(&after, &observed, &Lessons::default());
    assert!(plan.hold.is_some() && !plan.starts_deployment());
}

#[test]
fn a_field_of_the_service_that_failed_is_held_and_the_definition_is_not() {
    let bad = |text: String| text.replace("[sg-1]", "[sg-deleted]");
    let before = desired(&manifest(), "1");
    let after = desired(&manifest_with(bad), "1");
    let observed = Observed {
        history: vec![failed(&after, revision(&after, 1), "failed-1")],
        ..in_sync(&before)
    };
    let held = plan(&after, &observed, &Lessons::default());
    assert!(!held.starts_deployment());
    let hold = held.hold.unwrap();
    let group = "service.networkConfiguration.awsvpcConfiguration.securityGroups";
    assert_eq!(
        (hold.what(), hold.image, hold.digest),
        (group.to_owned(), String::new(), String::new())
    );

    let next = desired(&manifest_with(|text| text.replace("1.0.0", "1.1.0")), "2");
    let next = plan(&next, &observed, &Lessons::default());
    assert!(
        next.hold.is_none() && next.starts_deployment(),
        "with the old group"
    );
}

#[test]
fn an_image_and_a_field_that_failed_together_are_both_named_and_each_alone_is_another() {
    let before = desired(&manifest(), "1");
    let group = |text: String| text.replace("[sg-1]", "[sg-deleted]");
    let image = |text: String| text.replace("1.0.0", "1.1.0");
    let after = desired(&manifest_with(|text| group(image(text))), "2");
    let observed = Observed {
        history: vec![failed(&after, revision(&after, 2), "arn:failed")],
        ..in_sync(&before)
    };
    let held = plan(&after, &observed, &Lessons::default());
    let place = "service.networkConfiguration.awsvpcConfiguration.securityGroups";
    assert_eq!(held.hold.unwrap().what(), format!("api:1.1.0 with {place}"));
    for (manifest, digest) in [(manifest_with(image), "2"), (manifest_with(group), "1")] {
        let alone = plan(&desired(&manifest, digest), &observed, &Lessons::default());
        assert!(alone.hold.is_none() && alone.starts_deployment());
    }
}

#[test]
fn what_is_being_taken_back_is_nobodys_drift() {
    let before = desired(&manifest(), "1");
    let after = desired(&manifest_with(|text| text.replace("1.0.0", "crashes")), "2");
    // Its history says nothing of a failure yet, and the manifest has been noted as matched.
    let observed = with_service(in_sync(&before), |service| {
        service["tags"] = tags::to_list(&after.service_tags());
        service["deployments"][0]["rolloutState"] = json!("IN_PROGRESS");
        service["deployments"][0]["rolloutStateReason"] =
            json!("ECS deployment rolling back to deploymentId ecs-svc/1.");
    });
    let plan = plan(&after, &observed, &Lessons::default());
    assert_eq!(plan.cause, Some(Cause::Edit));
    assert_eq!(plan.blocked, [Blocked::RollingBack]);
}
