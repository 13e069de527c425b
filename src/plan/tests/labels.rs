//! Labels are tags that the manifest answers for; other tags are nobody's drift.

use serde_json::{Value, json};

use super::{desired, in_sync, manifest, manifest_with, operations, with_service};
use crate::{
    observed::Observed,
    plan::{Blocked, Cause, Lessons, plan},
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
