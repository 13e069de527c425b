//! What `${…}` stands for, and that what must not be shown is not.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_reference_may_stand_for_a_list_or_a_number() {
    let text = manifest_with(
        "",
        "    networkConfiguration: {awsvpcConfiguration: {subnets: ${terraform.private_subnet_ids}}}\n    healthCheckGracePeriodSeconds: ${terraform.port}\n",
        "",
    );
    let service = Value::Object(good(&text).service.open());
    assert_eq!(
        service["networkConfiguration"]["awsvpcConfiguration"]["subnets"],
        json!(["subnet-a", "subnet-b"])
    );
    assert_eq!(service["healthCheckGracePeriodSeconds"], 80);
}

#[test]
fn references_may_be_parts_of_a_text() {
    let text = manifest_with(
        "  logGroup: {name: \"/ecs/${env.STAGE}/${terraform.port}\"}\n",
        "",
        "",
    );
    assert_eq!(good(&text).log_group.unwrap().name, "/ecs/blue/80");
}

#[test]
fn the_template_is_rendered_once_from_left_to_right() {
    let image = "  image: {repository: example.com/api, tag: \"2\"}\n";
    let container = "        command: [\"${image}\", \"v${image.tag}\", \"$${image}\", \"$$${image.tag}\", \"$HOME $$ $\", \"${env.STAGE}\"]\n";
    let text = manifest_with(image, "", container);
    let rendered = good(&text).task_definition_with("R@${image.tag}");
    assert_eq!(
        rendered["containerDefinitions"][0]["command"],
        json!([
            "R@${image.tag}",
            "v2",
            "${image}",
            "$${image.tag}",
            "$HOME $$ $",
            "blue"
        ])
    );
}

#[test]
fn elsewhere_the_tag_is_known_and_the_image_is_not() {
    let image = "  image: {repository: example.com/api, tag: 1.10}\n";
    let text = manifest_with(image, "", "").replace("example.com/api:1", "${image}");
    let labelled = text.replace(
        "{name: api}",
        "{name: api, labels: {version: \"${image.tag}\", cost: \"$${x}\"}}",
    );
    let (_, diagnostics) = parse(&labelled);
    // `$` and braces are no characters of a tag.
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    let labelled = text.replace(
        "{name: api}",
        "{name: api, labels: {version: \"${image.tag}\"}}",
    );
    assert_eq!(good(&labelled).labels["version"], "1.10");
    let wrong = text.replace(
        "{name: api}",
        "{name: api, labels: {version: \"${image}\"}}",
    );
    assert_eq!(
        lines(&wrong),
        [
            "m.yaml:3:42: `${image}` is known only within spec.taskDefinition; elsewhere there is `${image.tag}`"
        ]
    );
}

#[test]
fn a_sensitive_output_is_refused_and_not_shown() {
    let text = manifest_with(
        "",
        "",
        "        environment: [{name: P, value: \"${terraform.database_password}\"}]\n",
    );
    let all = drawn(&text);
    assert!(all.contains("is a sensitive Terraform output"), "{all}");
    assert!(!all.contains("hunter2"));
    assert!(!format!("{:?}", known()).contains("hunter2"));
    assert!(!format!("{:?}", known()).contains("blue"));
}

#[test]
fn a_value_from_outside_is_never_repeated() {
    let text = manifest_with(
        "  drift: {policy: \"${env.STAGE}\"}\n  rollout: {timeout: \"${env.STAGE}\"}\n",
        "    launchType: ${env.STAGE}\n    healthCheckGracePeriodSeconds: ${env.STAGE}\n",
        "",
    );
    let all = drawn(&text);
    assert_eq!(parse(&text).1.len(), 4, "{all}");
    assert!(!all.contains("blue"), "{all}");
}

#[test]
fn without_outputs_a_file_can_still_be_checked() {
    let offline = References::new(None, []).unwrap();
    let (manifests, diagnostics) = parse_file("m.yaml", EXAMPLE, &offline, Options::default());
    assert_eq!(manifests.len(), 1);
    assert_eq!(manifests[0].cluster, "${terraform.cluster_name}");
    assert!(
        diagnostics.iter().all(|diagnostic| !diagnostic.is_error()),
        "{diagnostics:?}"
    );
    assert!(
        diagnostics[0]
            .message
            .contains("7 references to Terraform outputs were not checked")
    );
}

#[test]
fn no_outputs_at_all_is_not_the_same_as_none_known() {
    let empty = References::new(Some("{}"), []).unwrap();
    let (manifests, diagnostics) = parse_file("m.yaml", EXAMPLE, &empty, Options::default());
    assert_eq!(manifests, []);
    assert_eq!(
        diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.is_error())
            .count(),
        7
    );
}

#[test]
fn other_json_is_not_terraform_s() {
    for text in [
        "",
        "[]",
        "{\"a\": 1}",
        "{\"a\": {\"type\": \"string\"}}",
        "null ",
    ] {
        assert!(References::new(Some(text), []).is_err(), "{text}");
    }
}

#[test]
fn outputs_of_another_schema_are_refused() {
    let read = |value: &str| {
        let text = format!(r#"{{"schema_version": {{"value": {value}}}}}"#);
        References::new(Some(&text), []).map_err(|error| error.to_string())
    };
    assert!(read("1").is_ok());
    for (value, found) in [("2", "2"), ("0", "0"), ("\"hunter2\"", "no number")] {
        let said = read(value).unwrap_err();
        let expected = format!(
            "its schema_version is {found}, and this one reads 1; run the evenkeel that came with"
        );
        assert!(said.contains(&expected), "{said}");
    }
}

/// Wherever text is wanted, a number is text.
#[test]
fn the_schema_s_number_may_be_quoted_anywhere() {
    let references = References::new(Some(r#"{"schema_version": {"value": 1}}"#), []).unwrap();
    let text = manifest_with(
        "  logGroup: {name: \"/ecs/v${terraform.schema_version}\"}\n",
        "    desiredCount: ${terraform.schema_version}\n",
        "        environment: [{name: SCHEMA, value: \"${terraform.schema_version}\"}]\n",
    );
    let (manifests, diagnostics) = parse_file("m.yaml", &text, &references, Options::default());
    assert_eq!(diagnostics, []);
    let manifest = &manifests[0];
    assert_eq!(manifest.desired_count, Some(1));
    let environment = &manifest.task_definition_with("x")["containerDefinitions"][0]["environment"];
    assert_eq!(environment, &json!([{"name": "SCHEMA", "value": "1"}]));
    assert_eq!(manifest.log_group.as_ref().unwrap().name, "/ecs/v1");
}

#[test]
fn what_references_add_is_bounded() {
    let long = format!(r#"{{"long": {{"value": "{}"}}}}"#, "x".repeat(100_000));
    let references = References::new(Some(&long), []).unwrap();
    let items = "${terraform.long}, ".repeat(1_000);
    let text = manifest_with("", "", &format!("        command: [{items}]\n"));
    let (_, diagnostics) = parse_file("m.yaml", &text, &references, Options::default());
    assert_eq!(diagnostics.len(), 1);
    assert!(
        diagnostics[0]
            .message
            .starts_with("references add more than"),
        "{diagnostics:?}"
    );
}
