//! The tags that Evenkeel writes. They are its only memory and a public, versioned format: names keep their meaning
//! within `evenkeel/v1`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// On services and definitions: who answers for it, `OWNER/CLUSTER/NAME`.
pub const OWNER: &str = "evenkeel:owner";
/// On services: the digest of the manifest that the service last matched.
pub const APPLIED: &str = "evenkeel:applied";
/// On services: what the manifest's image tag meant then, `sha256:…`.
pub const IMAGE: &str = "evenkeel:image";
/// On services: the keys of the manifest's labels, separated by spaces, so that a removed label is removed here too.
pub const LABELS: &str = "evenkeel:labels";
/// On services: the ARN of the failed service deployment that someone allowed to be tried again.
pub const FORGIVEN: &str = "evenkeel:forgiven";
/// On services: when too few healthy targets last led to a redeployment, RFC 3339, and [`ENDED`] once the minimum was met
/// again.
pub const REDEPLOYED: &str = "evenkeel:redeployed";
/// What follows the time in [`REDEPLOYED`] when that incident is over.
pub const ENDED: &str = "ended";
/// On definitions: the image tag as the manifest wrote it, for people to read.
pub const IMAGE_TAG: &str = "evenkeel:tag";

/// ECS's form: a list of `{key, value}`.
pub fn to_list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}
