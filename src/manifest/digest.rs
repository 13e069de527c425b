//! What identifies a manifest's content: SHA-256 of canonical JSON.
//!
//! The rendered document is hashed before any default is filled in or any type is taken from ECS's model, so that a
//! newer program sees no edit where nobody edited. Keys are sorted and every scalar is its text: neither order, quotes,
//! comments nor anchors make a difference.

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Manifest,
    node::{Kind, Node},
};

/// The digest of one rendered document.
pub(super) fn of_document(root: &Node) -> String {
    hash(&canonical(root))
}

/// The digest of a set: which services it describes, and how.
pub(super) fn of_set(manifests: &[Arc<Manifest>]) -> String {
    let mut parts: Vec<String> = manifests
        .iter()
        .map(|manifest| {
            let (cluster, name) = manifest.key();
            Value::from(vec![cluster, name, manifest.digest.clone()]).to_string()
        })
        .collect();
    parts.sort_unstable();
    hash(&parts.join("\n"))
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn canonical(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(scalar) => Value::from(scalar.text.as_str()).to_string(),
        Kind::Unresolved(text) => Value::from(text.as_str()).to_string(),
        Kind::List(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Kind::Map(entries) => {
            let mut fields: Vec<(&str, String)> = entries
                .iter()
                .map(|entry| (entry.key.as_str(), canonical(&entry.value)))
                .collect();
            fields.sort_unstable();
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(key, value)| format!("{}:{value}", Value::from(key)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
    }
}
