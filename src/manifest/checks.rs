//! What no single field shows: rules between fields, as far as the file alone can tell.

use serde_json::{Map, Value};

use crate::document::Document;

use super::{
    Manifest,
    diagnostic::{Place, Report},
    fargate, names,
    node::{Kind, Node},
};

/// The blocks as they are to be, and as written, to say where something is wrong.
pub(super) struct Nodes<'n> {
    pub(super) wanted_service: &'n Document,
    pub(super) wanted_definition: &'n Document,
    pub(super) service: Option<&'n Node>,
    pub(super) definition: Option<&'n Node>,
    pub(super) service_at: Place,
    pub(super) definition_at: Place,
}

impl Nodes<'_> {
    pub(super) fn in_service(&self, path: &[&str]) -> Place {
        place_of(self.service, path).unwrap_or(self.service_at)
    }

    pub(super) fn in_definition(&self, path: &[&str]) -> Place {
        place_of(self.definition, path).unwrap_or(self.definition_at)
    }
}

pub(super) fn manifest(manifest: &Manifest, nodes: &Nodes<'_>, report: &mut Report<'_>) {
    family(nodes, report);
    image(manifest, nodes, report);
    rolling_only(nodes, report);
    load_balancers(nodes, report);
    target_health(manifest, nodes, report);
    fargate::check(nodes, report);
}

fn family(nodes: &Nodes<'_>, report: &mut Report<'_>) {
    let family = string(nodes.wanted_definition, "family").filter(|family| !unresolved(family));
    if let Some(Err(why)) = family.map(names::family) {
        match place_of(nodes.definition, &["family"]) {
            Some(place) => {
                report.error(place, "not a valid `family`").help(why);
            }
            // Made of two good names it can only be too long.
            None if family.is_some_and(|family| family.len() > 255) => {
                report
                    .error(nodes.definition_at, "CLUSTER-NAME is too long for a family")
                    .help("give `family` in spec.taskDefinition");
            }
            None => {}
        }
    }
}

/// An image that nothing uses is an edit that does nothing.
fn image(manifest: &Manifest, nodes: &Nodes<'_>, report: &mut Report<'_>) {
    let used = Value::Object(nodes.wanted_definition.clone())
        .to_string()
        .contains("${image");
    if manifest.image.is_some() && !used && !nodes.wanted_definition.is_empty() {
        report
            .warning(
                nodes.in_definition(&["containerDefinitions"]),
                "spec.image is given and not used",
            )
            .help("write `image: ${image}` in a container, or remove spec.image");
    }
}

/// What this version does not carry is refused rather than half done.
fn rolling_only(nodes: &Nodes<'_>, report: &mut Report<'_>) {
    let rules: [(&[&str], &str); 3] = [
        (&["schedulingStrategy"], "REPLICA"),
        (&["deploymentController", "type"], "ECS"),
        (&["deploymentConfiguration", "strategy"], "ROLLING"),
    ];
    for (path, supported) in rules {
        let value =
            path.iter()
                .try_fold(nodes.wanted_service, |fields, key| match fields.get(*key) {
                    Some(Value::Object(inner)) => Ok(inner),
                    other => Err(other.and_then(Value::as_str)),
                });
        if let Err(Some(value)) = value
            && value != supported
            && !unresolved(value)
        {
            report
                .error(
                    nodes.in_service(path),
                    format!("only {supported} is supported"),
                )
                .label(format!("spec.service.{}", path.join(".")))
                .help("Evenkeel rolls out by ECS's own rolling deployments");
        }
    }
}

fn load_balancers(nodes: &Nodes<'_>, report: &mut Report<'_>) {
    /// <https://docs.aws.amazon.com/general/latest/gr/ecs-service.html>
    const MOST_CONTAINERS: usize = 10;
    let containers = objects(nodes.wanted_definition, "containerDefinitions");
    if containers.len() > MOST_CONTAINERS {
        report.error(
            nodes.in_definition(&["containerDefinitions"]),
            format!("{} containers, at most {MOST_CONTAINERS}", containers.len()),
        );
        return;
    }
    for (index, balancer) in objects(nodes.wanted_service, "loadBalancers")
        .into_iter()
        .enumerate()
    {
        let at = |key| {
            let item = item_of(nodes.service, "loadBalancers", index);
            place_of(item, &[key]).unwrap_or(nodes.in_service(&["loadBalancers"]))
        };
        let Some(name) = string(balancer, "containerName").filter(|name| !unresolved(name)) else {
            continue;
        };
        let Some(container) = containers.iter().find(|c| string(c, "name") == Some(name)) else {
            let known = containers
                .iter()
                .filter_map(|container| string(container, "name"));
            report
                .error(
                    at("containerName"),
                    "no such container in spec.taskDefinition",
                )
                .suggest(name, known);
            continue;
        };
        let mappings = objects(container, "portMappings");
        let ranges = mappings
            .iter()
            .any(|mapping| mapping.contains_key("containerPortRange"));
        let ports: Vec<i64> = mappings
            .iter()
            .filter_map(|mapping| mapping.get("containerPort")?.as_i64())
            .collect();
        let Some(port) = balancer.get("containerPort").and_then(Value::as_i64) else {
            continue;
        };
        // Mappings that are wrong have been reported, and are not here.
        let whole = container.contains_key("portMappings") || !report.has_errors();
        if whole && !ranges && !ports.contains(&port) {
            let known: Vec<String> = ports.iter().map(i64::to_string).collect();
            let help = match known.is_empty() {
                true => format!("add a port mapping with containerPort {port} to it"),
                false => format!("it maps {}", known.join(", ")),
            };
            report
                .error(
                    at("containerPort"),
                    format!("the container does not map port {port}"),
                )
                .help(help);
        }
    }
}

fn target_health(manifest: &Manifest, nodes: &Nodes<'_>, report: &mut Report<'_>) {
    let Some(health) = &manifest.target_health else {
        return;
    };
    let grouped = objects(nodes.wanted_service, "loadBalancers")
        .iter()
        .any(|balancer| balancer.contains_key("targetGroupArn"));
    let unknown = nodes
        .wanted_service
        .get("loadBalancers")
        .is_some_and(Value::is_string);
    if !grouped && !unknown {
        report
            .error(
                nodes.service_at,
                "spec.targetHealth is given, and the service has no target group",
            )
            .help("add one to spec.service.loadBalancers, or remove spec.targetHealth");
    }
    if let Some(count) = manifest
        .desired_count
        .filter(|count| *count < health.minimum_healthy)
    {
        let message = format!(
            "{} healthy targets are wanted of {count} tasks",
            health.minimum_healthy
        );
        report
            .warning(nodes.in_service(&["desiredCount"]), message)
            .help("raise desiredCount or lower spec.targetHealth.minimumHealthy");
    }
}

/// The place of a value below a node, or of its key where the value has no place of its own.
pub(super) fn place_of(node: Option<&Node>, path: &[&str]) -> Option<Place> {
    let mut node = node?;
    let mut place = None;
    for key in path {
        let Kind::Map(entries) = &node.kind else {
            return place;
        };
        let Some(entry) = entries.iter().find(|entry| entry.key == *key) else {
            return place;
        };
        node = &entry.value;
        place = Some(match &node.kind {
            Kind::Scalar(_) | Kind::Unresolved(_) => node.place,
            Kind::List(_) | Kind::Map(_) => entry.at,
        });
    }
    place
}

fn item_of<'n>(node: Option<&'n Node>, list: &str, index: usize) -> Option<&'n Node> {
    let Kind::Map(entries) = &node?.kind else {
        return None;
    };
    match &entries.iter().find(|entry| entry.key == list)?.value.kind {
        Kind::List(items) => items.get(index),
        Kind::Scalar(_) | Kind::Map(_) | Kind::Unresolved(_) => None,
    }
}

pub(super) fn string<'m>(fields: &'m Map<String, Value>, key: &str) -> Option<&'m str> {
    fields.get(key)?.as_str()
}

/// The mappings of a list; what is no mapping has been reported already.
pub(super) fn objects<'m>(
    fields: &'m Map<String, Value>,
    key: &str,
) -> Vec<&'m Map<String, Value>> {
    let items = fields.get(key).and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect()
}

/// Whether a value still holds a reference, and so cannot be judged.
pub(super) fn unresolved(text: &str) -> bool {
    text.contains("${")
}
