//! A call that failed. Its class decides what happens next.

use std::{error::Error, fmt};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::Operation;

/// A call that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation}: {message}{}", help(*class, code))]
pub struct AwsError {
    /// `ecs:DescribeServices`.
    pub operation: String,
    /// What to do about it.
    pub class: Class,
    /// AWS's code, or ours for what never reached AWS; a label of the metrics.
    pub code: String,
    /// What happened, with AWS's code and words.
    pub message: String,
}

/// What to do about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// AWS has no room for us now: try later, and less.
    Throttled,
    /// AWS's own fault, or nobody's: try again.
    Transient,
    /// AWS cannot be reached, or did not answer in time. A write may have been done.
    Unreachable,
    /// Who we are is not known, or not allowed: only a person can mend it.
    Denied,
    /// What is named does not exist.
    NotFound,
    /// The input is wrong: only another manifest can mend it.
    Invalid,
}

impl AwsError {
    /// An answer that is not what the operation answers.
    pub(super) fn unreadable(operation: Operation) -> Self {
        Self {
            operation: format!("{}:{}", operation.service, operation.name),
            class: Class::Transient,
            code: "unreadable".to_owned(),
            message: "not an answer of AWS: it lacks what it must have".to_owned(),
        }
    }

    /// The code as a label of a metric: AWS's codes are words, and anything else is one label.
    pub(super) fn label(&self) -> &str {
        let is_word = self.code.len() <= 64
            && self
                .code
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if is_word { &self.code } else { "other" }
    }

    /// The class and words of a failure of the SDK.
    pub(super) fn new<E>(operation: String, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (class, code, message) = match error {
            SdkError::ServiceError(service) => {
                let meta = service.err().meta();
                let code = meta.code().unwrap_or("unknown").to_owned();
                let status = service.raw().status().as_u16();
                let message = format!("{code}: {}", meta.message().unwrap_or("no message"));
                (classify(&code, status), code, message)
            }
            SdkError::TimeoutError(_) => (
                Class::Unreachable,
                "timeout".to_owned(),
                "no answer in time".to_owned(),
            ),
            SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => (
                Class::Unreachable,
                "unreachable".to_owned(),
                format!("AWS cannot be reached: {}", innermost(error)),
            ),
            SdkError::ResponseError(_) => (
                Class::Transient,
                "response".to_owned(),
                format!("not an answer of AWS: {}", innermost(error)),
            ),
            // Credentials and regions that cannot be found fail before anything is sent.
            SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => (
                Class::Denied,
                "not_sent".to_owned(),
                format!("the call could not be made: {}", innermost(error)),
            ),
            _ => (Class::Transient, "unknown".to_owned(), innermost(error)),
        };
        Self {
            operation,
            class,
            code,
            message,
        }
    }
}

fn classify(code: &str, status: u16) -> Class {
    match code {
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "LimitExceededException" => Class::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "UnrecognizedClientException"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestExpired"
        | "SignatureDoesNotMatch" => Class::Denied,
        "UpdateInProgressException" | "ServiceUnavailable" | "OperationAbortedException" => {
            Class::Transient
        }
        _ if status >= 500 => Class::Transient,
        _ if code.contains("NotFound") => Class::NotFound,
        _ => Class::Invalid,
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string().trim_end_matches('.').to_owned()
}

fn help(class: Class, code: &str) -> impl fmt::Display {
    match (class, code) {
        (Class::Denied, "ExpiredTokenException" | "ExpiredToken") => "; renew the credentials",
        (Class::Denied, "not_sent") => {
            "; set a region and credentials (AWS_REGION, AWS_PROFILE or a task role)"
        }
        (Class::Denied, _) => "; check the role's policy and the credentials",
        (Class::Unreachable, _) => "; check the network and AWS_ENDPOINT_URL",
        (Class::Throttled, _) => "; it is tried again, more slowly",
        (Class::NotFound, "ClusterNotFoundException") => {
            "; create the cluster or correct spec.cluster"
        }
        (Class::NotFound, "TargetGroupNotFound") => {
            "; create the target group or correct spec.service.loadBalancers[].targetGroupArn"
        }
        (Class::NotFound, "RepositoryNotFoundException") => {
            "; create the repository or correct spec.image.repository"
        }
        (Class::Transient | Class::NotFound | Class::Invalid, _) => "",
    }
}
