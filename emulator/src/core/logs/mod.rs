//! CloudWatch Logs: groups, their streams, and reading them.

mod groups;
mod read;
mod store;

use jiff::Timestamp;

use super::{ApiError, Call, Cloud, Reply, error::fault};

pub(crate) use store::Logs;

const CODE: &str = "InvalidParameterException";

impl Cloud {
    pub(super) fn logs(&mut self, call: &Call, now: Timestamp) -> Result<Reply, ApiError> {
        let input = &call.input;
        match call.operation.as_str() {
            "CreateLogGroup" => self.create_log_group(input, now),
            "DescribeLogGroups" => self.describe_log_groups(input),
            "PutRetentionPolicy" => self.put_retention_policy(input),
            "DeleteRetentionPolicy" => self.delete_retention_policy(input),
            "TagResource" => self.tag_log_group(input),
            "ListTagsForResource" => self.list_log_group_tags(input),
            "DescribeLogStreams" => self.describe_log_streams(input),
            "GetLogEvents" => self.get_log_events(input),
            "FilterLogEvents" => self.filter_log_events(input),
            other => Err(fault("UnknownOperationException", other)),
        }
    }
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
