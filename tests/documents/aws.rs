//! What AWS makes of a document, as far as the documentation and recorded answers tell: it fills in defaults, gives sets back
//! in any order, leaves out or adds what is empty, shows what only it writes, and has members that nobody here knows yet.
//!
//! A seed chooses among what may come. Facts: API_RegisterTaskDefinition, API_CreateService, API_Deployment and what they
//! link to in <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/>; nothing here knows the normal form.

use evenkeel::document::Document;
use fastrand::Rng;
use serde_json::{Value, json};

use super::{
    facts,
    model::{self, Kind},
};

/// The answer of DescribeTaskDefinition to what was registered.
pub fn definition(written: &Document, rng: &mut Rng) -> Document {
    let mut told = Value::Object(written.clone());
    let mode = told.get("networkMode").and_then(Value::as_str);
    let shares_ports = matches!(mode, Some("awsvpc" | "host"));
    for (member, unit) in [("cpu", "vcpu"), ("memory", "gb")] {
        if let Some(size) = told.get_mut(member) {
            *size = json!(in_small_units(size, unit));
        }
    }
    for list in ["volumes", "placementConstraints"] {
        fill(&mut told, list, json!([]));
    }
    for container in entries(&mut told, "containerDefinitions") {
        fill(container, "cpu", json!(0));
        fill(container, "essential", json!(true));
        for list in [
            "portMappings",
            "environment",
            "mountPoints",
            "volumesFrom",
            "systemControls",
        ] {
            fill(container, list, json!([]));
        }
        for port in entries(container, "portMappings") {
            fill(port, "protocol", json!("tcp"));
            if shares_ports && let Some(number) = port.get("containerPort").cloned() {
                port["hostPort"] = number;
            }
        }
        if let Some(check) = container.get_mut("healthCheck").filter(|c| c.is_object()) {
            fill(check, "interval", json!(30));
            fill(check, "timeout", json!(5));
            fill(check, "retries", json!(3));
        }
    }
    tell(
        &mut told,
        model::root("taskDefinition"),
        "taskDefinition",
        rng,
    );
    let mut compatibilities = ["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"];
    rng.shuffle(&mut compatibilities);
    add(
        &mut told,
        json!({
            "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/prod-shop:7",
            "revision": 7, "status": "ACTIVE", "registeredAt": 1_790_000_000.5,
            "registeredBy": "arn:aws:iam::123456789012:role/evenkeel", "compatibilities": compatibilities,
            "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
        }),
    );
    told.as_object().unwrap().clone()
}

/// The answer of DescribeServices for what was created, without tags.
pub fn service(written: &Document, desired_count: u32, rng: &mut Rng) -> Document {
    let mut told = Value::Object(written.clone());
    for list in [
        "loadBalancers",
        "serviceRegistries",
        "placementConstraints",
        "placementStrategy",
    ] {
        fill(&mut told, list, json!([]));
    }
    for (member, default) in [
        ("schedulingStrategy", json!("REPLICA")),
        ("deploymentController", json!({"type": "ECS"})),
        ("propagateTags", json!("NONE")),
        ("enableECSManagedTags", json!(false)),
        ("enableExecuteCommand", json!(false)),
        ("healthCheckGracePeriodSeconds", json!(0)),
        ("deploymentConfiguration", json!({})),
    ] {
        fill(&mut told, member, default);
    }
    if let Some(vpc) = told.pointer_mut("/networkConfiguration/awsvpcConfiguration") {
        fill(vpc, "assignPublicIp", json!("DISABLED"));
    }
    let configuration = &mut told["deploymentConfiguration"];
    fill(configuration, "maximumPercent", json!(200));
    fill(configuration, "minimumHealthyPercent", json!(100));
    fill(configuration, "deploymentCircuitBreaker", json!({}));
    let breaker = &mut configuration["deploymentCircuitBreaker"];
    fill(breaker, "enable", json!(false));
    fill(breaker, "rollback", json!(false));
    // Some answers have a narrower breaker, and no bake time.
    if rng.bool() {
        fill(breaker, "resetOnHealthyTask", json!(true));
        fill(breaker, "thresholdConfiguration", json!({}));
        fill(
            &mut breaker["thresholdConfiguration"],
            "type",
            json!("BOUNDED_PERCENT"),
        );
        fill(&mut breaker["thresholdConfiguration"], "value", json!(50));
        fill(configuration, "bakeTimeInMinutes", json!(0));
        fill(configuration, "strategy", json!("ROLLING"));
    }
    tell(&mut told, model::root("service"), "service", rng);
    let mut primary = json!({
        "id": "ecs-svc/0412345678901234567", "status": "PRIMARY", "rolloutState": "COMPLETED",
        "taskDefinition": "arn:aws:ecs:us-east-1:123456789012:task-definition/prod-shop:7",
        "platformVersion": "1.4.0", "desiredCount": desired_count, "runningCount": desired_count,
        "pendingCount": 0, "failedTasks": 0,
    });
    for member in facts::ON_PRIMARY {
        if let Some(value) = told.as_object_mut().unwrap().remove(member) {
            primary[member] = value;
        }
    }
    let older = json!({
        "id": "ecs-svc/0312345678901234567", "status": "DRAINING", "rolloutState": "COMPLETED",
        "serviceConnectConfiguration": {"enabled": true, "namespace": "of-another-time"},
    });
    let mut deployments = vec![primary, older];
    rng.shuffle(&mut deployments);
    add(
        &mut told,
        json!({
            "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/prod/shop", "serviceName": "shop",
            "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/prod", "status": "ACTIVE",
            "taskDefinition": "arn:aws:ecs:us-east-1:123456789012:task-definition/prod-shop:7",
            "desiredCount": desired_count, "runningCount": desired_count, "pendingCount": 0,
            "platformFamily": "Linux", "resourceManagementType": "CUSTOMER", "deployments": deployments,
            "roleArn": "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            "createdAt": 1_790_000_000.5, "createdBy": "arn:aws:iam::123456789012:role/evenkeel",
            "events": [], "currentServiceRevisions": [],
        }),
    );
    told.as_object().unwrap().clone()
}

/// Fills in what AWS has for fields whose default is the cluster's, the account's or the day's.
pub fn choose_for_them(service: &mut Document, definition: &mut Document) {
    let mut told = Value::Object(std::mem::take(service));
    let has_strategy = told
        .get("capacityProviderStrategy")
        .is_some_and(|strategy| strategy.as_array().is_some_and(|list| !list.is_empty()));
    if !has_strategy {
        fill(&mut told, "launchType", json!("EC2"));
        told["capacityProviderStrategy"] = match told["launchType"].as_str() {
            Some("EC2") => json!([{"capacityProvider": "of-the-cluster", "base": 0, "weight": 1}]),
            _ => json!([]),
        };
    }
    fill(&mut told, "availabilityZoneRebalancing", json!("ENABLED"));
    fill(&mut told, "platformVersion", json!("LATEST"));
    *service = told.as_object().unwrap().clone();
    let mut told = Value::Object(std::mem::take(definition));
    for container in entries(&mut told, "containerDefinitions") {
        if let Some(log) = container
            .get_mut("logConfiguration")
            .filter(|c| c.is_object())
        {
            fill(log, "options", json!({}));
            fill(&mut log["options"], "mode", json!("non-blocking"));
            fill(&mut log["options"], "max-buffer-size", json!("10m"));
        }
    }
    *definition = told.as_object().unwrap().clone();
}

/// Tells the same otherwise.
pub fn tell(value: &mut Value, kind: Kind, pattern: &str, rng: &mut Rng) {
    match value {
        Value::Object(members) => {
            for (name, kind) in model::members(kind).into_iter().flatten() {
                let pattern = format!("{pattern}.{name}");
                match members.get_mut(name) {
                    Some(value) if facts::says_nothing(&pattern, value) && rng.bool() => {
                        members.remove(name);
                    }
                    Some(value) => tell(value, kind, &pattern, rng),
                    None => {
                        members.extend(nothing(kind, &pattern, rng).map(|it| (name.clone(), it)));
                    }
                }
            }
            if pattern == "service.serviceConnectConfiguration.services.*"
                && let Some(name) = members.get("portName").cloned()
            {
                members.entry("discoveryName").or_insert(name);
            }
            if model::members(kind).is_some() && rng.u8(..8) == 0 {
                members.insert("addedByAwsLater".to_owned(), json!([{"enabled": true}]));
            }
            if let Some(kind) = kind.get("map") {
                for (name, value) in members {
                    tell(value, kind, &format!("{pattern}.{name}"), rng);
                }
            }
        }
        Value::Array(entries) => {
            if facts::is_unordered(pattern) {
                rng.shuffle(entries);
            }
            let kind = model::item(kind).unwrap();
            for entry in entries {
                tell(entry, kind, &format!("{pattern}.*"), rng);
            }
        }
        Value::Number(number) if kind == "double" && rng.bool() => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0);
            if let Some(text) = whole.map(|number| format!("{number:.0}")) {
                *value = serde_json::from_str(&text).unwrap();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What may stand for a member that nobody has given.
fn nothing(kind: Kind, pattern: &str, rng: &mut Rng) -> Option<Value> {
    let may_come = [
        facts::default_of(pattern),
        kind.get("list").map(|_| json!([])),
        model::members(kind).map(|_| json!({})),
        Some(Value::Null),
    ];
    let mut may_come: Vec<_> = may_come.into_iter().flatten().collect();
    (rng.u8(..4) == 0).then(|| may_come.swap_remove(rng.usize(..may_come.len())))
}

/// Sets a member that is not given.
fn fill(structure: &mut Value, member: &str, default: Value) {
    let members = structure.as_object_mut().unwrap();
    let value = members.entry(member).or_insert(Value::Null);
    if value.is_null() {
        *value = default;
    }
}

fn add(structure: &mut Value, members: Value) {
    let members = members.as_object().unwrap().clone();
    structure.as_object_mut().unwrap().extend(members);
}

fn entries<'a>(structure: &'a mut Value, list: &str) -> impl Iterator<Item = &'a mut Value> {
    let list = structure.get_mut(list).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

/// `"1 vCPU"` as `"1024"`; the small unit as it is.
fn in_small_units(size: &Value, large: &str) -> String {
    let text = size.as_str().map_or(size.to_string(), str::to_lowercase);
    match text.strip_suffix(large) {
        Some(number) => (number.trim().parse::<f64>().unwrap() * 1024.0).to_string(),
        None => text,
    }
}
