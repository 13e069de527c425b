//! JSON 1.1: <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>.

use hyper::header::HeaderValue;
use serde_json::{Value, json};

use super::{is_operation_name, unknown_operation};
use crate::core::{ApiError, Call, Reply, Service};

pub(super) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Target prefixes, from each service's API model.
const TARGETS: [(&str, Service); 3] = [
    ("AmazonEC2ContainerServiceV20141113", Service::Ecs),
    ("Logs_20140328", Service::Logs),
    ("AmazonEC2ContainerRegistry_V20150921", Service::Ecr),
];

pub(super) fn decode(target: &HeaderValue, body: &[u8], caller: String) -> Result<Call, ApiError> {
    let (prefix, operation) = target
        .to_str()
        .ok()
        .and_then(|target| target.split_once('.'))
        .filter(|(_, operation)| is_operation_name(operation))
        .ok_or_else(|| unknown_operation("the header x-amz-target is not SERVICE.OPERATION"))?;
    let (_, service) = TARGETS
        .into_iter()
        .find(|(name, _)| *name == prefix)
        .ok_or_else(|| unknown_operation(&format!("no service here has the target {prefix}")))?;
    Ok(Call {
        service,
        operation: operation.to_owned(),
        input: input(body)?,
        caller,
    })
}

fn input(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let serialization = |message: String| ApiError {
        status: 400,
        code: "SerializationException",
        message,
    };
    match serde_json::from_slice(body) {
        Ok(input @ Value::Object(_)) => Ok(input),
        Ok(_) => Err(serialization(
            "the body is JSON, but not an object".to_owned(),
        )),
        Err(error) => Err(serialization(format!("the body is not JSON: {error}"))),
    }
}

pub(super) fn reply(reply: &Reply) -> String {
    match reply {
        Value::Null => "{}".to_owned(),
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => reply.to_string(),
    }
}

pub(super) fn error(error: &ApiError) -> String {
    json!({"__type": error.code, "message": error.message}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_a_bare_type_and_a_lower_case_message() {
        let text = error(&ApiError {
            status: 400,
            code: "ServiceNotFoundException",
            message: "say \"what\"".into(),
        });
        assert_eq!(
            text,
            r#"{"__type":"ServiceNotFoundException","message":"say \"what\""}"#
        );
    }

    #[test]
    fn nothing_to_say_is_an_empty_object() {
        assert_eq!(reply(&Value::Null), "{}");
        assert_eq!(reply(&json!({})), "{}");
    }
}
