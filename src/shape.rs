//! What of a live document the ECS API lets us write. The rest is read-only, or newer than our table, and never drift.

use std::sync::LazyLock;

use serde_json::Value;

use crate::document::Document;

/// The generated table of RegisterTaskDefinition's and CreateService's inputs.
static TABLE: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("manifest/ecs_fields.json")).unwrap_or_default()
});

/// Members of CreateService's input that say which service is meant rather than what it should be.
const IDENTITY: &[&str] = &[
    "cluster",
    "serviceName",
    "taskDefinition",
    "desiredCount",
    "tags",
    "clientToken",
    "role",
];

/// The part of a live service that CreateService could have written.
///
/// Service Connect and volumes stand only on the primary deployment.
pub fn of_service(live: &Document) -> Document {
    let mut service = live.clone();
    if let Some(primary) = crate::document::objects(live, "deployments")
        .find(|deployment| crate::document::text(deployment, "status") == "PRIMARY")
    {
        for member in ["serviceConnectConfiguration", "volumeConfigurations"] {
            if let Some(value) = primary.get(member) {
                service.insert(member.to_owned(), value.clone());
            }
        }
    }
    service.retain(|member, _| !IDENTITY.contains(&member.as_str()));
    structure("CreateServiceRequest", &service)
}

/// The part of a live task definition that RegisterTaskDefinition could have written.
pub fn of_definition(live: &Document) -> Document {
    let mut definition = structure("RegisterTaskDefinitionRequest", live);
    definition.remove("tags");
    definition
}

fn structure(name: &str, live: &Document) -> Document {
    let members = TABLE.pointer(&format!("/structures/{name}/members"));
    live.iter()
        .filter_map(|(key, value)| Some((key.clone(), of_kind(members?.get(key)?, value))))
        .collect()
}

fn of_kind(kind: &Value, live: &Value) -> Value {
    match (
        kind.get("structure").and_then(Value::as_str),
        kind.get("list"),
        live,
    ) {
        (Some(name), _, Value::Object(members)) => Value::Object(structure(name, members)),
        (_, Some(item), Value::Array(items)) => {
            items.iter().map(|live| of_kind(item, live)).collect()
        }
        _ => live.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_only_aws_writes_is_left_out() {
        let live = json!({
            "family": "f", "revision": 3, "status": "ACTIVE", "registeredAt": 1.5, "compatibilities": ["EC2"],
            "containerDefinitions": [{"name": "api", "newerThanOurTable": true, "environment": [{"name": "A", "value": "1"}]}],
        });
        let known = json!({
            "family": "f",
            "containerDefinitions": [{"name": "api", "environment": [{"name": "A", "value": "1"}]}],
        });
        assert_eq!(
            Value::Object(of_definition(live.as_object().unwrap())),
            known
        );
    }

    #[test]
    fn service_connect_is_read_from_the_primary_deployment() {
        let live = json!({
            "serviceName": "api", "launchType": "FARGATE", "events": [],
            "deployments": [{"status": "PRIMARY", "serviceConnectConfiguration": {"enabled": true}}],
        });
        let known =
            json!({"launchType": "FARGATE", "serviceConnectConfiguration": {"enabled": true}});
        assert_eq!(Value::Object(of_service(live.as_object().unwrap())), known);
    }
}
