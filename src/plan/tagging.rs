//! The service's tags: labels that people see, and the marks that are our memory.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    desired::Desired,
    diff::Difference,
    observed::LiveService,
    plan::{Plan, step},
    tags,
};

/// The member of a service under which its labels are compared.
pub(super) const MEMBER: &str = "tags";

/// Labels that are not on the service as the manifest says, and those of ours that it says no more. Other tags are
/// nobody's drift.
pub(super) fn differences(desired: &Desired, live: &BTreeMap<String, String>) -> Vec<Difference> {
    let labels = &desired.manifest.labels;
    let before = live
        .get(tags::LABELS)
        .map(String::as_str)
        .unwrap_or_default();
    let dropped = before
        .split_whitespace()
        .filter(|key| !labels.contains_key(*key));
    let keys = labels.keys().map(String::as_str).chain(dropped);
    keys.filter(|key| labels.get(*key) != live.get(*key))
        .map(|key| Difference {
            path: format!("service.{MEMBER}[{key}]"),
            pointer: format!(
                "/service/{MEMBER}/{}",
                key.replace('~', "~0").replace('/', "~1")
            ),
            desired: labels
                .get(key)
                .map_or(Value::Null, |value| value.as_str().into()),
            live: live
                .get(key)
                .map_or(Value::Null, |value| value.as_str().into()),
        })
        .collect()
}

/// Sets the labels that differ, and the marks; the mark of what was matched only when nothing is left standing.
pub(super) fn tag(
    desired: &Desired,
    service: &LiveService,
    to_send: &[Difference],
    will_match: bool,
    plan: &mut Plan,
) {
    let live = service.tags();
    let mut wanted = desired.service_tags();
    // It is ours, or is made so first.
    wanted.remove(tags::OWNER);
    if !will_match {
        wanted.remove(tags::APPLIED);
        wanted.remove(tags::IMAGE);
    }
    let differing = self::differences(desired, &live);
    let sent: Vec<_> = differing
        .iter()
        .filter(|difference| to_send.contains(difference))
        .filter_map(|difference| Some((label_of(difference)?, difference)))
        .collect();
    let is_sent = |key: &str| sent.iter().any(|(sent, _)| *sent == key);
    wanted.retain(|key, value| {
        live.get(key) != Some(value) && (key.starts_with("evenkeel:") || is_sent(key))
    });
    let mut stale: Vec<_> = sent
        .iter()
        .filter(|(_, difference)| difference.desired.is_null())
        .map(|(key, _)| (*key).to_owned())
        .collect();
    if desired.manifest.labels.is_empty() && live.contains_key(tags::LABELS) {
        stale.push(tags::LABELS.to_owned());
    }
    if !stale.is_empty() {
        // Before the mark that says which labels are ours: what it names no more, nobody would take away.
        plan.steps.push(step::untag(service.arn(), &stale));
    }
    if !wanted.is_empty() {
        plan.steps.push(step::tag(service.arn(), &wanted));
    }
}

/// The label that differs, if a label does.
pub(super) fn label_of(difference: &Difference) -> Option<&str> {
    if difference.root() != "service" || difference.member() != MEMBER {
        return None;
    }
    let (_, key) = difference.path.split_once('[')?;
    key.strip_suffix(']')
}
