//! One call of an AWS API, after the wire protocol and before it.

use serde_json::Value;

/// The AWS service that a call addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Elastic Container Service.
    Ecs,
    /// Elastic Load Balancing v2.
    Elbv2,
    /// CloudWatch Logs.
    Logs,
    /// Elastic Container Registry.
    Ecr,
    /// Security Token Service.
    Sts,
    /// Simple Storage Service.
    S3,
}

/// A decoded call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The service addressed.
    pub service: Service,
    /// The operation's name, such as `DescribeServices`.
    pub operation: String,
    /// The input as a JSON object. For the Query protocol, member lists become arrays and every scalar is a string.
    pub input: Value,
    /// The access key that signed the call; empty when it was not signed.
    pub caller: String,
}

/// The output's JSON object. For the Query protocol, the wire turns it into the content of `<OperationResult>`.
pub type Reply = Value;

/// A failure in AWS's own form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The HTTP status: 400 for the client's fault, 500 for the server's.
    pub status: u16,
    /// The wire code, such as `ClusterNotFoundException`.
    pub code: &'static str,
    /// AWS's wording.
    pub message: String,
}
