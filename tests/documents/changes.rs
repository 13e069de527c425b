//! Every single change of a document: each scalar to another value, each member and entry gone, one entry more in each
//! list, each list in another order, each member that ECS's model has and the document has not.

use std::collections::BTreeSet;

use evenkeel::document::Document;
use serde_json::{Value, json};

use super::{model, pairs::Pair, walk::Walk};

/// Which side is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What the manifest asks for.
    Manifest,
    /// What AWS returns.
    Live,
}

/// A document with one change.
#[derive(Debug)]
pub struct Change {
    /// What was changed, for people.
    pub what: String,
    /// `service` or `taskDefinition`.
    pub root: &'static str,
    /// The changed document.
    pub document: Document,
    /// What must be found.
    pub expected: Expected,
}

/// What must be found of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Differences of just these JSON pointers.
    Named(BTreeSet<String>),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// Every change of one side of a pair. `added` are the members that were tried in another pair: once is enough.
pub fn of(pair: &Pair, side: Side, added: &mut BTreeSet<String>) -> Vec<Change> {
    let definition = pair.desired.definition.as_ref().unwrap();
    let mut changes = Vec::new();
    for (root, manifest, live) in [
        ("service", &pair.desired.service, &pair.service),
        ("taskDefinition", definition, &pair.definition),
    ] {
        let [manifest, live] = [manifest, live].map(|document| Value::Object(document.clone()));
        let is_count_declared = pair.desired.manifest.desired_count.is_some();
        let walk = Walk::new(root, side, manifest, live, is_count_declared, added);
        changes.extend(walk.changes(model::root(root)));
    }
    changes
}

/// Another value of the same type.
pub fn another(value: &Value) -> Value {
    match value {
        Value::Bool(yes) => json!(!yes),
        Value::String(text) => json!(format!("{text}-changed")),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => json!(whole + 1),
            None => json!(number.as_f64().unwrap() + 1.0),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => panic!("{value} is not a scalar"),
    }
}
