//! `If-Match` and `If-None-Match`, of reads and of writes.

use super::{Object, error, not_implemented};
use crate::core::{ApiError, input::Input};

/// The condition of a write:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
pub(super) fn check_write(input: &Input<'_>, present: Option<&Object>) -> Result<(), ApiError> {
    match (input.text("IfMatch")?, input.text("IfNoneMatch")?) {
        (None, None) => Ok(()),
        (None, Some("*")) => match present {
            Some(_) => Err(failed("If-None-Match")),
            None => Ok(()),
        },
        (None, Some(_)) => Err(not_implemented("If-None-Match of a write but *")),
        (Some(_), Some(_)) => Err(not_implemented("If-Match together with If-None-Match")),
        (Some("*"), None) => Err(not_implemented("If-Match: * of a write")),
        (Some(wanted), None) => match present {
            Some(object) if is_same(wanted, object) => Ok(()),
            Some(_) => Err(failed("If-Match")),
            None => Err(no_such_key()),
        },
    }
}

/// The conditions of a read:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-reads.html>.
pub(super) fn check_read(input: &Input<'_>, object: &Object) -> Result<(), ApiError> {
    let holds = |condition: &str| condition == "*" || is_same(condition, object);
    if input.text("IfMatch")?.is_some_and(|it| !holds(it)) {
        return Err(failed("If-Match"));
    }
    if input.text("IfNoneMatch")?.is_some_and(holds) {
        return Err(error(304, "NotModified", "Not Modified"));
    }
    Ok(())
}

/// S3 takes an ETag with its quotes and without.
fn is_same(wanted: &str, object: &Object) -> bool {
    wanted.trim_matches('"') == object.etag.trim_matches('"')
}

fn failed(condition: &str) -> ApiError {
    error(
        412,
        "PreconditionFailed",
        format!("At least one of the pre-conditions you specified did not hold: {condition}"),
    )
}

pub(super) fn no_such_key() -> ApiError {
    error(404, "NoSuchKey", "The specified key does not exist.")
}
