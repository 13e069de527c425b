//! ECS documents through the SDK untouched.
//!
//! The Rust SDK's types have no serde and lag behind the service. ECS speaks JSON, so the body is put in as it is and
//! taken out as it came; credentials, endpoints, signing, retries and errors remain the SDK's.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept, context::AfterDeserializationInterceptorContextRef, dyn_dispatch_hint,
        },
        orchestrator::HttpRequest,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag};
use jiff::{Timestamp, fmt::rfc2822};
use serde_json::Value;

use crate::document::Document;

/// An answer of ECS: its document, and when AWS gave it by its own clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) document: Document,
    pub(super) date: Option<Timestamp>,
}

/// Puts `input` in place of the body that the SDK made. Signing comes after this.
pub(super) fn replace_body(
    input: &Document,
) -> impl Fn(&mut HttpRequest) + Send + Sync + 'static + use<> {
    let body = serde_json::to_vec(input).unwrap_or_default();
    move |request| {
        request
            .headers_mut()
            .insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body.clone());
    }
}

/// Keeps the last attempt's response.
#[derive(Debug, Clone, Default)]
pub(super) struct Capture(Arc<Mutex<Option<Answer>>>);

impl Capture {
    /// What was captured; `None` when the body was not a JSON object.
    pub(super) fn take(&self) -> Option<Answer> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()
    }
}

#[dyn_dispatch_hint]
impl Intercept for Capture {
    fn name(&self) -> &'static str {
        "CaptureDocument"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let date = response
            .headers()
            .get("date")
            .and_then(|date| rfc2822::parse(date).ok())
            .map(|date| date.timestamp());
        let body = response.body().bytes().unwrap_or_default();
        let answer = match serde_json::from_slice(body) {
            Ok(Value::Object(document)) => Some(Answer { document, date }),
            Ok(_) | Err(_) => None,
        };
        *self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = answer;
        Ok(())
    }
}
