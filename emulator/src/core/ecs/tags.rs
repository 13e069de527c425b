//! Tags of ECS's resources.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::CODE;
use crate::core::{
    ApiError, Cloud, Reply,
    error::{fault, invalid},
    input::Input,
};

/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html>
const TAGS: usize = 50;

pub(super) type Tags = BTreeMap<String, String>;

/// The input's `tags`, checked.
pub(super) fn read(input: &Input<'_>) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("tags", &["key", "value"])? {
        let (key, value) = (tag.need("key")?, tag.text("value")?.unwrap_or_default());
        if key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!(
                "The tag {key} is too long: 128 characters for a key, 256 for a value."
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid(format!(
                "The tag {key} begins with aws:, which is reserved."
            )));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(invalid(format!("Duplicate tag keys found: {key}")));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

/// As ECS returns them.
pub(super) fn view(tags: &Tags) -> Vec<Value> {
    tags.iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

fn check_count(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > TAGS {
        return Err(invalid(format!("A resource can have at most {TAGS} tags.")));
    }
    Ok(())
}

impl Cloud {
    pub(super) fn tag_resource(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["resourceArn", "tags"])?;
        let new = read(&input)?;
        let tags = self.tags_mut(input.need("resourceArn")?)?;
        let mut merged = tags.clone();
        merged.extend(new);
        check_count(&merged)?;
        *tags = merged;
        Ok(json!({}))
    }

    pub(super) fn untag_resource(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["resourceArn", "tagKeys"])?;
        let keys = input.texts("tagKeys")?;
        let tags = self.tags_mut(input.need("resourceArn")?)?;
        for key in keys {
            tags.remove(key);
        }
        Ok(json!({}))
    }

    pub(super) fn list_resource_tags(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["resourceArn"])?;
        let arn = input.need("resourceArn")?;
        let ecs = &self.ecs;
        let tags = match self.resource(arn)? {
            ("cluster", name) => ecs.clusters.get(name).map(|cluster| &cluster.tags),
            ("service", _) => ecs.services.get(arn).map(|service| &service.tags),
            ("task", _) => ecs.tasks.get(arn).map(|task| &task.tags),
            _ => ecs.definition(arn).map(|definition| &definition.tags),
        };
        Ok(json!({ "tags": view(tags.ok_or_else(missing_resource)?) }))
    }

    fn tags_mut(&mut self, arn: &str) -> Result<&mut Tags, ApiError> {
        let kind = self.resource(arn)?.0.to_owned();
        let ecs = &mut self.ecs;
        let tags = match kind.as_str() {
            "cluster" => ecs
                .clusters
                .values_mut()
                .find(|cluster| cluster.arn == arn)
                .map(|cluster| &mut cluster.tags),
            "service" => ecs.services.get_mut(arn).map(|service| &mut service.tags),
            "task" => ecs.tasks.get_mut(arn).map(|task| &mut task.tags),
            _ => ecs
                .definition_mut(arn)
                .map(|definition| &mut definition.tags),
        };
        tags.ok_or_else(missing_resource)
    }

    /// The kind of resource that an ARN of ours names, and the rest of it.
    fn resource<'a>(&self, arn: &'a str) -> Result<(&'a str, &'a str), ApiError> {
        arn.strip_prefix(&self.ids.arn("ecs", ""))
            .and_then(|resource| resource.split_once('/'))
            .filter(|(kind, _)| ["cluster", "service", "task", "task-definition"].contains(kind))
            .ok_or_else(|| {
                invalid(format!(
                    "{arn} is not the ARN of a resource that can be tagged."
                ))
            })
    }
}

fn missing_resource() -> ApiError {
    fault(
        "InvalidParameterException",
        "The specified resource is not found. Specify a valid resource ARN and try again.",
    )
}
