//! What is not ours to change, cannot be changed, or is not to be changed.

use super::*;

#[test]
fn nothing_of_others_is_touched() {
    let desired = desired(&manifest(), "1");
    let with_tags = |list: Value| {
        with_service(in_sync(&desired), move |service| {
            service["tags"] = list.clone()
        })
    };
    let unowned = plan(&desired, &with_tags(json!([])), &Lessons::default());
    assert_eq!(
        (unowned.steps.len(), unowned.blocked),
        (0, vec![Blocked::NotOwned])
    );
    let others = plan(
        &desired,
        &with_tags(json!([{"key": tags::OWNER, "value": "them/prod/api"}])),
        &Lessons::default(),
    );
    assert_eq!(
        (others.steps.len(), others.blocked),
        (0, vec![Blocked::OwnedByOther("them/prod/api".to_owned())])
    );
}

#[test]
fn what_has_no_owner_is_taken_over_where_the_manifest_says_so() {
    let adopting = manifest_with(|text| text + "  adopt: true\n");
    let desired = desired(&adopting, "1");
    let unowned = with_service(in_sync(&desired), |service| service["tags"] = json!([]));
    let plan = plan(&desired, &unowned, &Lessons::default());
    assert_eq!(plan.blocked, []);
    let owner = json!([{"key": tags::OWNER, "value": "me/prod/api"}]);
    assert_eq!(plan.steps[0].operation, Write::TagResource);
    assert_eq!(plan.steps[0].input["tags"], owner);
}

#[test]
fn what_is_being_deleted_is_waited_for() {
    let desired = desired(&manifest(), "1");
    let draining = with_service(in_sync(&desired), |service| {
        service["status"] = json!("DRAINING");
        service["desiredCount"] = json!(0);
    });
    let plan = plan(&desired, &draining, &Lessons::default());
    assert_eq!(
        (plan.steps.len(), plan.blocked),
        (0, vec![Blocked::Draining])
    );
}

#[test]
fn a_service_is_not_created_on_a_target_group_that_another_has() {
    let desired = desired(&manifest(), "1");
    let observed = Observed {
        service: None,
        definition: None,
        log_group: LogGroup::Missing,
        rival: Some("old".to_owned()),
        ..in_sync(&desired)
    };
    let plan = plan(&desired, &observed, &Lessons::default());
    assert_eq!(
        (plan.steps.len(), plan.blocked),
        (0, vec![Blocked::TargetGroupTaken("old".to_owned())])
    );
}

#[test]
fn what_update_service_cannot_change_is_said_and_never_sent() {
    let desired = desired(&manifest(), "1");
    let other = with_service(in_sync(&desired), |service| {
        service["launchType"] = json!("EC2")
    });
    let plan = plan(&desired, &other, &Lessons::default());
    assert_eq!(
        (plan.steps.len(), plan.blocked),
        (
            0,
            vec![Blocked::NeedsReplacement(vec!["launchType".to_owned()])]
        )
    );
}

#[test]
fn what_aws_did_not_take_is_not_sent_again() {
    let desired = desired(&manifest(), "1");
    let drifted = with_service(in_sync(&desired), |service| {
        service["enableExecuteCommand"] = json!(true);
        service["launchType"] = json!("EC2");
    });
    let first = plan(&desired, &drifted, &Lessons::default());
    let remaining = crate::plan::not_taken(&desired, &first, drifted.service.as_ref().unwrap());
    let names: Vec<_> = remaining.iter().map(Difference::member).collect();
    assert_eq!(names, ["enableExecuteCommand"], "nothing else was sent");
    let second = plan(&desired, &drifted, &not_taken(remaining));
    assert_eq!(second.steps, []);
}

#[test]
fn what_somebody_keeps_changing_is_left_alone_and_the_rest_is_repaired() {
    let desired = desired(&manifest(), "1");
    let drifted = with_service(in_sync(&desired), |service| {
        service["desiredCount"] = json!(5);
        service["enableExecuteCommand"] = json!(true);
    });
    let mut lessons = Lessons::default();
    let first = plan(&desired, &drifted, &lessons);
    let count: Vec<_> = first
        .differences
        .iter()
        .filter(|difference| difference.member() == "desiredCount")
        .cloned()
        .collect();
    for _ in 0..3 {
        assert_eq!(plan(&desired, &drifted, &lessons).blocked, []);
        lessons.note_repaired(&count, drifted.aws_time);
    }
    let fourth = plan(&desired, &drifted, &lessons);
    assert_eq!(
        fourth.blocked,
        [Blocked::Contested(vec!["service.desiredCount".to_owned()])]
    );
    assert!(!fourth.steps[0].input.contains_key("desiredCount"));
    assert_eq!(fourth.steps[0].input["enableExecuteCommand"], false);
}

#[test]
fn suspended_is_left_alone() {
    let manifest = manifest_with(|text| text + "  suspend: INC-812\n");
    let desired = desired(&manifest, "2");
    let plan = plan(&desired, &in_sync(&desired), &Lessons::default());
    assert_eq!(
        (plan.steps.len(), plan.blocked),
        (0, vec![Blocked::Suspended("INC-812".to_owned())])
    );
}

#[test]
fn the_retention_of_a_log_group_is_changed_only_where_it_is_ours() {
    let desired = desired(&manifest(), "1");
    let with_owner = |owner: Option<&str>| Observed {
        log_group: LogGroup::Present {
            retention_in_days: Some(365),
            owner: owner.map(str::to_owned),
        },
        ..in_sync(&desired)
    };
    let others = plan(&desired, &with_owner(None), &Lessons::default());
    assert_eq!((others.steps.len(), others.differences.len()), (0, 1));
    assert_eq!(
        others.blocked,
        [Blocked::LogGroupNotOwned("/ecs/api".to_owned())]
    );
    let ours = plan(
        &desired,
        &with_owner(Some("me/prod/api")),
        &Lessons::default(),
    );
    assert_eq!(operations(&ours), ["PutRetentionPolicy"]);
    assert!(ours.mended().eq(&ours.differences));
    assert_eq!(ours.cause, Some(Cause::Drift));

    let reporting = super::desired(
        &manifest_with(|text| text + "  drift: {policy: report}\n"),
        "1",
    );
    let observed = Observed {
        service: in_sync(&reporting).service,
        ..with_owner(Some("me/prod/api"))
    };
    let told = plan(&reporting, &observed, &Lessons::default());
    assert_eq!(
        (told.steps.len(), told.blocked),
        (0, vec![Blocked::ReportOnly])
    );
}

#[test]
fn a_count_that_is_not_declared_is_left_to_autoscaling() {
    let manifest = manifest_with(|text| text.replace("    desiredCount: 2\n", ""));
    let desired = desired(&manifest, "1");
    let scaled = with_service(in_sync(&desired), |service| {
        service["desiredCount"] = json!(40)
    });
    assert_eq!(
        plan(&desired, &scaled, &Lessons::default()),
        Plan::default()
    );
}
