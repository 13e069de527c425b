//! What the image's tag means: nothing, the same as before, or something new.

use super::*;

#[test]
fn a_missing_image_changes_no_definition_and_the_rest_is_repaired() {
    let missing = Image::Missing {
        problem: "no such tag".to_owned(),
        pinned: None,
    };
    let desired = Desired::new(manifest(), &settings(), &missing);
    let running = super::desired(&manifest(), "1");
    let observed = with_service(in_sync(&running), |service| {
        service["desiredCount"] = json!(7)
    });
    let plan = plan(
        &desired,
        &Observed {
            image: missing,
            ..observed
        },
        &Lessons::default(),
    );
    assert_eq!(operations(&plan), ["UpdateService"]);
    assert_eq!(
        plan.blocked,
        [Blocked::ImageMissing("no such tag".to_owned())]
    );
}

#[test]
fn a_vanished_tag_keeps_what_it_meant_and_the_rest_is_repaired() {
    let missing = Image::Missing {
        problem: "no such tag".to_owned(),
        pinned: Some(Pinned {
            reference: "123456789012.dkr.ecr.us-east-1.amazonaws.com/api@sha256:1".to_owned(),
            digest: "sha256:1".to_owned(),
        }),
    };
    let tracked =
        manifest_with(|text| text.replace("tag: \"1.0.0\"", "tag: \"1.0.0\", track: true"));
    let desired = Desired::new(tracked, &settings(), &missing);
    let mut observed = in_sync(&desired);
    observed.image = missing;
    let calm = plan(&desired, &observed, &Lessons::default());
    let reported = [Blocked::ImageMissing("no such tag".to_owned())];
    assert_eq!((calm.steps.len(), &calm.blocked[..]), (0, &reported[..]));

    let mut other = observed.definition.take().unwrap();
    other.document["containerDefinitions"][0]["environment"] = json!([]);
    observed.definition = Some(other);
    let repair = plan(&desired, &observed, &Lessons::default());
    assert_eq!(repair.cause, Some(Cause::Drift));
    assert_eq!(
        operations(&repair),
        ["RegisterTaskDefinition", "UpdateService"]
    );
    let image = &repair.steps[0].input["containerDefinitions"][0]["image"];
    assert!(image.as_str().unwrap().ends_with("@sha256:1"), "{image}");
}

#[test]
fn a_followed_tag_that_moved_is_an_edit() {
    let tracking = manifest_with(|text| {
        text.replace(r#"tag: "1.0.0"}"#, r#"tag: "1.0.0", track: true}"#)
            + "  drift: {policy: report}\n"
    });
    let before = desired(&tracking, "1");
    let after = desired(&tracking, "2");
    let plan = plan(&after, &in_sync(&before), &Lessons::default());
    assert_eq!(plan.cause, Some(Cause::Edit));
    assert!(plan.starts_deployment());
}
