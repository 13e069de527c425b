//! From a live service to the manifest that describes it: the other way round.
//!
//! What stands at AWS's default is left out, as the normal form says, so that a person reads what somebody once chose.
//! Pure: what AWS said goes in, a manifest's text comes out. Whether its plan is empty is for the caller to make sure of.

mod image;
mod prune;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use self::image::{Reference, Registry, main_container};

use crate::{
    document::{self, Document},
    manifest,
    normal::Form,
    observed::{LiveService, Revision},
    shape, tags,
};

/// What AWS says of a service.
#[derive(Debug, Clone, Copy)]
pub struct Live<'a> {
    /// The cluster's name or ARN, as the person gave it.
    pub cluster: &'a str,
    /// The service.
    pub service: &'a LiveService,
    /// The revision that it names.
    pub definition: &'a Revision,
    /// What the main container's image means; see [`Reference::split`].
    pub image: Option<&'a manifest::Image>,
    /// The log group of the main container, if there is such a group.
    pub log_group: Option<&'a manifest::LogGroup>,
    /// The owner tag that the service would have.
    pub owner: &'a str,
    /// The normal form, which knows what is a default.
    pub form: &'a Form,
}

/// A manifest's text, and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The manifest.
    pub text: String,
    /// What the live service has and the manifest does not say, though nothing is lost by that.
    pub notes: Vec<String>,
}

/// Why there is no manifest for a live service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is being deleted, or has been.
    #[error("the service is {0}, and only an ACTIVE one can be described")]
    NotActive(String),
    /// Somebody answers for it already.
    #[error(
        "the service is owned by {0} (tag {owner_tag}); give the same --owner, or remove the tag if nobody answers for it any more",
        owner_tag = tags::OWNER
    )]
    OwnedByOther(String),
}

/// The manifest of a live service.
///
/// # Errors
/// When the service is somebody else's, or on its way out.
pub fn write(live: &Live<'_>) -> Result<Written, Refused> {
    let service_tags = live.service.tags();
    let owner = service_tags.get(tags::OWNER);
    if let Some(other) = owner.filter(|owner| *owner != live.owner) {
        return Err(Refused::OwnedByOther(other.clone()));
    }
    if live.service.status() != "ACTIVE" {
        return Err(Refused::NotActive(live.service.status().to_owned()));
    }
    let mut notes = Vec::new();
    let name = document::text(&live.service.0, "serviceName");
    let labels = labels(&service_tags, &mut notes);

    let mut metadata = Document::from_iter([("name".to_owned(), json!(name))]);
    if !labels.is_empty() {
        metadata.insert("labels".to_owned(), json!(labels));
    }
    let mut spec = Document::from_iter([("cluster".to_owned(), json!(live.cluster))]);
    if let Some(image) = live.image {
        let image = json!({"repository": image.repository, "tag": image.tag});
        spec.insert("image".to_owned(), image);
    }
    spec.insert(
        "service".to_owned(),
        Value::Object(service(live, !labels.is_empty())),
    );
    spec.insert(
        "taskDefinition".to_owned(),
        Value::Object(definition(live, name)),
    );
    if let Some(group) = live.log_group {
        let mut declared = Document::from_iter([("name".to_owned(), json!(group.name))]);
        if let Some(days) = group.retention_in_days {
            declared.insert("retentionInDays".to_owned(), json!(days));
        }
        spec.insert("logGroup".to_owned(), Value::Object(declared));
    }
    if owner.is_none() {
        spec.insert("adopt".to_owned(), json!(true));
    }
    for member in shape::newer_in_definition(&live.definition.document) {
        notes.push(format!(
            "taskDefinition.{member} is newer than this version's table of ECS's fields: the manifest does not say it, and a new revision would lack it"
        ));
    }
    let manifest = json!({
        "apiVersion": "evenkeel/v1", "kind": "Service", "metadata": metadata, "spec": spec,
    });
    let text = yaml::text(&manifest);
    Ok(Written { text, notes })
}

/// The tags that can be labels: neither AWS's nor ours, and such as a manifest takes. The others stay on the service,
/// and nobody here touches them.
fn labels(tags: &BTreeMap<String, String>, notes: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (key, value) in tags {
        let lower = key.to_lowercase();
        if lower.starts_with("aws:") || lower.starts_with("evenkeel:") {
            continue;
        }
        let mut with = labels.clone();
        with.insert(key.clone(), value.clone());
        if manifest::can_be_labels(&with) {
            labels = with;
        } else {
            notes.push(format!(
                "the tag `{key}` cannot be a label; it stays on the service as it is"
            ));
        }
    }
    labels
}

fn service(live: &Live<'_>, has_labels: bool) -> Document {
    let mut service = shape::of_service(&live.service.0, &Document::new());
    // Left out they mean what they say.
    for (member, usual) in [
        ("platformVersion", "LATEST"),
        ("availabilityZoneRebalancing", "ENABLED"),
    ] {
        if document::text(&service, member) == usual {
            service.remove(member);
        }
    }
    let mut service = prune::defaults(prune::Root::Service, service, |document| {
        live.form.service(document)
    });
    if has_labels {
        // Labels imply that tasks carry them, too.
        match document::text(&service, "propagateTags") {
            "SERVICE" => drop(service.remove("propagateTags")),
            "" => drop(service.insert("propagateTags".to_owned(), json!("NONE"))),
            _ => {}
        }
    }
    let service = escaped(&Value::Object(service));
    let count = (
        "desiredCount".to_owned(),
        json!(live.service.desired_count()),
    );
    let rest = service.as_object().cloned().unwrap_or_default();
    std::iter::once(count).chain(rest).collect()
}

fn definition(live: &Live<'_>, name: &str) -> Document {
    let definition = shape::of_definition(&live.definition.document, &Document::new());
    let mut definition = prune::defaults(prune::Root::Definition, definition, |document| {
        live.form.definition(document)
    });
    let usual = format!("{}-{name}", manifest::cluster_name(live.cluster));
    if document::text(&definition, "family") == usual {
        definition.remove("family");
    }
    let replaced = live
        .image
        .and_then(|_| main_container(live.service, live.definition))
        .map(|container| document::text(container, "image").to_owned());
    let mut escaped = escaped(&Value::Object(definition));
    let containers = escaped
        .get_mut("containerDefinitions")
        .and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        if let Some(image) = container.get_mut("image")
            && image.as_str() == replaced.as_deref()
        {
            *image = json!("${image}");
        }
    }
    let mut definition = escaped.as_object().cloned().unwrap_or_default();
    // The long part comes last.
    if let Some(containers) = definition.shift_remove("containerDefinitions") {
        definition.insert("containerDefinitions".to_owned(), containers);
    }
    definition
}

/// What is written as `${` in AWS is no reference of ours.
fn escaped(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "$${")),
        Value::Array(items) => items.iter().map(escaped).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), escaped(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
