//! What writes may do: S1, S2, S4 and S5.

use simulation::sight::Sight;

use super::*;

fn without_owner(called: &mut Called) {
    let service = &mut change(called).before.service;
    let tags = service["tags"].as_array_mut().unwrap();
    tags.retain(|tag| tag["key"] != "evenkeel:owner");
}

#[test]
fn s1_what_is_not_ours_is_not_changed() {
    for owner in [None, Some("other/prod/api"), Some("sim/prod/web")] {
        let journal = forged(&ROLL_OUT, "UpdateService", 0, |called| {
            without_owner(called);
            if let Some(owner) = owner {
                set_tag(&mut change(called).before.service, "evenkeel:owner", owner);
            }
        });
        assert_eq!(broken(&journal), [Invariant::S1], "{owner:?}");
    }
}

/// A deployment of a service whose tag `key` another hand has taken away so much before or after the look right before.
/// What that look shows is so old.
fn untagged(key: &str, from_look: i64, age: Duration) -> Vec<Invariant> {
    let mut journal = forged(&ROLL_OUT, "UpdateService", 0, without_owner);
    let update = sent(&journal, "UpdateService", 0);
    let look = before(&journal, update, "DescribeServices");
    called(&mut journal[look]).shows -= age;
    let tagged = find(&journal, "TagResource", 0);
    let mut hand = Entry {
        at: journal[look].at + jiff::SignedDuration::from_millis(from_look),
        ..journal[tagged].clone()
    };
    let it = called(&mut hand);
    (it.by, it.operation) = (Caller::Hand, "UntagResource".to_owned());
    it.input = json!({ "resourceArn": it.input["resourceArn"], "tagKeys": [key] });
    put(&mut journal, hand);
    broken(&journal)
}

#[test]
fn s1_a_tag_that_is_taken_away_is_missed_by_who_has_looked_before_that_only() {
    let owner = "evenkeel:owner";
    assert_eq!(untagged(owner, 1, Duration::ZERO), []);
    assert_eq!(untagged(owner, -1, Duration::ZERO), [Invariant::S1]);
    // A look that shows what was.
    assert_eq!(untagged(owner, -50, millis(60)), []);
    assert_eq!(untagged(owner, -50, millis(40)), [Invariant::S1]);
    // Another tag says nothing of whose it is.
    let another = untagged("evenkeel:applied", 1, Duration::ZERO);
    assert_eq!(another, [Invariant::S1]);
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

/// What it starts has been under way for a minute already, in this state.
fn beside(status: &'static str) -> impl Fn(&mut Called) {
    move |called| {
        let change = change(called);
        let mut newest = change.after.deployments[0].clone();
        newest["status"] = json!(status);
        newest["createdAt"] = json!(newest["createdAt"].as_f64().unwrap() - 60.0);
        change.before.deployments.insert(0, newest);
        change.before.revisions.clone_from(&change.after.revisions);
    }
}

#[test]
fn s2_nothing_starts_beside_its_like_or_during_a_rollback() {
    for (status, is_against) in [
        ("IN_PROGRESS", true),
        ("ROLLBACK_IN_PROGRESS", true),
        ("SUCCESSFUL", false),
    ] {
        let journal = forged(&ROLL_OUT, "UpdateService", 0, beside(status));
        let expected = Vec::from_iter(is_against.then_some(Invariant::S2));
        assert_eq!(broken(&journal), expected, "{status}");
    }
}

#[test]
fn s2_with_other_target_groups_it_is_not_its_like() {
    // Its revision tells them; where that omits them, as a service's first does, the service before the change.
    for (of_revision, of_service, is_against) in [
        ("ours", "another", true),
        ("another", "ours", false),
        ("", "ours", true),
        ("", "another", false),
    ] {
        let group = |name: &str| json!([{ "targetGroupArn": name, "containerName": "api" }]);
        let journal = forged(&ROLL_OUT, "UpdateService", 0, |called| {
            beside("IN_PROGRESS")(called);
            let change = change(called);
            change.after.service["loadBalancers"] = group("ours");
            change.before.service["loadBalancers"] = group(of_service);
            let arn = change.before.deployments[0]["targetServiceRevision"]["arn"].clone();
            let revisions = change.before.revisions.iter_mut();
            for revision in revisions.filter(|one| one["serviceRevisionArn"] == arn) {
                revision["loadBalancers"] = match of_revision {
                    "" => json!([]),
                    name => group(name),
                };
            }
        });
        let expected = Vec::from_iter(is_against.then_some(Invariant::S2));
        assert_eq!(broken(&journal), expected, "{of_revision}, {of_service}");
    }
}

#[test]
fn s2_who_has_just_started_does_not_know_what_no_look_has_shown() {
    // Its looks are so many seconds old; or it has written since what it starts has been under way.
    let started = |services: u64, deployments: u64, has_written: bool| {
        let mut journal = forged(&ROLL_OUT, "UpdateService", 0, beside("IN_PROGRESS"));
        let update = sent(&journal, "UpdateService", 0);
        for entry in &mut journal[..update] {
            if let What::Called(called) = &mut entry.what {
                match called.operation.as_str() {
                    "DescribeServices" => called.shows -= Duration::from_secs(services),
                    "ListServiceDeployments" => called.shows -= Duration::from_secs(deployments),
                    _ => {}
                }
            }
        }
        if has_written {
            let tags = find(&journal, "TagResource", 0);
            let soon_after = journal[update].at - Duration::from_secs(59);
            again(&mut journal, tags, soon_after);
        }
        broken(&journal).contains(&Invariant::S2)
    };
    assert!(!started(70, 70, false));
    assert!(started(50, 70, false));
    assert!(started(70, 50, false));
    assert!(started(70, 70, true));
}

#[test]
fn s2_what_is_otherwise_when_a_call_arrives_was_not_so_when_it_was_sent() {
    for status in ["IN_PROGRESS", "ROLLBACK_IN_PROGRESS"] {
        for place in [sent, find] {
            let mut journal = ROLL_OUT.clone();
            let at = place(&journal, "UpdateService", 0);
            beside(status)(called(&mut journal[at]));
            // However late it is.
            let arrives = find(&journal, "UpdateService", 0);
            called(&mut journal[arrives]).faults = vec!["delay"];
            let is_sent = matches!(journal[at].what, What::Sent(_));
            let expected = Vec::from_iter(is_sent.then_some(Invariant::S2));
            assert_eq!(broken(&journal), expected, "{status}");
        }
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
    let journal = forged(&ROLL_OUT, "TagResource", 0, |called| {
        called.operation = "UpdateService".to_owned();
        called.input = json!({ "service": "api", "desiredCount": 2 });
    });
    assert_eq!(broken(&journal), []);
}

/// The journal of a release that failed, until all was at rest; then it is tried again, with this forged.
fn tried_again(forge: impl Fn(&mut Entry, &Sight)) -> Vec<Invariant> {
    let is_seen = |entry: &&Entry| matches!(entry.what, What::Seen(..));
    let Some(What::Seen(_, seen)) = FAILED.iter().rfind(is_seen).map(|entry| entry.what.clone())
    else {
        panic!("nothing was seen");
    };
    let mut journal = FAILED.clone();
    let rest = nth_of(&journal, 0, |entry| matches!(entry.what, What::Rest(_)));
    // After the look that comes right before.
    journal.truncate(rest);
    let looked = find(&journal, "DescribeServices", 0);
    let now = journal.last().unwrap().at;
    again(&mut journal, looked, now);
    for place in [sent, find] {
        let at = place(&journal, "UpdateService", 0);
        let tried = again(&mut journal, at, now);
        let forged = change(called(&mut journal[tried]));
        forged.after.revisions.clone_from(&seen.revisions);
        let mut newest = seen.deployments[0].clone();
        newest["status"] = json!("IN_PROGRESS");
        newest["serviceDeploymentArn"] = json!("the second try");
        forged.before = (*seen).clone();
        forged.after.deployments.clone_from(&seen.deployments);
        forged.after.deployments.insert(0, newest);
        forge(&mut journal[tried], &seen);
    }
    broken(&journal)
}

#[test]
fn s4_what_failed_is_not_tried_again() {
    assert_eq!(tried_again(|_, _| {}), [Invariant::S4]);
    let forgiven = tried_again(|entry, seen| {
        let arn = seen.deployments[0]["serviceDeploymentArn"].as_str();
        let service = &mut change(called(entry)).before.service;
        set_tag(service, "evenkeel:forgiven", arn.unwrap());
    });
    assert_eq!(forgiven, [], "somebody has allowed it");
    let other = tried_again(|entry, _| {
        let service = &mut change(called(entry)).before.service;
        set_tag(service, "evenkeel:forgiven", "another deployment");
    });
    assert_eq!(other, [Invariant::S4]);
}

#[test]
fn s4_what_fails_while_a_call_is_under_way_was_not_known_to_have_failed() {
    for is_sent in [true, false] {
        let succeeds = tried_again(|entry, _| {
            if matches!(entry.what, What::Sent(_)) == is_sent {
                let newest = &mut change(called(entry)).before.deployments[0];
                newest["status"] = json!("SUCCESSFUL");
            }
        });
        let expected = Vec::from_iter((!is_sent).then_some(Invariant::S4));
        assert_eq!(succeeds, expected);
    }
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
