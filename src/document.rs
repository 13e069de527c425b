//! ECS documents as ECS speaks them: JSON objects in camelCase, from the manifest to the wire and back.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// A JSON object in ECS's own shape.
pub type Document = Map<String, Value>;

/// A document as the text of its JSON: a fleet keeps many, and a tree of values takes five times as much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed(Box<str>);

impl Packed {
    /// Packs a document.
    pub fn of(document: &Document) -> Self {
        // As `Value` writes itself: a document cannot fail to be text.
        Self(serde_json::to_string(document).unwrap_or_default().into())
    }

    /// The document.
    pub fn open(&self) -> Document {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// The string under `key`, empty when absent.
pub fn text<'a>(document: &'a Document, key: &str) -> &'a str {
    document
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The count under `key`, 0 when absent or negative.
pub fn count(document: &Document, key: &str) -> u32 {
    document
        .get(key)
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or_default()
}

/// The objects of the list under `key`; anything else in it is skipped.
pub fn objects<'a>(document: &'a Document, key: &str) -> impl Iterator<Item = &'a Document> {
    document
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// The strings of the list under `key`.
pub fn texts<'a>(document: &'a Document, key: &str) -> impl Iterator<Item = &'a str> {
    document
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// ECS's timestamps: seconds since the epoch as a JSON number with a fraction.
pub fn time(document: &Document, key: &str) -> Option<Timestamp> {
    let seconds = document.get(key)?.as_f64()?;
    let time =
        Timestamp::from_duration(jiff::SignedDuration::try_from_secs_f64(seconds).ok()?).ok()?;
    // A float of this size is exact to less than a microsecond, and ECS means milliseconds.
    time.round(jiff::Unit::Millisecond).ok()
}

/// The target groups that a service's document names, by ARN.
pub fn target_groups(service: &Document) -> impl Iterator<Item = &str> {
    objects(service, "loadBalancers")
        .map(|balancer| text(balancer, "targetGroupArn"))
        .filter(|arn| !arn.is_empty())
}

/// The last part of an ARN or of a name: `arn:aws:ecs:…:cluster/prod` is `prod`.
pub fn short_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
