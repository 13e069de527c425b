//! Drift: what another hand changes is repaired, each kind by the call that it takes.

use serde_json::{Value, json};

use super::{api, describe, secs, synced, with};
use crate::{
    furniture::CLUSTER,
    manifest::Manifest,
    scenario::{Act, Scenario},
};

pub(super) fn all() -> Vec<Scenario> {
    let network = json!({ "awsvpcConfiguration": {
        "subnets": ["subnet-a", "subnet-b"], "securityGroups": ["sg-other"],
    } });
    let breaker = json!({ "deploymentCircuitBreaker": { "enable": false, "rollback": false } });
    vec![
        drift(
            "drift of the count",
            vec![update(json!({ "desiredCount": 5 }))],
        ),
        drift(
            "drift of the network",
            vec![update(json!({ "networkConfiguration": network }))],
        ),
        drift(
            "drift of settings",
            vec![update(json!({
                "deploymentConfiguration": breaker, "healthCheckGracePeriodSeconds": 99,
            }))],
        ),
        drift("drift of the definition", definition()),
        drift("drift of the retention", vec![retention()]),
        count_of_another(),
    ]
}

fn drift(name: &'static str, meddling: Vec<Act>) -> Scenario {
    Scenario {
        name,
        first: with(api("1")),
        then: meddling.into_iter().map(|act| (secs(200), act)).collect(),
        rests: secs(480),
        ends: vec![("api", synced("1", 2))],
    }
}

fn update(mut members: Value) -> Act {
    members["cluster"] = json!(CLUSTER);
    members["service"] = json!("api");
    Act::Ecs("UpdateService", members)
}

fn definition() -> Vec<Act> {
    let definition = json!({
        "family": "by-hand", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [{
            "name": "main", "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/api:1",
            "portMappings": [{ "containerPort": 80 }],
        }],
    });
    vec![
        Act::Ecs("RegisterTaskDefinition", definition),
        update(json!({ "taskDefinition": "by-hand" })),
    ]
}

fn retention() -> Act {
    let input = json!({ "logGroupName": "/ecs/api", "retentionInDays": 365 });
    Act::Logs("PutRetentionPolicy", input)
}

/// A count that is not declared is somebody else's.
fn count_of_another() -> Scenario {
    let manifest = Manifest {
        count: None,
        ..api("1")
    };
    Scenario {
        name: "a count that is not declared",
        first: vec![Act::Furnish("api", "1", true), describe(manifest)],
        then: vec![(secs(200), update(json!({ "desiredCount": 3 })))],
        rests: secs(420),
        ends: vec![("api", synced("1", 3))],
    }
}
