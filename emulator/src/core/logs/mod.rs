//! CloudWatch Logs: groups, their streams, and reading them.

mod groups;
mod position;
mod put;
mod read;
mod store;
mod streams;

use jiff::Timestamp;

use super::{
    ApiError, Call, Cloud, Reply,
    error::{fault, invalid},
    input::Input,
};

pub(crate) use store::Logs;

const CODE: &str = "InvalidParameterException";

impl Cloud {
    pub(super) fn logs(&mut self, call: &Call, now: Timestamp) -> Result<Reply, ApiError> {
        let input = &call.input;
        match call.operation.as_str() {
            "CreateLogGroup" => self.create_log_group(input, now),
            "DeleteLogGroup" => self.delete_log_group(input),
            "DescribeLogGroups" => self.describe_log_groups(input),
            "PutRetentionPolicy" => self.put_retention_policy(input),
            "DeleteRetentionPolicy" => self.delete_retention_policy(input),
            "TagResource" => self.tag_log_group(input),
            "UntagResource" => self.untag_log_group(input),
            "ListTagsForResource" => self.list_log_group_tags(input),
            "CreateLogStream" => self.create_log_stream(input, now),
            "DeleteLogStream" => self.delete_log_stream(input),
            "PutLogEvents" => self.put_log_events(input, now),
            "DescribeLogStreams" => self.describe_log_streams(input),
            "GetLogEvents" => self.get_log_events(input),
            "FilterLogEvents" => self.filter_log_events(input),
            other => Err(fault("UnknownOperationException", other)),
        }
    }
}

/// The bounds of `limit`, in CloudWatch's words.
fn check_limit(input: &Input<'_>, most: i64) -> Result<Option<i64>, ApiError> {
    let limit = input.int("limit")?;
    let bound = match limit {
        Some(limit) if limit < 1 => "greater than or equal to 1".to_owned(),
        Some(limit) if limit > most => format!("less than or equal to {most}"),
        Some(_) | None => return Ok(limit),
    };
    Err(invalid(format!(
        "1 validation error detected: Value '{}' at 'limit' failed to satisfy constraint: Member must have value {bound}",
        limit.unwrap_or_default()
    )))
}

fn missing_group() -> ApiError {
    fault(
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
}

fn missing_stream() -> ApiError {
    fault(
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )
}
