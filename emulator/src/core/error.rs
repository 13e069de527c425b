//! AWS's errors, made short to write.

use super::ApiError;

/// A fault of the client.
pub(crate) fn fault(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError {
        status: 400,
        code,
        message: message.into(),
    }
}

/// ECS's and ECR's and Logs' word for a bad input.
pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    fault("InvalidParameterException", message)
}

/// ECS's word for what the caller may not do.
pub(crate) fn client(message: impl Into<String>) -> ApiError {
    fault("ClientException", message)
}

/// A bound of the emulator or a quota of AWS is reached.
pub(crate) fn limit(message: impl Into<String>) -> ApiError {
    fault("LimitExceededException", message)
}
