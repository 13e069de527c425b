//! Which revisions are used, and which are given up.

use super::*;
use crate::observed::{Outcome, PastDeployment};

/// Revisions 5 to 1, newest first.
fn five(desired: &Desired) -> Vec<Revision> {
    (1..=5)
        .rev()
        .map(|number| revision(desired, number))
        .collect()
}

/// The numbers of the revisions that a plan gives up.
fn given_up(plan: &Plan) -> Vec<&str> {
    let steps = plan.steps.iter();
    let gone = steps.filter(|step| step.operation == Write::DeregisterTaskDefinition);
    gone.map(|step| step.input["taskDefinition"].as_str().unwrap())
        .map(|arn| arn.rsplit(':').next().unwrap())
        .collect()
}

#[test]
fn old_revisions_go_and_what_runs_stays() {
    let manifest = manifest_with(|text| text + "  rollout: {keepRevisions: 2}\n");
    let desired = desired(&manifest, "1");
    let observed = Observed {
        revisions: five(&desired),
        ..in_sync(&desired)
    };
    let plan = plan(&desired, &observed, &Lessons::default());
    assert_eq!(given_up(&plan), ["2", "3"], "1 runs, 5 and 4 are kept");
}

#[test]
fn nothing_is_given_up_while_a_deployment_runs() {
    let manifest = manifest_with(|text| text + "  rollout: {keepRevisions: 1}\n");
    let desired = desired(&manifest, "1");
    let observed = Observed {
        revisions: five(&desired),
        ..in_sync(&desired)
    };
    let rolling = with_service(observed, |service| {
        service["deployments"][0]["rolloutState"] = json!("IN_PROGRESS");
    });
    assert_eq!(plan(&desired, &rolling, &Lessons::default()).steps, []);
}

#[test]
fn a_definition_that_aws_does_not_take_is_registered_once() {
    let desired = desired(&manifest(), "1");
    let mut registered = revision(&desired, 1);
    registered.document["containerDefinitions"][0]["environment"] = json!([]);
    let remaining = crate::plan::not_registered(&desired, &registered.document);
    assert_eq!(remaining.len(), 1);
    let observed = Observed {
        service: Some(service(&desired, &registered)),
        revisions: vec![registered.clone()],
        definition: Some(registered),
        ..in_sync(&desired)
    };
    let plan = plan(&desired, &observed, &not_taken(remaining));
    assert_eq!(plan.steps, []);
    assert!(
        matches!(plan.blocked[..], [Blocked::NotTaken(_)]),
        "{:?}",
        plan.blocked
    );
}

#[test]
fn what_a_rollback_would_need_stays() {
    let manifest = manifest_with(|text| text + "  rollout: {keepRevisions: 2}\n");
    let desired = desired(&manifest, "1");
    let past = |outcome: Outcome, number: u32| PastDeployment {
        arn: number.to_string(),
        outcome,
        reason: String::new(),
        created_at: None,
        finished_at: None,
        revision: Document::new(),
        definition: Some(revision(&desired, number)),
        failure: None,
    };
    let observed = Observed {
        revisions: five(&desired),
        history: vec![past(Outcome::Superseded, 3), past(Outcome::Succeeded, 2)],
        ..in_sync(&desired)
    };
    let plan = plan(&desired, &observed, &Lessons::default());
    assert_eq!(given_up(&plan), ["3"], "1 runs, 2 was the last good one");
}

#[test]
fn revisions_of_others_are_neither_used_nor_given_up() {
    let manifest = manifest_with(|text| text + "  rollout: {keepRevisions: 1}\n");
    let desired = desired(&manifest, "1");
    let mut revisions = five(&desired);
    for revision in &mut revisions {
        revision.tags.clear();
    }
    let there = Observed {
        revisions,
        ..in_sync(&desired)
    };
    assert!(plan(&desired, &there, &Lessons::default()).is_empty());
    let gone = Observed {
        service: None,
        definition: None,
        ..there
    };
    assert_eq!(
        operations(&plan(&desired, &gone, &Lessons::default())),
        ["RegisterTaskDefinition", "CreateService"]
    );
}
