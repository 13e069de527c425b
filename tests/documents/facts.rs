//! What these tests know of ECS by themselves, from its API reference, and so can hold against the table of rules:
//! which changes are not found, and why; which lists have no order; which have keys; what is filled in.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>,
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::{Map, Value, json};

use super::{
    changes::another,
    model::{self, Kind},
};

/// What is left alone when the manifest does not mention it, and why.
const CONDITIONAL: &[(&str, &str)] = &[
    (
        "service.availabilityZoneRebalancing",
        "its default differs between creating and updating",
    ),
    (
        "service.capacityProviderStrategy",
        "its default is the cluster's",
    ),
    ("service.launchType", "its default is the cluster's"),
    ("service.platformVersion", "its default is the day's"),
    (
        "logConfiguration.options.max-buffer-size",
        "its default has changed",
    ),
    (
        "logConfiguration.options.mode",
        "its default has changed, and is the account's",
    ),
];

/// What only AWS writes, or says which one is meant.
const READ_ONLY: &[(&str, &[&str])] = &[
    (
        "service",
        &[
            "clientToken",
            "cluster",
            "clusterArn",
            "createdAt",
            "createdBy",
            "currentServiceDeployment",
            "currentServiceRevisions",
            "events",
            "pendingCount",
            "platformFamily",
            "resourceManagementType",
            "role",
            "roleArn",
            "runningCount",
            "serviceArn",
            "serviceName",
            "status",
            "taskDefinition",
            "taskSets",
        ],
    ),
    (
        "taskDefinition",
        &[
            "compatibilities",
            "registeredAt",
            "registeredBy",
            "requiresAttributes",
            "revision",
            "status",
            "taskDefinitionArn",
        ],
    ),
];

/// What ECS shows on the primary deployment and not on the service (API_Deployment against API_Service).
pub const ON_PRIMARY: [&str; 3] = [
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// Lists whose entries are told apart by these members; of some, another member is the whole content.
const KEYED: &[(&str, &[&str], Option<&str>)] = &[
    ("containerDefinitions", &["name"], None),
    ("environment", &["name"], Some("value")),
    (
        "portMappings",
        &["containerPort", "containerPortRange", "protocol"],
        None,
    ),
    ("properties", &["name"], Some("value")),
    ("secrets", &["name"], Some("valueFrom")),
    (
        "containerDefinitions.*.logConfiguration.secretOptions",
        &["name"],
        Some("valueFrom"),
    ),
    ("systemControls", &["namespace"], Some("value")),
    ("ulimits", &["name"], None),
    ("volumeConfigurations", &["name"], None),
    ("volumes", &["name"], None),
];

/// Lists without keys whose order means nothing: sets, and what ECS returns in any order.
const UNORDERED: &[&str] = &[
    "add",
    "alarmNames",
    "capacityProviderStrategy",
    "dockerSecurityOptions",
    "drop",
    "extraHosts",
    "ignoredExitCodes",
    "lifecycleStages",
    "links",
    "loadBalancers",
    "permissions",
    "placementConstraints",
    "requiresCompatibilities",
    "resourceRequirements",
    "securityGroups",
    "serviceConnectConfiguration.logConfiguration.secretOptions",
    "serviceRegistries",
    "services",
    "subnets",
    "tags",
    "volumesFrom",
    "vpcLatticeConfigurations",
];

/// What AWS takes for a member that is not given, by its name and the end of its path.
static DEFAULTS: LazyLock<HashMap<String, Vec<(String, Value)>>> = LazyLock::new(|| {
    let text = r#"{
        "accessLogConfiguration.includeQueryParameters": "DISABLED",
        "alarms.enable": false,
        "alarms.rollback": false,
        "authorizationConfig.iam": "DISABLED",
        "awsvpcConfiguration.assignPublicIp": "DISABLED",
        "capacityProviderStrategy.*.base": 0,
        "capacityProviderStrategy.*.weight": 0,
        "containerDefinitions.*.cpu": 0,
        "containerDefinitions.*.disableNetworking": false,
        "containerDefinitions.*.essential": true,
        "containerDefinitions.*.interactive": false,
        "containerDefinitions.*.privileged": false,
        "containerDefinitions.*.pseudoTerminal": false,
        "containerDefinitions.*.readonlyRootFilesystem": false,
        "containerDefinitions.*.versionConsistency": "enabled",
        "deploymentCircuitBreaker.enable": false,
        "deploymentCircuitBreaker.resetOnHealthyTask": true,
        "deploymentCircuitBreaker.rollback": false,
        "deploymentConfiguration.bakeTimeInMinutes": 0,
        "deploymentConfiguration.maximumPercent": 200,
        "deploymentConfiguration.minimumHealthyPercent": 100,
        "deploymentConfiguration.strategy": "ROLLING",
        "deploymentController.type": "ECS",
        "earlySuccessCriteria.enable": false,
        "deregistrationDelay.timeoutSeconds": 300,
        "efsVolumeConfiguration.rootDirectory": "/",
        "efsVolumeConfiguration.transitEncryption": "DISABLED",
        "healthCheck.interval": 30,
        "healthCheck.retries": 3,
        "healthCheck.startPeriod": 0,
        "healthCheck.timeout": 5,
        "lifecycleHooks.*.targetType": "AWS_LAMBDA",
        "linuxParameters.initProcessEnabled": false,
        "linuxParameters.swappiness": 60,
        "managedEBSVolume.filesystemType": "xfs",
        "portMappings.*.hostPort": 0,
        "portMappings.*.protocol": "tcp",
        "readOnly": false,
        "restartPolicy.restartAttemptPeriod": 300,
        "runtimePlatform.cpuArchitecture": "X86_64",
        "runtimePlatform.operatingSystemFamily": "LINUX",
        "s3filesVolumeConfiguration.rootDirectory": "/",
        "serviceConnectConfiguration.containerConfigurations.*.logLevel": "info",
        "service.enableECSManagedTags": false,
        "service.enableExecuteCommand": false,
        "service.healthCheckGracePeriodSeconds": 0,
        "service.propagateTags": "NONE",
        "service.schedulingStrategy": "REPLICA",
        "serviceConnectConfiguration.enabled": false,
        "taskDefinition.enableFaultInjection": false,
        "taskDefinition.networkMode": "bridge",
        "thresholdConfiguration.type": "BOUNDED_PERCENT",
        "thresholdConfiguration.value": 50,
        "timeoutConfiguration.action": "ROLLBACK",
        "timeoutConfiguration.timeoutInMinutes": 1440,
        "trustedExecutionConfiguration.isolationMode": "SHARED",
        "volumes.*.configuredAtLaunch": false
    }"#;
    let defaults: Map<_, _> = serde_json::from_str(text).unwrap();
    let mut by_name: HashMap<String, Vec<_>> = HashMap::new();
    for (end, default) in defaults {
        let name = end.rsplit('.').next().unwrap_or_default().to_owned();
        by_name.entry(name).or_default().push((end, default));
    }
    by_name
});

/// What AWS takes when the member is not given, if it is always the same.
pub fn default_of(pattern: &str) -> Option<Value> {
    let (_, member) = pattern.rsplit_once('.')?;
    let mut ends = DEFAULTS.get(member)?.iter();
    let found = ends.find(|(end, _)| ends_with(pattern, end));
    found.map(|(_, default)| default.clone())
}

/// Whether giving the value and giving none are the same.
pub fn says_nothing(pattern: &str, value: &Value) -> bool {
    said(pattern, value).is_none()
}

/// A value without what means the same when it is not given: defaults, what is empty, and what ECS's model does not have.
pub fn said(pattern: &str, value: &Value) -> Option<Value> {
    said_by(model::at(pattern), pattern, value)
}

fn said_by(kind: Option<Kind>, pattern: &str, value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(entries) => {
            let (kind, pattern) = (kind.and_then(model::item), format!("{pattern}.*"));
            let entry = |entry| said_by(kind, &pattern, entry).unwrap_or_else(|| json!({}));
            (!entries.is_empty()).then(|| entries.iter().map(entry).collect())
        }
        Value::Object(members) => {
            let named = members.iter().filter_map(|(name, value)| {
                let kind = model::member(kind?, name)?;
                if is_port_name(pattern, name, value, members) {
                    return None;
                }
                let said = said_by(Some(kind), &format!("{pattern}.{name}"), value)?;
                Some((name.clone(), said))
            });
            let said: Map<_, _> = named.collect();
            (!said.is_empty()).then_some(Value::Object(said))
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            (default_of(pattern).as_ref() != Some(value)).then(|| value.clone())
        }
    }
}

/// A service of Service Connect is called as its port where it is not called otherwise (API_ServiceConnectService).
fn is_port_name(pattern: &str, name: &str, value: &Value, members: &Map<String, Value>) -> bool {
    pattern == "service.serviceConnectConfiguration.services.*"
        && name == "discoveryName"
        && members.get("portName") == Some(value)
}

/// Why the field is left alone when the manifest does not mention it, if it is.
pub fn conditional(pattern: &str) -> Option<&'static str> {
    let mut fields = CONDITIONAL.iter();
    fields
        .find(|(field, _)| ends_with(pattern, field))
        .map(|(_, why)| *why)
}

/// Why a member is not compared at all.
pub fn read_only(pattern: &str) -> Option<&'static str> {
    let (root, member) = pattern.split_once('.')?;
    let (_, members) = READ_ONLY.iter().find(|(name, _)| *name == root)?;
    members
        .contains(&member)
        .then_some("only AWS writes it, or it says which one is meant")
}

/// Tags are compared by their keys, the count and deployments by themselves: other tests show that.
pub fn is_elsewhere(pattern: &str) -> bool {
    ["service.tags", "service.deployments", "taskDefinition.tags"].contains(&pattern)
}

/// In these network modes a host port can only be the container port.
pub fn host_port(pattern: &str, document: &Value) -> Option<&'static str> {
    let can_only_be_one = matches!(document["networkMode"].as_str(), Some("awsvpc" | "host"));
    (pattern.ends_with(".hostPort") && can_only_be_one)
        .then_some("it can only be the container port")
}

/// Whether the list at `pattern` has no order.
pub fn is_unordered(pattern: &str) -> bool {
    keyed(pattern).is_some() || UNORDERED.iter().any(|list| ends_with(pattern, list))
}

/// What the entry of the list at `pattern` is called, if entries have names.
pub fn key_of(pattern: &str, entry: &Value) -> Option<String> {
    let (_, by, _) = keyed(pattern)?;
    let parts: Vec<_> = by
        .iter()
        .filter_map(|member| {
            let part = entry.get(member).filter(|part| !part.is_null())?;
            let is_default = default_of(&format!("{pattern}.*.{member}")).as_ref() == Some(part);
            (!is_default).then(|| {
                part.as_str()
                    .map_or_else(|| part.to_string(), str::to_owned)
            })
        })
        .collect();
    Some(parts.join("/"))
}

/// Whether this member of the list's entries is their key, or part of it, or their whole content.
pub fn is_key_or_content(pattern: &str, member: &str) -> bool {
    keyed(pattern).is_some_and(|(_, by, content)| by.contains(&member) || content == Some(member))
}

/// Whether this is the first member that a list's entries are told apart by. They are never without it.
pub fn is_name(pattern: &str) -> bool {
    let member = pattern.rsplit_once(".*.");
    member.is_some_and(|(list, member)| keyed(list).is_some_and(|(_, by, _)| by[0] == member))
}

/// Whether one member is the whole content of the list's entries.
pub fn has_content(pattern: &str) -> bool {
    keyed(pattern).is_some_and(|(_, _, content)| content.is_some())
}

/// One more entry for the list at `pattern`, like this one and yet another.
pub fn another_entry(pattern: &str, like: &Value) -> Value {
    let mut entry = like.clone();
    let Some(members) = entry.as_object_mut() else {
        return another(like);
    };
    let by = keyed(pattern).map(|(_, by, _)| by);
    let is_telling = |name: &str, value: &Value| match by {
        Some(by) => by.contains(&name) && !value.is_null(),
        None => value.is_boolean() || value.is_number() || value.is_string(),
    };
    match members
        .iter_mut()
        .find(|(name, value)| is_telling(name, value))
    {
        Some((_, value)) => *value = another(value),
        None => return model::sample(model::at(&format!("{pattern}.*")).unwrap(), pattern),
    }
    entry
}

type Keyed = (&'static str, &'static [&'static str], Option<&'static str>);

fn keyed(pattern: &str) -> Option<Keyed> {
    let is_meant = |list: &str| ends_with(pattern, list);
    KEYED.iter().copied().find(|(list, _, _)| is_meant(list))
}

fn ends_with(pattern: &str, end: &str) -> bool {
    pattern
        .strip_suffix(end)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
