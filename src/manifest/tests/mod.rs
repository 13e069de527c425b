//! Manifests as people write them, rightly and wrongly.

mod environments;
mod example;
mod hostile;
mod pictures;
mod references;
mod sets;
mod values;

use std::fmt::Write as _;

use super::{Diagnostic, Manifest, Options, References, parse_file, picture};

/// An example that names every field of the envelope.
const EXAMPLE: &str = include_str!("example.yaml");

/// Outputs as Terraform prints them, with every name that the example and the manifests of this repository use.
const OUTPUTS: &str = r#"{
  "cluster_name": {"sensitive": false, "type": "string", "value": "prod"},
  "region": {"sensitive": false, "type": "string", "value": "eu-central-1"},
  "ecr_repository_url": {"sensitive": false, "type": "string", "value": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/api"},
  "private_subnet_ids": {"sensitive": false, "type": ["list", "string"], "value": ["subnet-a", "subnet-b"]},
  "ecs_security_group_id": {"sensitive": false, "type": "string", "value": "sg-1"},
  "target_group_arn": {"sensitive": false, "type": "string", "value": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/api/1"},
  "api_execution_role_arn": {"sensitive": false, "type": "string", "value": "arn:aws:iam::123456789012:role/execution"},
  "api_task_role_arn": {"sensitive": false, "type": "string", "value": "arn:aws:iam::123456789012:role/task"},
  "database_password_secret_arn": {"sensitive": false, "type": "string", "value": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1:password::"},
  "database_url_secret_arn": {"sensitive": false, "type": "string", "value": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db"},
  "redis_url_secret_arn": {"sensitive": false, "type": "string", "value": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:redis"},
  "port": {"sensitive": false, "type": "number", "value": 80},
  "database_password": {"sensitive": true, "type": "string", "value": "hunter2"}
}"#;

/// The least a manifest says; `{spec}` and `{service}` are where tests add to it.
fn manifest_with(spec: &str, service: &str, container: &str) -> String {
    format!(
        "apiVersion: evenkeel/v1
kind: Service
metadata: {{name: api}}
spec:
  cluster: prod
{spec}  service:
    schedulingStrategy: REPLICA
{service}  taskDefinition:
    containerDefinitions:
      - name: api
        image: example.com/api:1
{container}"
    )
}

fn known() -> References {
    let env = [("STAGE".to_owned(), "blue".to_owned())];
    References::new(Some(OUTPUTS), env).expect("the outputs are well formed")
}

fn parse(text: &str) -> (Vec<Manifest>, Vec<Diagnostic>) {
    parse_file("m.yaml", text, &known(), Options::default())
}

/// The one manifest of a text that has nothing wrong with it.
#[track_caller]
fn good(text: &str) -> Manifest {
    let (mut manifests, diagnostics) = parse(text);
    assert_eq!(diagnostics, [], "{}", drawn(text));
    assert_eq!(manifests.len(), 1);
    manifests.remove(0)
}

/// All pictures of a text, in order.
fn drawn(text: &str) -> String {
    let (_, diagnostics) = parse(text);
    let mut all = String::new();
    for diagnostic in diagnostics {
        writeln!(all, "{}", picture(&diagnostic, Some(text), false)).unwrap();
    }
    all
}

/// The one-line forms of a text's messages.
fn lines(text: &str) -> Vec<String> {
    parse(text).1.iter().map(ToString::to_string).collect()
}
