//! The errors of AWS's front door, in each service's own words.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use super::rules::ServiceName;
use crate::core::{ApiError, Call, Service};

pub(super) fn throttled(service: Service) -> ApiError {
    let code = match service {
        Service::S3 => return error(503, "SlowDown", "Please reduce your request rate."),
        Service::Sts => "Throttling",
        Service::Ecs | Service::Elbv2 | Service::Logs | Service::Ecr => "ThrottlingException",
    };
    error(400, code, "Rate exceeded")
}

pub(super) fn server(service: Service, status: u16) -> ApiError {
    let code = match (service, status) {
        (Service::Ecs | Service::Ecr, _) => "ServerException",
        (Service::Logs, _) => "ServiceUnavailableException",
        (Service::Elbv2 | Service::Sts | Service::S3, 503) => "ServiceUnavailable",
        (Service::Elbv2 | Service::Sts, _) => "InternalFailure",
        (Service::S3, _) => "InternalError",
    };
    error(status, code, "Service Unavailable. Please try again later.")
}

pub(super) fn denied(call: &Call, account: &str) -> ApiError {
    let action = format!(
        "{}:{}",
        ServiceName::from(call.service).name(),
        permission(call)
    );
    let user = match call.caller.as_str() {
        "" => "anonymous",
        key => key,
    };
    let message = format!(
        "User: arn:aws:iam::{account}:user/{user} is not authorized to perform: {action} on resource: * because no identity-based policy allows the {action} action"
    );
    match call.service {
        Service::Elbv2 | Service::Sts | Service::S3 => error(403, "AccessDenied", message),
        Service::Ecs | Service::Logs | Service::Ecr => error(400, "AccessDeniedException", message),
    }
}

/// What a policy would have to allow. Of S3's operations, some have none of their own:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
fn permission(call: &Call) -> &str {
    match (call.service, call.operation.as_str()) {
        (Service::S3, "ListBuckets") => "ListAllMyBuckets",
        (Service::S3, "HeadBucket" | "ListObjectsV2") => "ListBucket",
        (Service::S3, "HeadObject") => "GetObject",
        (_, operation) => operation,
    }
}

pub(super) fn expired(service: Service) -> ApiError {
    let message = "The security token included in the request is expired";
    match service {
        Service::Elbv2 | Service::Sts => error(403, "ExpiredToken", message),
        Service::S3 => error(400, "ExpiredToken", "The provided token has expired."),
        Service::Ecs | Service::Logs | Service::Ecr => error(400, "ExpiredTokenException", message),
    }
}

fn error(status: u16, code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError {
        status,
        code,
        message: message.into(),
    }
}
