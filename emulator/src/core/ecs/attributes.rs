//! `requiresAttributes`: what ECS computes that an agent must be able to do. The names were observed.

use serde_json::{Map, Value, json};

/// The attributes that a normalised document needs, in no order.
pub(super) fn required_attributes(document: &Map<String, Value>) -> Vec<Value> {
    let containers = document
        .get("containerDefinitions")
        .and_then(Value::as_array);
    let containers = || containers.into_iter().flatten();
    let has = |key: &str| containers().any(|container| container.get(key).is_some());
    let secret_from = |service: &str| {
        containers()
            .filter_map(|container| container.get("secrets")?.as_array())
            .flatten()
            .filter_map(|secret| secret.get("valueFrom")?.as_str())
            .any(|from| from.contains(service))
    };
    let from_ecr = containers()
        .filter_map(|container| container.get("image")?.as_str())
        .any(|image| image.contains(".dkr.ecr."));
    let logs = has("logConfiguration");
    let attributes = [
        ("com.amazonaws.ecs.capability.docker-remote-api.1.18", true),
        ("ecs.capability.task-eni", true),
        ("com.amazonaws.ecs.capability.docker-remote-api.1.19", logs),
        ("com.amazonaws.ecs.capability.logging-driver.awslogs", logs),
        ("ecs.capability.execution-role-awslogs", logs),
        ("com.amazonaws.ecs.capability.ecr-auth", from_ecr),
        ("ecs.capability.execution-role-ecr-pull", from_ecr),
        (
            "com.amazonaws.ecs.capability.task-iam-role",
            document.contains_key("taskRoleArn"),
        ),
        (
            "ecs.capability.secrets.asm.environment-variables",
            secret_from(":secretsmanager:"),
        ),
        (
            "ecs.capability.secrets.ssm.environment-variables",
            secret_from(":ssm:"),
        ),
        ("ecs.capability.container-health-check", has("healthCheck")),
        (
            "ecs.capability.container-ordering",
            has("startTimeout") || has("stopTimeout"),
        ),
    ];
    attributes
        .into_iter()
        .filter(|(_, needed)| *needed)
        .map(|(name, _)| json!({ "name": name }))
        .collect()
}
