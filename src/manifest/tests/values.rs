//! How single values are taken: types, spellings, digests.

use serde_json::{Value, json};

use super::*;

fn service(text: &str) -> Value {
    Value::Object(good(&manifest_with("", text, "")).service.open())
}

#[test]
fn a_tag_is_taken_as_written() {
    let tag = |written: &str| {
        let image = format!("  image: {{repository: example.com/api, tag: {written}}}\n");
        let text = manifest_with(&image, "", "").replace("example.com/api:1", "${image}");
        good(&text).image.unwrap().tag
    };
    assert_eq!(tag("1.10"), "1.10");
    assert_eq!(tag("\"1.10\""), "1.10");
    assert_eq!(tag("010"), "010");
    assert_eq!(tag("1e3"), "1e3");
    assert_eq!(tag("true"), "true");
}

#[test]
fn scalars_take_the_types_of_ecs_s_model() {
    let given = "    healthCheckGracePeriodSeconds: \"30\"\n    enableExecuteCommand: True\n    platformVersion: 1.4.0\n";
    assert_eq!(
        service(given),
        json!({
            "schedulingStrategy": "REPLICA",
            "healthCheckGracePeriodSeconds": 30,
            "enableExecuteCommand": true,
            "platformVersion": "1.4.0",
        })
    );
    let container = "        environment: [{name: A, value: 010}, {name: B, value: yes}]\n        cpu: \"128\"\n";
    let definition = good(&manifest_with("", "", container))
        .task_definition
        .open();
    let container = definition["containerDefinitions"][0].clone();
    assert_eq!(container["environment"][0]["value"], "010");
    assert_eq!(container["environment"][1]["value"], "yes");
    assert_eq!(container["cpu"], 128);
}

#[test]
fn neither_quotes_nor_order_nor_comments_change_the_digest() {
    let one = good(&manifest_with(
        "",
        "    desiredCount: 2\n    launchType: EC2\n",
        "",
    ))
    .digest;
    let same = good(&manifest_with(
        "",
        "    launchType: 'EC2' # why\n    desiredCount: \"2\"\n",
        "",
    ));
    let other = good(&manifest_with(
        "",
        "    desiredCount: 3\n    launchType: EC2\n",
        "",
    ));
    assert_eq!(one, same.digest);
    assert_ne!(one, other.digest);
    assert_eq!(one.len(), 64);
}

#[test]
fn a_reference_s_new_value_is_an_edit() {
    let text = manifest_with("  logGroup: {name: \"/ecs/${env.STAGE}\"}\n", "", "");
    let digest = |stage: &str| {
        let env = [("STAGE".to_owned(), stage.to_owned())];
        let references = References::new(Some(OUTPUTS), env).unwrap();
        let (manifests, _) = parse_file("m.yaml", &text, &references, Options::default());
        manifests[0].digest.clone()
    };
    assert_eq!(digest("blue"), digest("blue"));
    assert_ne!(digest("blue"), digest("green"));
}

#[test]
fn suspend_is_a_truth_value_or_a_reason() {
    let suspend =
        |written: &str| good(&manifest_with(&format!("  suspend: {written}\n"), "", "")).suspend;
    assert_eq!(suspend("false"), None);
    assert_eq!(suspend("true"), Some(String::new()));
    assert_eq!(suspend("INC-812"), Some("INC-812".to_owned()));
    assert_eq!(suspend("812"), Some("812".to_owned()));
}

#[test]
fn without_a_count_there_is_an_initial_one() {
    let manifest = good(&manifest_with("", "", ""));
    assert_eq!((manifest.desired_count, manifest.initial_count), (None, 1));
    let manifest = good(&manifest_with("  initialCount: 4\n", "", ""));
    assert_eq!((manifest.desired_count, manifest.initial_count), (None, 4));
    let both = lines(&manifest_with(
        "  initialCount: 4\n",
        "    desiredCount: 2\n",
        "",
    ));
    assert_eq!(
        both,
        [
            "m.yaml:6:3: `initialCount` is used only where spec.service.desiredCount is not given; remove one of them"
        ]
    );
}

#[test]
fn a_cluster_s_arn_gives_the_family_its_name() {
    let text = manifest_with("", "", "").replace(
        "cluster: prod",
        "cluster: arn:aws:ecs:eu-central-1:123456789012:cluster/prod",
    );
    let manifest = good(&text);
    assert_eq!(manifest.key().0, "prod");
    assert_eq!(manifest.family, "prod-api");
    let own = text.replace(
        "    containerDefinitions",
        "    family: mine\n    containerDefinitions",
    );
    assert_eq!(good(&own).family, "mine");
}

#[test]
fn anchors_and_merge_keys_are_expanded() {
    let text = manifest_with(
        "",
        "    deploymentConfiguration:\n      deploymentCircuitBreaker: &on {enable: true, rollback: true}\n    placementStrategy:\n      - &spread {type: spread, field: host}\n      - {<<: *spread, field: zone}\n",
        "",
    );
    let service = Value::Object(good(&text).service.open());
    assert_eq!(
        service["placementStrategy"][1],
        json!({"field": "zone", "type": "spread"})
    );
}

#[test]
fn unknown_names_of_ecs_can_be_let_through() {
    let text = manifest_with(
        "",
        "    brandNew: {deep: [1, true, x]}\n    launchType: MOON\n",
        "",
    );
    assert_eq!(parse(&text).0, []);
    let options = Options {
        allow_unknown_ecs_fields: true,
    };
    let (manifests, diagnostics) = parse_file("m.yaml", &text, &known(), options);
    assert_eq!(
        manifests[0].service.open()["brandNew"],
        json!({"deep": [1, true, "x"]})
    );
    assert_eq!(manifests[0].service.open()["launchType"], "MOON");
    assert_eq!(diagnostics.len(), 2);
    assert!(diagnostics.iter().all(|diagnostic| !diagnostic.is_error()));
}

#[test]
fn several_documents_are_several_manifests_and_one_bad_one_spoils_the_file() {
    let one = manifest_with("", "", "");
    let two = one.replace("name: api}", "name: web}");
    let text = format!("{one}---\n{two}---\n");
    let (manifests, diagnostics) = parse(&text);
    assert_eq!(diagnostics, []);
    let names: Vec<&str> = manifests
        .iter()
        .map(|manifest| manifest.name.as_str())
        .collect();
    assert_eq!(names, ["api", "web"]);
    assert_eq!(manifests[1].line, 13);
    let (manifests, diagnostics) = parse(&text.replacen("kind: Service", "kind: Servce", 1));
    assert_eq!(manifests, []);
    assert_eq!(diagnostics.len(), 1);
}
