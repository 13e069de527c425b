//! Tags of repositories, which are not the tags of their images.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{CODE, Repository, missing_repository};
use crate::core::{ApiError, Cloud, Reply, error::fault, input::Input};

/// Source: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html>
const TAGS: usize = 50;

impl Cloud {
    pub(super) fn tag_repository(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["resourceArn", "tags"])?;
        let tags = read_tags(&input)?;
        let repository = self.tagged_mut(&input)?;
        let mut merged = repository.labels.clone();
        merged.extend(tags);
        check_count(&merged)?;
        repository.labels = merged;
        Ok(json!({}))
    }

    pub(super) fn untag_repository(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["resourceArn", "tagKeys"])?;
        let keys = input.texts("tagKeys")?;
        let repository = self.tagged_mut(&input)?;
        repository
            .labels
            .retain(|key, _| !keys.contains(&key.as_str()));
        Ok(json!({}))
    }

    pub(super) fn list_repository_tags(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["resourceArn"])?;
        let name = self.name_of_arn(&input)?;
        let repository = self.ecr.repositories.get(name);
        let repository = repository.ok_or_else(|| missing_repository(&self.ids.account, name))?;
        let tags: Vec<Value> = repository
            .labels
            .iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }))
            .collect();
        Ok(json!({ "tags": tags }))
    }

    fn tagged_mut(&mut self, input: &Input<'_>) -> Result<&mut Repository, ApiError> {
        let name = self.name_of_arn(input)?;
        let repository = self.ecr.repositories.get_mut(name);
        repository.ok_or_else(|| missing_repository(&self.ids.account, name))
    }

    fn name_of_arn<'a>(&self, input: &Input<'a>) -> Result<&'a str, ApiError> {
        let arn = input.need("resourceArn")?;
        arn.strip_prefix(&self.ids.arn("ecr", "repository/"))
            .ok_or_else(|| {
                input.error(format!(
                    "Invalid parameter at 'resourceArn' failed to satisfy constraint: '{arn} is not the ARN of a repository'"
                ))
            })
    }
}

/// The input's `tags`, checked.
pub(super) fn read_tags(input: &Input<'_>) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for tag in input.objects("tags", &["Key", "Value"])? {
        let (key, value) = (tag.need("Key")?, tag.text("Value")?.unwrap_or_default());
        let reserved = key.to_ascii_lowercase().starts_with("aws:");
        if reserved || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(fault(
                "InvalidTagParameterException",
                format!(
                    "The tag {key} is reserved or too long: 128 characters for a key, 256 for a value."
                ),
            ));
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > TAGS {
        return Err(fault(
            "TooManyTagsException",
            format!("A repository can have at most {TAGS} tags."),
        ));
    }
    Ok(())
}
