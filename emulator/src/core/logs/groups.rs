//! Log groups: their life, their retention, their tags.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CODE, check_limit, missing_group, store::Group};
use crate::core::{
    ApiError, Cloud, Reply,
    error::{fault, invalid, limit},
    input::Input,
    page::{Paging, with_token},
};

/// Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
const RETENTION_DAYS: [i64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
const GROUPS: usize = 10_000;
const PAGING: Paging = Paging {
    token: "nextToken",
    limit: "limit",
    default: 50,
    max: 50,
};

impl Cloud {
    pub(super) fn create_log_group(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let members = [
            "logGroupName",
            "kmsKeyId",
            "tags",
            "logGroupClass",
            "deletionProtectionEnabled",
        ];
        let input = Input::new(input, CODE, &members)?;
        input.refuse(&["kmsKeyId", "deletionProtectionEnabled"])?;
        input.word("logGroupClass", &["STANDARD"])?;
        let name = input.need("logGroupName")?;
        check_name(name)?;
        let mut group = Group::new(now);
        for (key, value) in tags(&input)? {
            group.tags.insert(key, value);
        }
        if self.logs.has_group(name) {
            return Err(fault(
                "ResourceAlreadyExistsException",
                "The specified log group already exists",
            ));
        }
        if self.logs.groups.len() >= GROUPS {
            return Err(limit("Resource limit exceeded."));
        }
        self.logs.groups.insert(name.to_owned(), group);
        Ok(json!({}))
    }

    pub(super) fn describe_log_groups(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "logGroupNamePrefix",
            "logGroupNamePattern",
            "nextToken",
            "limit",
        ];
        let input = Input::new(input, CODE, &members)?;
        let prefix = input.text("logGroupNamePrefix")?;
        let pattern = input.text("logGroupNamePattern")?;
        if prefix.is_some() && pattern.is_some() {
            return Err(invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        let groups = self.logs.groups.iter().filter(|(name, _)| {
            prefix.is_none_or(|prefix| name.starts_with(prefix))
                && pattern.is_none_or(|pattern| name.contains(pattern))
        });
        let views = groups.map(|(name, group)| {
            let mut view = self.log_group_view(name, group);
            if let (Some(_), Some(map)) = (pattern, view.as_object_mut()) {
                map.retain(|key, _| {
                    ["arn", "creationTime", "logGroupName"].contains(&key.as_str())
                });
            }
            (name.clone(), view)
        });
        check_limit(&input, 50)?;
        let (page, next) = PAGING.cut(&input, views)?;
        Ok(with_token(json!({ "logGroups": page }), next))
    }

    pub(super) fn delete_log_group(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["logGroupName"])?;
        if !self.logs.delete_group(input.need("logGroupName")?) {
            return Err(missing_group());
        }
        Ok(json!({}))
    }

    fn log_group_view(&self, name: &str, group: &Group) -> Value {
        let arn = self.ids.arn("logs", &format!("log-group:{name}"));
        let mut view = json!({
            "logGroupName": name,
            "creationTime": group.created.as_millisecond(),
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "storedBytes": group.bytes(),
            "logGroupClass": "STANDARD",
            "logGroupArn": arn,
        });
        if let (Some(days), Some(map)) = (group.retention_days, view.as_object_mut()) {
            map.insert("retentionInDays".to_owned(), Value::from(days));
        }
        view
    }

    pub(super) fn put_retention_policy(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["logGroupName", "retentionInDays"])?;
        let days = input.int("retentionInDays")?;
        if !days.is_some_and(|days| RETENTION_DAYS.contains(&days)) {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: {RETENTION_DAYS:?}"
            )));
        }
        self.log_group_mut(input.need("logGroupName")?)?
            .retention_days = days;
        Ok(json!({}))
    }

    pub(super) fn delete_retention_policy(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["logGroupName"])?;
        self.log_group_mut(input.need("logGroupName")?)?
            .retention_days = None;
        Ok(json!({}))
    }

    pub(super) fn tag_log_group(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["resourceArn", "tags"])?;
        let name = self.log_group_of_arn(&input)?;
        let tags = tags(&input)?;
        let group = self.log_group_mut(&name)?;
        let mut merged = group.tags.clone();
        merged.extend(tags);
        if merged.len() > 50 {
            return Err(fault(
                "TooManyTagsException",
                "A resource can have at most 50 tags.",
            ));
        }
        group.tags = merged;
        Ok(json!({}))
    }

    pub(super) fn untag_log_group(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["resourceArn", "tagKeys"])?;
        let name = self.log_group_of_arn(&input)?;
        let keys = input.texts("tagKeys")?;
        let group = self.log_group_mut(&name)?;
        group.tags.retain(|key, _| !keys.contains(&key.as_str()));
        Ok(json!({}))
    }

    pub(super) fn list_log_group_tags(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["resourceArn"])?;
        let name = self.log_group_of_arn(&input)?;
        let group = self.logs.groups.get(&name).ok_or_else(missing_group)?;
        Ok(json!({ "tags": group.tags }))
    }

    fn log_group_mut(&mut self, name: &str) -> Result<&mut Group, ApiError> {
        self.logs.groups.get_mut(name).ok_or_else(missing_group)
    }

    /// Tagging takes the ARN without its final `:*`.
    fn log_group_of_arn(&self, input: &Input<'_>) -> Result<String, ApiError> {
        let arn = input.need("resourceArn")?;
        arn.strip_prefix(&self.ids.arn("logs", "log-group:"))
            .filter(|name| !name.contains([':', '*']))
            .map(str::to_owned)
            .ok_or_else(|| invalid(format!("{arn} is not the ARN of a log group.")))
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
    if name.len() > 512 || name.starts_with("aws/") || !name.chars().all(allowed) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    Ok(())
}

fn tags(input: &Input<'_>) -> Result<Vec<(String, String)>, ApiError> {
    let Some(tags) = input.value("tags") else {
        return Ok(Vec::new());
    };
    let map = tags
        .as_object()
        .ok_or_else(|| invalid("tags must be a map."))?;
    if map.len() > 50 {
        return Err(invalid("A resource can have at most 50 tags."));
    }
    map.iter()
        .map(|(key, value)| match value.as_str() {
            Some(value) if (1..=128).contains(&key.len()) && value.len() <= 256 => {
                Ok((key.clone(), value.to_owned()))
            }
            Some(_) | None => Err(invalid(format!("The tag {key} is not valid."))),
        })
        .collect()
}
