//! What the rules about deployments read in what AWS shows.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{journal::Change, sight::Sight};

/// The deployment that a change has started, if it has: its target's projection.
pub(super) fn started(change: &Change) -> Option<Value> {
    let (before, after) = (primary(&change.before), primary(&change.after));
    let is_new = !after.is_null() && after["id"] != before["id"];
    let newest = change.after.deployments.first().filter(|_| is_new)?;
    Some(aim(&change.after, newest))
}

/// Whether a change has started a deployment of a service that there was.
pub(super) fn starts(change: &Change) -> bool {
    started(change).is_some()
}

pub(super) fn primary(sight: &Sight) -> &Value {
    let deployments = sight.service["deployments"].as_array();
    let primary = deployments
        .into_iter()
        .flatten()
        .find(|one| one["status"] == "PRIMARY");
    primary.unwrap_or(&Value::Null)
}

/// What a service deployment aims at: what its revision carries, and the definition's content.
pub(super) fn aim(sight: &Sight, deployment: &Value) -> Value {
    let arn = &deployment["targetServiceRevision"]["arn"];
    let revision = sight
        .revisions
        .iter()
        .find(|one| one["serviceRevisionArn"] == *arn);
    let Some(Value::Object(revision)) = revision else {
        return Value::Null;
    };
    let mut aim = revision.clone();
    for own in [
        "serviceRevisionArn",
        "serviceArn",
        "clusterArn",
        "createdAt",
        "taskDefinition",
        "containerImages",
        "resolvedConfiguration",
        // Resolved, where the service says LATEST.
        "platformVersion",
        "platformFamily",
        // A service's first revision omits them.
        "loadBalancers",
        "serviceRegistries",
    ] {
        aim.remove(own);
    }
    aim.insert("definition".to_owned(), content(&revision["definition"]));
    canonical(Value::Object(aim))
}

/// Whether a service deployment may have had the target groups that a change leaves. Its revision says so, but a
/// service's first revision omits them: then those before the change count.
pub(super) fn may_balance_alike(change: &Change, deployment: &Value) -> bool {
    let after = &change.after.service["loadBalancers"];
    let arn = &deployment["targetServiceRevision"]["arn"];
    let mut revisions = change.before.revisions.iter();
    let revision = revisions.find(|one| one["serviceRevisionArn"] == *arn);
    let own = revision.map(|revision| &revision["loadBalancers"]);
    let had = own.filter(|own| !is_empty(own));
    let had = had.unwrap_or(&change.before.service["loadBalancers"]);
    canonical(had.clone()) == canonical(after.clone())
}

/// What was asked for of a definition, without what AWS adds.
#[must_use]
pub fn content(definition: &Value) -> Value {
    let mut content = definition.as_object().cloned().unwrap_or_default();
    for own in [
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
        "tags",
    ] {
        content.remove(own);
    }
    canonical(Value::Object(content))
}

/// Without order, and without what is empty: absent and empty are the same.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> = map
                .into_iter()
                .map(|(key, value)| (key, canonical(value)))
                .filter(|(_, value)| !is_empty(value))
                .collect();
            pairs.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(pairs.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let mut items: Vec<_> = items.into_iter().map(canonical).collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What became of a service deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is under way.
    Runs,
    /// It is being taken back.
    RollsBack,
    /// It failed.
    Failed,
    /// It succeeded.
    Succeeded,
    /// Another one took its place.
    Superseded,
}

/// API_ServiceDeployment: `status`, and the circuit breaker's, which tells a failure from being superseded.
pub(super) fn fate(deployment: &Value) -> Fate {
    let is_triggered = deployment["deploymentCircuitBreaker"]["status"] == "TRIGGERED";
    match deployment["status"].as_str().unwrap_or_default() {
        "PENDING" | "IN_PROGRESS" => Fate::Runs,
        "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" => Fate::RollsBack,
        "ROLLBACK_SUCCESSFUL" | "ROLLBACK_FAILED" => Fate::Failed,
        "STOP_REQUESTED" | "STOPPED" if is_triggered => Fate::Failed,
        "SUCCESSFUL" => Fate::Succeeded,
        _ => Fate::Superseded,
    }
}

/// A tag's value in ECS's form, a list of `{key, value}`.
pub(super) fn tag<'a>(tags: &'a Value, key: &str) -> Option<&'a str> {
    let tag = tags.as_array()?.iter().find(|tag| tag["key"] == key)?;
    tag["value"].as_str()
}

/// ECS's form of time: seconds with milliseconds.
pub(super) fn moment(seconds: &Value) -> Option<Timestamp> {
    let passed = Duration::try_from_secs_f64(seconds.as_f64()?).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(passed).ok()
}
