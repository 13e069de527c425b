//! What of a live document the ECS API lets us write. The rest is read-only, or newer than our table, and never drift.

use std::sync::LazyLock;

use serde_json::Value;

use crate::{
    document::{self, Document},
    manifest,
};

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

/// Members that API_Deployment has and API_Service has not: they stand only on the primary deployment.
const ON_PRIMARY: [&str; 3] = [
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// The part of a live service that CreateService could have written. A member that the table lacks is kept where `wanted`
/// names it: the manifest may be newer than the table.
pub fn of_service(live: &Document, wanted: &Document) -> Document {
    let mut service = live.clone();
    let primary =
        document::objects(live, "deployments").find(|d| document::text(d, "status") == "PRIMARY");
    for member in ON_PRIMARY {
        if let Some(value) = primary.and_then(|primary| primary.get(member)) {
            service.insert(member.to_owned(), value.clone());
        }
    }
    service.retain(|member, _| !IDENTITY.contains(&member.as_str()));
    structure("CreateServiceRequest", &service, &[wanted])
}

/// The part of a live task definition that RegisterTaskDefinition could have written; see [`of_service`].
pub fn of_definition(live: &Document, wanted: &Document) -> Document {
    let mut definition = structure("RegisterTaskDefinitionRequest", live, &[wanted]);
    definition.remove("tags");
    definition
}

/// What a member of a structure is, as the table has it: `{"structure": NAME}`, `{"list": …}` or a scalar's word.
pub fn kind_of(structure: &str, member: &str) -> Option<&'static Value> {
    TABLE
        .get("structures")?
        .get(structure)?
        .get("members")?
        .get(member)
}

/// Whether the API takes a structure only with this member.
pub fn is_required(structure: &str, member: &str) -> bool {
    TABLE
        .pointer(&format!("/structures/{structure}/required"))
        .and_then(Value::as_array)
        .is_some_and(|required| required.iter().any(|name| name == member))
}

/// The members within a task definition that our table does not have: AWS has got them since. As paths, such as
/// `containerDefinitions[0].newThing`.
pub fn newer_in_definition(live: &Document) -> Vec<String> {
    let mut found = Vec::new();
    for (member, value) in live {
        match kind_of("RegisterTaskDefinitionRequest", member) {
            Some(kind) => newer(kind, value, member, &mut found),
            None if manifest::is_filled_in_definition(member) => {}
            None => found.push(member.clone()),
        }
    }
    found
}

fn newer(kind: &'static Value, live: &Value, at: &str, found: &mut Vec<String>) {
    match (
        kind.get("structure").and_then(Value::as_str),
        kind.get("list"),
        live,
    ) {
        (Some(name), _, Value::Object(members)) => {
            for (member, value) in members {
                let at = format!("{at}.{member}");
                match kind_of(name, member) {
                    Some(kind) => newer(kind, value, &at, found),
                    None => found.push(at),
                }
            }
        }
        (_, Some(item), Value::Array(items)) => {
            for (index, value) in items.iter().enumerate() {
                newer(item, value, &format!("{at}[{index}]"), found);
            }
        }
        _ => {}
    }
}

fn structure(name: &str, live: &Document, wanted: &[&Document]) -> Document {
    let members = TABLE.pointer(&format!("/structures/{name}/members"));
    let kept = live.iter().filter_map(|(key, value)| {
        let wanted: Vec<_> = wanted
            .iter()
            .filter_map(|document| document.get(key))
            .collect();
        match members.and_then(|members| members.get(key)) {
            Some(kind) => Some((key.clone(), of_kind(kind, value, &wanted))),
            None => (!wanted.is_empty()).then(|| (key.clone(), value.clone())),
        }
    });
    kept.collect()
}

fn of_kind(kind: &Value, live: &Value, wanted: &[&Value]) -> Value {
    match (
        kind.get("structure").and_then(Value::as_str),
        kind.get("list"),
        live,
    ) {
        (Some(name), _, Value::Object(members)) => {
            let wanted: Vec<_> = wanted
                .iter()
                .filter_map(|value| value.as_object())
                .collect();
            Value::Object(structure(name, members, &wanted))
        }
        (_, Some(item), Value::Array(items)) => {
            let wanted: Vec<_> = wanted
                .iter()
                .filter_map(|value| value.as_array())
                .flatten()
                .collect();
            // Which item is meant is told by its name. Without one, naming a member in any of them is enough.
            let meant = |live: &Value| -> Vec<_> {
                let name = live.get("name");
                let is_meant = |wanted: &&Value| name.is_none() || wanted.get("name") == name;
                wanted.iter().copied().filter(is_meant).collect()
            };
            items
                .iter()
                .map(|live| of_kind(item, live, &meant(live)))
                .collect()
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
            Value::Object(of_definition(live.as_object().unwrap(), &Document::new())),
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
        assert_eq!(
            Value::Object(of_service(live.as_object().unwrap(), &Document::new())),
            known
        );
    }

    #[test]
    fn what_the_manifest_names_is_kept_though_the_table_lacks_it() {
        let live = json!({"family": "f", "newer": 1, "containerDefinitions": [{"name": "api", "newer": 2, "other": 3}]});
        let wanted = json!({"newer": 5, "containerDefinitions": [{"name": "api", "newer": 5}]});
        let known = of_definition(live.as_object().unwrap(), wanted.as_object().unwrap());
        let expected = json!({"family": "f", "newer": 1, "containerDefinitions": [{"name": "api", "newer": 2}]});
        assert_eq!(Value::Object(known), expected);
    }

    #[test]
    fn what_the_manifest_names_in_one_container_is_not_its_wish_for_another() {
        let live = json!({"containerDefinitions": [{"name": "api", "newer": "on"}, {"name": "proxy", "newer": "off"}]});
        let wanted =
            json!({"containerDefinitions": [{"name": "proxy"}, {"name": "api", "newer": "on"}]});
        let known = of_definition(live.as_object().unwrap(), wanted.as_object().unwrap());
        let expected =
            json!({"containerDefinitions": [{"name": "api", "newer": "on"}, {"name": "proxy"}]});
        assert_eq!(Value::Object(known), expected);
    }
}
