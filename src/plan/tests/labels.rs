//! Labels are tags that the manifest answers for; other tags are nobody's drift.

use serde_json::{Value, json};

use super::{desired, in_sync, manifest, manifest_with, operations, with_service};
use crate::{
    diff::Difference,
    observed::Observed,
    plan::{Blocked, Cause, Lessons, Plan, plan, tagging},
};

fn with_tag(observed: Observed, key: &str, value: Option<&str>) -> Observed {
    with_service(observed, |service| {
        let tags = service["tags"].as_array_mut().unwrap();
        tags.retain(|tag| tag["key"] != key);
        tags.extend(value.map(|value| json!({"key": key, "value": value})));
    })
}

#[test]
fn a_label_that_was_changed_is_named_and_set_back() {
    let desired = desired(&manifest(), "1");
    for live in [Some("other"), None] {
        let drifted = with_tag(in_sync(&desired), "team", live);
        let plan = plan(&desired, &drifted, &Lessons::default());
        assert_eq!(plan.cause, Some(Cause::Drift));
        let named: Vec<_> = plan.differences.iter().collect();
        assert_eq!(named.len(), 1);
        assert_eq!(named[0].path, "service.tags[team]");
        assert_eq!(named[0].desired, json!("shop"));
        assert_eq!(named[0].live, live.map_or(Value::Null, Value::from));
        assert_eq!(operations(&plan), ["TagResource"]);
        assert_eq!(
            plan.steps[0].input["tags"],
            json!([{"key": "team", "value": "shop"}])
        );
    }
}

#[test]
fn report_and_ignore_leave_a_label_alone() {
    for (drift, differences) in [
        ("{policy: report}", 1),
        ("{ignore: [/service/tags/team]}", 0),
        ("{ignore: [/service/tags]}", 0),
    ] {
        let desired = desired(
            &manifest_with(|text| format!("{text}  drift: {drift}\n")),
            "1",
        );
        let drifted = with_tag(in_sync(&desired), "team", Some("other"));
        let plan = plan(&desired, &drifted, &Lessons::default());
        assert_eq!(
            (plan.steps.len(), plan.differences.len()),
            (0, differences),
            "{drift}"
        );
        assert_eq!(
            plan.blocked.contains(&Blocked::ReportOnly),
            differences == 1
        );
    }
}

#[test]
fn tags_of_others_are_no_difference() {
    let desired = desired(&manifest(), "1");
    let tagged = with_tag(in_sync(&desired), "cost-centre", Some("7"));
    assert!(plan(&desired, &tagged, &Lessons::default()).is_empty());
}

#[test]
fn a_mark_that_is_gone_comes_back_without_touching_a_label() {
    let desired = desired(
        &manifest_with(|text| format!("{text}  drift: {{ignore: [/service/tags/team]}}\n")),
        "1",
    );
    let drifted = with_tag(in_sync(&desired), "team", Some("other"));
    let plan = plan(
        &desired,
        &with_tag(drifted, crate::tags::LABELS, None),
        &Lessons::default(),
    );
    assert_eq!(operations(&plan), ["TagResource"]);
    assert_eq!(
        plan.steps[0].input["tags"],
        json!([{"key": crate::tags::LABELS, "value": "team"}])
    );
}

#[test]
fn a_dropped_label_is_taken_away_before_it_is_forgotten() {
    let before = desired(&manifest(), "1");
    let after = desired(
        &manifest_with(|text| text.replace("{team: shop}", "{squad: shop}")),
        "1",
    );
    let plan = plan(&after, &in_sync(&before), &Lessons::default());
    assert_eq!(operations(&plan), ["UntagResource", "TagResource"]);
    assert_eq!(plan.steps[0].input["tagKeys"], json!(["team"]));
    let mended: Vec<_> = plan.mended().collect();
    assert_eq!(mended.len(), 2, "{mended:?}");
}

/// The paths of what a plan mends.
fn mended(plan: &Plan) -> Vec<&str> {
    plan.mended().map(|one| one.path.as_str()).collect()
}

#[test]
fn a_label_that_aws_does_not_take_is_not_taken_for_mended() {
    let (squad, team, tier) = (
        "service.tags[squad]",
        "service.tags[team]",
        "service.tags[tier]",
    );
    let labelled = |labels: &str| {
        let labels = format!("labels: {labels}");
        let manifest = manifest_with(|text| text.replace("labels: {team: shop}", &labels));
        desired(&manifest, "1")
    };
    let both = labelled("{team: shop, tier: web}");
    let refused = |first: &Plan| {
        let mut lessons = Lessons::default();
        let is_team = |one: &&Difference| one.path == team;
        lessons.note_not_taken(first.differences.iter().filter(is_team).cloned().collect());
        lessons
    };

    let drifted = with_tag(in_sync(&both), "team", Some("other"));
    let drifted = with_tag(drifted, "tier", Some("other"));
    let first = plan(&both, &drifted, &Lessons::default());
    assert_eq!(mended(&first), [team, tier]);
    let second = plan(&both, &drifted, &refused(&first));
    assert_eq!(mended(&second), [tier]);

    let dropped = labelled("{squad: shop}");
    let first = plan(&dropped, &in_sync(&both), &Lessons::default());
    assert_eq!(mended(&first), [squad, team, tier]);
    let second = plan(&dropped, &in_sync(&both), &refused(&first));
    assert_eq!(mended(&second), [squad, tier]);
}

#[test]
fn what_has_a_name_elsewhere_is_no_label() {
    for (path, pointer) in [
        (
            "taskDefinition.containerDefinitions[side]",
            "/taskDefinition/containerDefinitions/side",
        ),
        (
            "service.volumeConfigurations[data]",
            "/service/volumeConfigurations/data",
        ),
    ] {
        let named = Difference {
            path: path.to_owned(),
            pointer: pointer.to_owned(),
            desired: Value::Null,
            live: Value::Null,
        };
        assert_eq!(tagging::label_of(&named), None);
    }
}
