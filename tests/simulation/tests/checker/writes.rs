//! What writes may do: S1 to S5.

use super::*;

#[test]
fn s1_what_is_not_ours_is_not_changed() {
    for owner in [None, Some("other/prod/api"), Some("sim/prod/web")] {
        let journal = forged(&ROLL_OUT, "UpdateService", 0, |called| {
            let service = &mut change(called).before.service;
            let tags = service["tags"].as_array_mut().unwrap();
            tags.retain(|tag| tag["key"] != "evenkeel:owner");
            if let Some(owner) = owner {
                set_tag(service, "evenkeel:owner", owner);
            }
        });
        assert_eq!(broken(&journal), [Invariant::S1], "{owner:?}");
    }
}

#[test]
fn s1_another_hands_tag_is_not_removed() {
    let journal = forged(&ROLL_OUT, "TagResource", 0, |called| {
        called.input["tags"] = json!([{ "key": "cost-centre", "value": "7" }]);
    });
    assert_eq!(broken(&journal), [Invariant::S1]);
}

#[test]
fn s1_nothing_is_deleted() {
    let journal = forged(&ROLL_OUT, "UpdateService", 0, |called| {
        called.operation = "DeleteService".to_owned()
    });
    assert_eq!(broken(&journal), [Invariant::S1]);
}

#[test]
fn s2_nothing_starts_beside_its_like_or_during_a_rollback() {
    for status in ["IN_PROGRESS", "ROLLBACK_IN_PROGRESS"] {
        let journal = forged(&ROLL_OUT, "UpdateService", 0, |called| {
            let change = change(called);
            // What it starts has been under way already.
            let mut newest = change.after.deployments[0].clone();
            newest["status"] = json!(status);
            change.before.deployments.insert(0, newest);
            change.before.revisions.clone_from(&change.after.revisions);
        });
        assert_eq!(broken(&journal), [Invariant::S2], "{status}");
    }
}

#[test]
fn s2_what_starts_nothing_names_no_definition() {
    let journal = forged(&ROLL_OUT, "TagResource", 0, |called| {
        let definition = change(called).before.service["taskDefinition"].clone();
        called.operation = "UpdateService".to_owned();
        called.input = json!({ "service": "api", "taskDefinition": definition });
    });
    assert_eq!(broken(&journal), [Invariant::S2]);
}

#[test]
fn s3_a_definition_is_registered_once() {
    let journal = forged(&ROLL_OUT, "RegisterTaskDefinition", 1, |called| {
        let after = &mut change(called).after.definitions;
        let mut copy = after.last().unwrap().clone();
        copy["revision"] = json!(99);
        after.push(copy);
    });
    assert_eq!(broken(&journal), [Invariant::S3]);
}

#[test]
fn s4_what_failed_is_not_tried_again() {
    let failed = find(&FAILED, "UpdateService", 0);
    let is_seen = |entry: &&Entry| matches!(entry.what, What::Seen(..));
    let Some(What::Seen(_, before)) = FAILED.iter().rfind(is_seen).map(|entry| entry.what.clone())
    else {
        panic!("nothing was seen");
    };
    let mut journal = FAILED.clone();
    let rest = journal
        .iter()
        .position(|entry| matches!(entry.what, What::Rest(_)))
        .unwrap();
    // After the look that comes right before.
    journal.truncate(rest);
    let looked = find(&journal, "DescribeServices", 0);
    let now = journal.last().unwrap().at;
    again(&mut journal, looked, now);
    let tried = again(&mut journal, failed, now);
    let forged = change(called(&mut journal[tried]));
    forged.after.revisions.clone_from(&before.revisions);
    let mut newest = before.deployments[0].clone();
    newest["status"] = json!("IN_PROGRESS");
    newest["serviceDeploymentArn"] = json!("the second try");
    forged.before = (*before).clone();
    forged.after.deployments.clone_from(&before.deployments);
    forged.after.deployments.insert(0, newest);
    assert_eq!(broken(&journal), [Invariant::S4]);
    // Unless somebody has allowed it.
    let arn = before.deployments[0]["serviceDeploymentArn"]
        .as_str()
        .unwrap();
    let forged = change(called(&mut journal[tried]));
    set_tag(&mut forged.before.service, "evenkeel:forgiven", arn);
    assert_eq!(broken(&journal), []);
}

#[test]
fn s5_a_count_that_is_not_declared_is_not_touched() {
    let mut journal = forged(&ROLL_OUT, "UpdateService", 0, |called| {
        called.input["desiredCount"] = json!(1);
    });
    assert_eq!(broken(&journal), [], "it is declared");
    for entry in &mut journal {
        if let What::Manifests(files) = &mut entry.what
            && let Some(File::Manifest(manifest)) = files.get_mut("api.yaml")
        {
            manifest.count = None;
        }
    }
    assert_eq!(broken(&journal), [Invariant::S5]);
}
