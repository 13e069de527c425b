//! `${values.NAME}`: one manifest, several environments.

use serde_json::json;

use super::*;
use crate::manifest::{References, Values};

const MANIFEST: &str = "apiVersion: evenkeel/v1
kind: Service
metadata: {name: api, labels: {stage: '${values.stage}'}}
spec:
  cluster: ${values.stage}-cluster
  service:
    desiredCount: ${values.tasks}
    networkConfiguration: {awsvpcConfiguration: {subnets: '${values.subnets}'}}
  taskDefinition:
    cpu: ${values.cpu}
    memory: \"512\"
    containerDefinitions:
      - {name: api, image: 'nginx:${values.version}', environment: [{name: TASKS, value: '${values.tasks}'}]}
";

fn with(values: &str) -> References {
    let values = Values::parse("values.yaml", values).unwrap();
    References::new(Some("{}"), []).unwrap().with_values(values)
}

#[test]
fn a_value_stands_as_if_it_had_been_written_there() {
    let references =
        with("stage: prod\ntasks: 4\ncpu: 256\nversion: 1.10\nsubnets: [subnet-1, subnet-2]\n");
    let (manifests, diagnostics) =
        parse_file("api.yaml", MANIFEST, &references, Options::default());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let manifest = &manifests[0];
    assert_eq!(manifest.cluster, "prod-cluster");
    assert_eq!(manifest.desired_count, Some(4));
    assert_eq!(
        manifest.service.open()["networkConfiguration"]["awsvpcConfiguration"]["subnets"],
        json!(["subnet-1", "subnet-2"])
    );
    assert_eq!(manifest.task_definition.open()["cpu"], json!("256"));
    let container = &manifest.task_definition.open()["containerDefinitions"][0];
    assert_eq!(container["image"], json!("nginx:1.10"), "not 1.1");
    assert_eq!(container["environment"][0]["value"], json!("4"));
}

#[test]
fn a_value_that_is_missing_is_named_where_it_is_used() {
    let references = with("stage: prod\ntask: 4\ncpu: 256\nversion: 1\nsubnets: [subnet-1]\n");
    let (manifests, diagnostics) =
        parse_file("api.yaml", MANIFEST, &references, Options::default());
    assert!(manifests.is_empty());
    let error = diagnostics.first().unwrap();
    assert_eq!((error.line, error.column), (7, 19), "{error}");
    assert!(error.message.contains("${values.tasks}"), "{error}");
    assert_eq!(
        error.help.as_deref(),
        Some("did you mean `${values.task}`?")
    );
}

#[test]
fn a_wrong_values_file_says_where() {
    for (text, line, words) in [
        ("- a\n", 1, "one mapping"),
        ("a: 1\n---\nb: 2\n", 3, "one mapping"),
        ("a: 1\nb: ${terraform.c}\n", 2, "cannot refer"),
        ("a: 1\na: 2\n", 2, "a"),
        ("a b: 1\n", 1, "not a name"),
        ("a: [\n", 1, "not YAML"),
    ] {
        let diagnostics = Values::parse("values.yaml", text).unwrap_err();
        let first = &diagnostics[0];
        assert_eq!(first.line, line, "{text}: {first}");
        assert!(first.message.contains(words), "{text}: {first}");
    }
    assert!(Values::parse("values.yaml", "").is_ok(), "nothing differs");
}
