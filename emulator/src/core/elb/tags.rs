//! Tags of load balancers, listeners, rules and target groups.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{CODE, Elb, missing_balancer, missing_group, missing_listener, missing_rule};
use crate::core::{ApiError, Cloud, Reply, error::fault, input::Input};

/// Source of the bounds: <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddTags.html>
const TAGS: usize = 50;
const RESOURCES: usize = 20;

/// Values by key.
pub(super) type Tags = BTreeMap<String, String>;

/// The tags that an input gives.
///
/// # Errors
/// A key twice, too long, or one of AWS's own; a value that is too long; too many.
pub(super) fn read(input: &Input<'_>) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("Tags", &["Key", "Value"])? {
        let (key, value) = (tag.need("Key")?, tag.text("Value")?.unwrap_or(""));
        if key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(input.error(format!(
                "The tag '{key:.200}' is too long: a key can have 128 characters, a value 256"
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(input.error("Tag keys starting with 'aws:' are reserved for system use"));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(fault(
                "DuplicateTagKeys",
                format!("The tag key '{key}' was specified more than once"),
            ));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > TAGS {
        return Err(fault(
            "TooManyTags",
            format!("The maximum number of tags, '{TAGS}', has been reached for this resource"),
        ));
    }
    Ok(())
}

impl Elb {
    fn exists(&self, arn: &str) -> bool {
        self.balancers.contains_key(arn)
            || self.groups.contains_key(arn)
            || self.rules.contains_key(arn)
            || self
                .listeners
                .iter()
                .any(|(key, listener)| key == arn || listener.default_rule == arn)
    }

    /// The resources that an input names, all of which exist.
    fn resources<'a>(&self, input: &Input<'a>) -> Result<Vec<&'a str>, ApiError> {
        let arns = input.texts("ResourceArns")?;
        if arns.is_empty() {
            return Err(input.error("A resource ARN must be specified"));
        }
        if arns.len() > RESOURCES {
            return Err(input.error(format!(
                "At most '{RESOURCES}' resources can be specified at once"
            )));
        }
        match arns.iter().find(|arn| !self.exists(arn)) {
            None => Ok(arns),
            Some(arn) if arn.contains(":loadbalancer/") => Err(missing_balancer()),
            Some(arn) if arn.contains(":targetgroup/") => Err(missing_group()),
            Some(arn) if arn.contains(":listener-rule/") => Err(missing_rule()),
            Some(arn) if arn.contains(":listener/") => Err(missing_listener()),
            Some(arn) => Err(input.error(format!("'{arn}' is not a valid resource ARN"))),
        }
    }

    pub(super) fn set_tags(&mut self, arn: &str, tags: Tags) {
        if !tags.is_empty() {
            self.tags.insert(arn.to_owned(), tags);
        }
    }

    pub(super) fn has_tags(&self, arn: &str, tags: &Tags) -> bool {
        self.tags.get(arn).is_none_or(Tags::is_empty) && tags.is_empty()
            || self.tags.get(arn) == Some(tags)
    }
}

impl Cloud {
    pub(super) fn add_elb_tags(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["ResourceArns", "Tags"])?;
        let arns = self.elb.resources(&input)?;
        let added = read(&input)?;
        if added.is_empty() {
            return Err(input.error("A tag must be specified"));
        }
        let merged = |arn: &str| {
            let mut tags = self.elb.tags.get(arn).cloned().unwrap_or_default();
            tags.extend(added.clone());
            check_count(&tags).map(|()| tags)
        };
        let all: Vec<Tags> = arns
            .iter()
            .map(|arn| merged(arn))
            .collect::<Result<_, _>>()?;
        for (arn, tags) in arns.into_iter().zip(all) {
            self.elb.set_tags(arn, tags);
        }
        Ok(json!({}))
    }

    pub(super) fn remove_elb_tags(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["ResourceArns", "TagKeys"])?;
        let arns = self.elb.resources(&input)?;
        let keys = input.texts("TagKeys")?;
        if keys.is_empty() {
            return Err(input.error("A tag key must be specified"));
        }
        for arn in arns {
            if let Some(tags) = self.elb.tags.get_mut(arn) {
                tags.retain(|key, _| !keys.contains(&key.as_str()));
            }
        }
        Ok(json!({}))
    }

    pub(super) fn describe_elb_tags(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["ResourceArns"])?;
        let view = |arn: &&str| {
            let tags = self.elb.tags.get(*arn).into_iter().flatten();
            let tags: Vec<Value> = tags
                .map(|(key, value)| json!({ "Key": key, "Value": value }))
                .collect();
            json!({ "ResourceArn": arn, "Tags": tags })
        };
        let views: Vec<Value> = self.elb.resources(&input)?.iter().map(view).collect();
        Ok(json!({ "TagDescriptions": views }))
    }
}
