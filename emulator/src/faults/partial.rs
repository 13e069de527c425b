//! Replies with holes.

use serde_json::{Value, json};

use crate::core::{Call, Reply, Service};

/// Describes with `failures`: the operation, its list, and what names an item.
const WITH_FAILURES: [(&str, &str, &str); 5] = [
    ("DescribeClusters", "clusters", "clusterArn"),
    (
        "DescribeServiceDeployments",
        "serviceDeployments",
        "serviceDeploymentArn",
    ),
    (
        "DescribeServiceRevisions",
        "serviceRevisions",
        "serviceRevisionArn",
    ),
    ("DescribeServices", "services", "serviceArn"),
    ("DescribeTasks", "tasks", "taskArn"),
];

/// Lists that come in pages, or might: the operation and its list.
const PAGES: [(Service, &str, &str); 18] = [
    (Service::Ecs, "ListClusters", "clusterArns"),
    (Service::Ecs, "ListServiceDeployments", "serviceDeployments"),
    (Service::Ecs, "ListServices", "serviceArns"),
    (Service::Ecs, "ListTaskDefinitionFamilies", "families"),
    (Service::Ecs, "ListTaskDefinitions", "taskDefinitionArns"),
    (Service::Ecs, "ListTasks", "taskArns"),
    (Service::Elbv2, "DescribeListeners", "Listeners"),
    (Service::Elbv2, "DescribeLoadBalancers", "LoadBalancers"),
    (Service::Elbv2, "DescribeRules", "Rules"),
    (Service::Elbv2, "DescribeTargetGroups", "TargetGroups"),
    (
        Service::Elbv2,
        "DescribeTargetHealth",
        "TargetHealthDescriptions",
    ),
    (Service::Logs, "DescribeLogGroups", "logGroups"),
    (Service::Logs, "DescribeLogStreams", "logStreams"),
    (Service::Logs, "FilterLogEvents", "events"),
    (Service::Logs, "GetLogEvents", "events"),
    (Service::Ecr, "DescribeImages", "imageDetails"),
    (Service::Ecr, "DescribeRepositories", "repositories"),
    (Service::Ecr, "ListImages", "imageIds"),
];

pub(super) fn has_failures(call: &Call) -> bool {
    call.service == Service::Ecs && failures_of(call).is_some()
}

pub(super) fn has_pages(call: &Call) -> bool {
    page_of(call).is_some()
}

/// Moves a share of the items, and at least one, into `failures`.
pub(super) fn drop_names(call: &Call, reply: &mut Reply, share: f64, random: &mut fastrand::Rng) {
    let Some((list, name)) = failures_of(call) else {
        return;
    };
    let Some(items) = reply.get_mut(list).and_then(Value::as_array_mut) else {
        return;
    };
    if items.is_empty() {
        return;
    }
    let surely = random.usize(..items.len());
    let mut failures = Vec::new();
    let mut index = 0;
    items.retain(|item| {
        let falls = random.f64() < share || index == surely;
        index += 1;
        if falls {
            failures.push(json!({ "arn": item.get(name), "reason": "MISSING" }));
        }
        !falls
    });
    if let Some(known) = reply.get_mut("failures").and_then(Value::as_array_mut) {
        known.append(&mut failures);
    } else if let Some(reply) = reply.as_object_mut() {
        reply.insert("failures".to_owned(), Value::Array(failures));
    }
}

/// Takes all items out; a token for the next page stays.
pub(super) fn lose_page(call: &Call, reply: &mut Reply) {
    let items = page_of(call).and_then(|list| reply.get_mut(list));
    if let Some(items) = items.and_then(Value::as_array_mut) {
        items.clear();
    }
}

fn failures_of(call: &Call) -> Option<(&'static str, &'static str)> {
    WITH_FAILURES
        .iter()
        .find(|(operation, _, _)| *operation == call.operation)
        .map(|(_, list, name)| (*list, *name))
}

fn page_of(call: &Call) -> Option<&'static str> {
    PAGES
        .iter()
        .find(|(service, operation, _)| *service == call.service && *operation == call.operation)
        .map(|(_, _, list)| *list)
}
