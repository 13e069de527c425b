//! A whole example and what the repository ships parse, and mean what they say.

use std::{path::Path, time::Duration};

use serde_json::json;

use super::*;
use crate::manifest::{
    DriftPolicy, Image, LogGroup, TargetHealth, TargetHealthAction, Values, read_dir,
};

#[test]
fn a_whole_example_means_what_it_says() {
    let (manifests, diagnostics) = parse(EXAMPLE);
    let said: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "m.yaml:24:3: Fargate needs networkMode awsvpc, and none is given; add `networkMode: awsvpc` to spec.taskDefinition"
        ]
    );
    let [manifest] = manifests.as_slice() else {
        panic!("one manifest")
    };
    assert_eq!(manifest.key(), ("prod".to_owned(), "api".to_owned()));
    assert_eq!((manifest.file.as_str(), manifest.line), ("m.yaml", 2));
    assert_eq!(manifest.labels.get("team").unwrap(), "shop");
    let image = Image {
        repository: "123456789012.dkr.ecr.eu-central-1.amazonaws.com/api".to_owned(),
        tag: "1.4.0".to_owned(),
        track: false,
    };
    assert_eq!(manifest.image, Some(image));
    assert_eq!(
        (manifest.desired_count, manifest.initial_count),
        (Some(2), 1)
    );
    assert_eq!(
        serde_json::Value::Object(manifest.service.open()),
        json!({
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {
                "subnets": ["subnet-a", "subnet-b"],
                "securityGroups": ["sg-1"],
            }},
            "loadBalancers": [{
                "targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/api/1",
                "containerName": "api",
                "containerPort": 80,
            }],
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
        })
    );
    assert_eq!(
        serde_json::Value::Object(manifest.task_definition_with("repo@sha256:00")),
        json!({
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "containerDefinitions": [{
                "name": "api",
                "image": "repo@sha256:00",
                "portMappings": [{"containerPort": 80, "name": "http"}, {"containerPort": 9100, "name": "metrics"}],
                "environment": [{"name": "RUST_LOG", "value": "info"}],
                "secrets": [{"name": "DATABASE_URL", "valueFrom": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db"}],
            }],
            "family": "prod-api",
        })
    );
    let health = TargetHealth {
        minimum_healthy: 2,
        grace_period: Duration::from_secs(120),
        action: TargetHealthAction::Report,
    };
    assert_eq!(manifest.target_health, Some(health));
    let group = LogGroup {
        name: "/ecs/api".to_owned(),
        retention_in_days: Some(14),
    };
    assert_eq!(manifest.log_group, Some(group));
    assert_eq!(manifest.rollout.timeout, Duration::from_secs(900));
    assert_eq!(manifest.rollout.keep_revisions, 10);
    assert_eq!(manifest.drift.policy, DriftPolicy::Enforce);
    assert_eq!(
        manifest.drift.ignore,
        ["/service/healthCheckGracePeriodSeconds"]
    );
    assert_eq!((manifest.suspend.as_deref(), manifest.adopt), (None, false));
}

#[test]
fn every_manifest_of_this_repository_parses_without_a_word() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let mut of_environments = Vec::new();
    for values in ["values.yaml", "values/prod.yaml"] {
        let text = std::fs::read_to_string(directory.join(values)).unwrap();
        let values = Values::parse(values, &text).unwrap();
        of_environments.push(values.0.keys().cloned().collect::<Vec<_>>());
        let references = known().with_values(values);
        let files = read_dir(&directory).unwrap();
        assert!(!files.is_empty());
        for file in files {
            let text = file.text.unwrap();
            let (manifests, diagnostics) =
                parse_file(&file.name, &text, &references, Options::default());
            assert_eq!(diagnostics, []);
            assert!(!manifests.is_empty(), "{}", file.name);
        }
    }
    let [ours, production] = of_environments.as_slice() else {
        unreachable!("two files are read");
    };
    assert_eq!(ours, production, "each environment has the same values");
}
