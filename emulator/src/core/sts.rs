//! STS, as far as asking who one is.

use serde_json::json;

use super::{ApiError, Call, Cloud, Reply, error::fault, input::Input};

impl Cloud {
    pub(super) fn sts(&self, call: &Call) -> Result<Reply, ApiError> {
        match call.operation.as_str() {
            "GetCallerIdentity" => {
                Input::new(&call.input, "ValidationError", &[])?;
                Ok(json!({
                    "UserId": call.caller,
                    "Account": self.ids.account,
                    "Arn": self.ids.caller(&call.caller),
                }))
            }
            other => Err(fault(
                "InvalidAction",
                format!("Could not find operation {other} for version 2011-06-15"),
            )),
        }
    }
}
