//! What stands where a reference stood: a value from outside as a node, and as text.

use serde_json::Value;

use super::{
    diagnostic::Place,
    node::{Entry, Kind, Node, Scalar},
};

/// A value as text can contain it.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) fn text_of(text: String, written: String) -> Kind {
    Kind::Scalar(Scalar {
        text,
        plain: false,
        written: Some(written),
    })
}

/// A value of the values file where its reference stands.
pub(super) fn standing_in(node: &Node, place: Place, written: &str) -> Node {
    let kind = match &node.kind {
        Kind::Scalar(scalar) => Kind::Scalar(Scalar {
            written: Some(written.to_owned()),
            ..scalar.clone()
        }),
        Kind::List(items) => {
            let items = items.iter().map(|item| standing_in(item, place, written));
            Kind::List(items.collect())
        }
        Kind::Map(entries) => {
            let entries = entries.iter().map(|entry| Entry {
                key: entry.key.clone(),
                at: place,
                value: standing_in(&entry.value, place, written),
            });
            Kind::Map(entries.collect())
        }
        Kind::Unresolved(text) => Kind::Unresolved(text.clone()),
    };
    Node { place, kind }
}

/// A value from outside as a node that stands where its reference stands.
pub(super) fn from_json(value: Value, place: Place, written: &str, template: bool) -> Kind {
    let node = |value| Node {
        place,
        kind: from_json(value, place, written, template),
    };
    match value {
        Value::Array(items) => Kind::List(items.into_iter().map(node).collect()),
        Value::Object(fields) => Kind::Map(
            fields
                .into_iter()
                .map(|(key, value)| Entry {
                    key,
                    at: place,
                    value: node(value),
                })
                .collect(),
        ),
        Value::String(text) if template => text_of(text.replace("${", "$${"), written.to_owned()),
        Value::String(text) => text_of(text, written.to_owned()),
        Value::Null | Value::Bool(_) | Value::Number(_) => Kind::Scalar(Scalar {
            text: plain(&value).unwrap_or_default(),
            plain: true,
            written: Some(written.to_owned()),
        }),
    }
}
