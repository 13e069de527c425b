//! A call that failed. Its class decides what happens next.

use std::{error::Error, fmt};

use aws_credential_types::provider::error::CredentialsError;
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
                let mut message = one_line(&format!(
                    "{code}: {}",
                    meta.message().unwrap_or("no message").trim_end_matches('.')
                ));
                if let Some(region) = service.raw().headers().get("x-amz-bucket-region")
                    && is_elsewhere(&code)
                {
                    message.push_str(&format!(" (the bucket is in {region})"));
                }
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
            SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => {
                match (not_sent(error), error) {
                    (Some((code, message)), _) => (Class::Denied, code.to_owned(), message),
                    // The connection broke under the call.
                    (None, SdkError::DispatchFailure(_)) => (
                        Class::Unreachable,
                        "no_answer".to_owned(),
                        format!(
                            "no answer, and it may have been carried out: {}",
                            innermost(error)
                        ),
                    ),
                    (None, _) => (
                        Class::Denied,
                        "not_sent".to_owned(),
                        format!("the call could not be made: {}", innermost(error)),
                    ),
                }
            }
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
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestExpired"
        | "SignatureDoesNotMatch" => Class::Denied,
        // The state has changed since it was looked at, or another call is at it: the next look tells.
        "UpdateInProgressException"
        | "ServiceUnavailable"
        | "RequestTimeout"
        | "OperationAbortedException"
        | "ConflictException"
        | "ServiceNotActiveException" => Class::Transient,
        _ if status >= 500 => Class::Transient,
        "NoSuchBucket" | "NoSuchKey" => Class::NotFound,
        _ if code.contains("NotFound") => Class::NotFound,
        _ => Class::Invalid,
    }
}

/// How S3 says that a bucket is in another region than the one that was asked
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
fn is_elsewhere(code: &str) -> bool {
    [
        "PermanentRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    ]
    .contains(&code)
}

/// The code and words of a call that was not made because it is not known who we are, or where to.
fn not_sent(error: &(dyn Error + 'static)) -> Option<(&'static str, String)> {
    let credentials = causes(error).find_map(<dyn Error>::downcast_ref::<CredentialsError>);
    let why = innermost(error);
    match credentials {
        // The chain's last provider says only why it, too, has none.
        Some(CredentialsError::CredentialsNotLoaded(_)) => Some((
            "credentials",
            "there are no credentials in the environment, the profile or a role".to_owned(),
        )),
        Some(_) => Some(("credentials", format!("no credentials: {why}"))),
        None if why.contains("Missing Region") => Some(("region", "no region is set".to_owned())),
        None if why.contains("endpoint") => Some(("endpoint", why)),
        None => None,
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    one_line(
        causes(error)
            .last()
            .unwrap_or(error)
            .to_string()
            .trim_end_matches('.'),
    )
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Messages become lines of a log and cells of a table.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn help(class: Class, code: &str) -> impl fmt::Display {
    match (class, code) {
        (Class::Denied, "ExpiredTokenException" | "ExpiredToken") => {
            "; renew the credentials, and start evenkeel again where they come from its environment"
        }
        (Class::Denied, "credentials") => {
            "; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run with a task role"
        }
        (Class::Denied, "region") => "; set AWS_REGION",
        (Class::Denied, "endpoint") => "; correct AWS_ENDPOINT_URL, such as http://127.0.0.1:4566",
        (Class::Denied, "not_sent") => "; check AWS_REGION and the credentials",
        (Class::Denied, _) => "; check the role's policy and the credentials",
        (Class::Unreachable, "no_answer") => "; the next look tells",
        (Class::Unreachable, _) => "; check the network, AWS_REGION and AWS_ENDPOINT_URL",
        (Class::Throttled, _) => "; it is tried again, more slowly",
        (Class::NotFound, "ClusterNotFoundException") => {
            "; create the cluster, or correct its name (spec.cluster, --cluster) or the region (AWS_REGION)"
        }
        (Class::NotFound, "ServiceNotFoundException") => {
            "; correct the service's name or its cluster"
        }
        (Class::NotFound, "TargetGroupNotFound") => {
            "; create the target group or correct spec.service.loadBalancers[].targetGroupArn"
        }
        (Class::NotFound, "RepositoryNotFoundException") => {
            "; create the repository or correct spec.image.repository"
        }
        (Class::NotFound, "NoSuchBucket") => {
            "; create the bucket or correct its name (--manifests, --lease)"
        }
        (Class::Invalid, code) if is_elsewhere(code) => "; set AWS_REGION to the bucket's region",
        (Class::Transient | Class::NotFound | Class::Invalid, _) => "",
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::operation::describe_services::DescribeServicesError;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    fn not_sent(cause: impl Into<Box<dyn Error + Send + Sync>>) -> AwsError {
        let failure = ConnectorError::other(cause.into(), None);
        let error = SdkError::<DescribeServicesError, _>::dispatch_failure(failure);
        AwsError::new("ecs:DescribeServices".to_owned(), &error)
    }

    #[test]
    fn what_was_never_sent_says_what_is_missing() {
        for (error, word, what) in [
            (
                not_sent(CredentialsError::not_loaded("Attempted:\n  IMDS: no")),
                "no credentials",
                "AWS_PROFILE",
            ),
            (
                not_sent(CredentialsError::provider_error("expired\n  login")),
                "expired login",
                "AWS_PROFILE",
            ),
            (
                not_sent("Invalid Configuration: Missing Region"),
                "no region",
                "AWS_REGION",
            ),
            (
                not_sent("failed to apply endpoint `x`: endpoint must contain scheme"),
                "`x`",
                "AWS_ENDPOINT_URL",
            ),
        ] {
            let text = error.to_string();
            assert_eq!(error.class, Class::Denied, "{text}");
            assert!(text.contains(word) && text.contains(what), "{text}");
            assert!(!text.contains('\n'), "{text}");
        }
    }
}
