//! The content of a task definition: checked, and in the form that ECS gives back.
//!
//! ECS fills in defaults, keeps what else was said as it was, and refuses what Fargate cannot do. What the emulator
//! cannot do with a local process is refused as well, rather than accepted and ignored.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    attributes::required_attributes,
    container_parts::{
        check_linux_parameters, check_without_effect, log_configuration, pairs, port_mappings,
    },
    health_check,
    task_size::size,
};
use crate::core::{ApiError, error::client, input::Input};

const CONTAINER_MEMBERS: [&str; 42] = [
    "name",
    "image",
    "repositoryCredentials",
    "cpu",
    "memory",
    "memoryReservation",
    "links",
    "portMappings",
    "essential",
    "restartPolicy",
    "entryPoint",
    "command",
    "environment",
    "environmentFiles",
    "mountPoints",
    "volumesFrom",
    "linuxParameters",
    "secrets",
    "dependsOn",
    "startTimeout",
    "stopTimeout",
    "versionConsistency",
    "hostname",
    "user",
    "workingDirectory",
    "privileged",
    "readonlyRootFilesystem",
    "dnsServers",
    "extraHosts",
    "dockerLabels",
    "ulimits",
    "logConfiguration",
    "healthCheck",
    "systemControls",
    "resourceRequirements",
    "interactive",
    "pseudoTerminal",
    "disableNetworking",
    "dnsSearchDomains",
    "dockerSecurityOptions",
    "firelensConfiguration",
    "credentialSpecs",
];
/// What a local process cannot have. Limits of resources and users are accepted and have no effect.
const UNSUPPORTED: [&str; 22] = [
    "repositoryCredentials",
    "links",
    "restartPolicy",
    "entryPoint",
    "environmentFiles",
    "mountPoints",
    "volumesFrom",
    "dependsOn",
    "workingDirectory",
    "privileged",
    "dnsServers",
    "extraHosts",
    "hostname",
    "interactive",
    "pseudoTerminal",
    "resourceRequirements",
    "systemControls",
    "disableNetworking",
    "dnsSearchDomains",
    "dockerSecurityOptions",
    "firelensConfiguration",
    "credentialSpecs",
];
const CONTAINERS: usize = 10;

/// The task definition as ECS returns it, without what depends on the registration itself.
///
/// # Errors
/// `ClientException` in ECS's words.
pub(super) fn normalized(input: &Input<'_>) -> Result<Map<String, Value>, ApiError> {
    input.refuse(&[
        "volumes",
        "placementConstraints",
        "pidMode",
        "ipcMode",
        "proxyConfiguration",
        "inferenceAccelerators",
        "enableFaultInjection",
    ])?;
    let requires = input.texts("requiresCompatibilities")?;
    if let Some(other) = requires.iter().find(|kind| **kind != "FARGATE") {
        return Err(client(format!(
            "The emulator supports requiresCompatibilities FARGATE only, not {other}."
        )));
    }
    let mode = input.word("networkMode", &["awsvpc"])?;
    if mode.is_none() {
        return Err(client("Fargate only supports network mode ‘awsvpc’."));
    }
    let (cpu, memory) = size(input)?;
    let containers = containers(input)?;

    let mut document = Map::new();
    document.insert("containerDefinitions".to_owned(), Value::from(containers));
    for key in ["taskRoleArn", "executionRoleArn", "networkMode"] {
        if let Some(text) = input.text(key)? {
            document.insert(key.to_owned(), Value::from(text));
        }
    }
    document.insert("volumes".to_owned(), json!([]));
    document.insert("placementConstraints".to_owned(), json!([]));
    document.insert(
        "compatibilities".to_owned(),
        json!(["EC2", "FARGATE", "MANAGED_INSTANCES"]),
    );
    if !requires.is_empty() {
        document.insert("requiresCompatibilities".to_owned(), json!(requires));
    }
    document.insert("cpu".to_owned(), Value::from(cpu.to_string()));
    document.insert("memory".to_owned(), Value::from(memory.to_string()));
    if let Some(platform) = input.object(
        "runtimePlatform",
        &["cpuArchitecture", "operatingSystemFamily"],
    )? {
        platform.word("operatingSystemFamily", &["LINUX"])?;
        platform.word("cpuArchitecture", &["X86_64", "ARM64"])?;
        copy(input, "runtimePlatform", &mut document);
    }
    if let Some(storage) = input.object("ephemeralStorage", &["sizeInGiB"])? {
        storage.int_in("sizeInGiB", 21, 200)?;
        copy(input, "ephemeralStorage", &mut document);
    }
    let attributes = required_attributes(&document);
    document.insert("requiresAttributes".to_owned(), Value::from(attributes));
    Ok(document)
}

pub(super) fn copy(input: &Input<'_>, key: &str, into: &mut Map<String, Value>) {
    if let Some(value) = input.value(key) {
        into.insert(key.to_owned(), value.clone());
    }
}

fn containers(input: &Input<'_>) -> Result<Vec<Value>, ApiError> {
    let list = input.objects("containerDefinitions", &CONTAINER_MEMBERS)?;
    if list.is_empty() {
        return Err(client("Container list cannot be empty."));
    }
    if list.len() > CONTAINERS {
        return Err(client(format!(
            "A task definition can have at most {CONTAINERS} containers."
        )));
    }
    let has_role = input.text("executionRoleArn")?.is_some();
    let (mut names, mut ports) = (BTreeSet::new(), BTreeSet::new());
    let mut essential = false;
    let mut views = Vec::new();
    for container in &list {
        let name = container.need("name")?;
        super::clusters::check_name(name, "Container name")
            .map_err(|error| client(error.message))?;
        if !names.insert(name) {
            return Err(client(format!(
                "Container.name should be unique, but {name} occurs twice."
            )));
        }
        essential |= container.flag("essential")?.unwrap_or(true);
        views.push(normalized_container(container, has_role, &mut ports)?);
    }
    if !essential {
        return Err(client(
            "Invalid setting for containers. At least one container must be essential.",
        ));
    }
    Ok(views)
}

fn normalized_container(
    container: &Input<'_>,
    has_role: bool,
    ports: &mut BTreeSet<i64>,
) -> Result<Value, ApiError> {
    container.refuse(&UNSUPPORTED)?;
    let name = container.need("name")?;
    let image = container.need("image")?;
    if !has_role && image.contains(".dkr.ecr.") {
        return Err(client(
            "Fargate requires task definition to have execution role ARN to support ECR images.",
        ));
    }
    if container
        .int("stopTimeout")?
        .is_some_and(|t| !(2..=120).contains(&t))
    {
        return Err(client(
            "Stop timeout must be between 2 and 120 seconds for tasks using Fargate.",
        ));
    }
    container.texts("command")?;
    if container
        .int("startTimeout")?
        .is_some_and(|t| !(2..=120).contains(&t))
    {
        return Err(client(
            "Start timeout must be between 2 and 120 seconds for tasks using Fargate.",
        ));
    }
    container.word("versionConsistency", &["enabled", "disabled"])?;
    check_linux_parameters(container)?;
    check_without_effect(container)?;
    let mut view = Map::new();
    view.insert("name".to_owned(), Value::from(name));
    view.insert("image".to_owned(), Value::from(image));
    let cpu = container.int_in("cpu", 0, 32_768)?.unwrap_or(0);
    view.insert("cpu".to_owned(), Value::from(cpu));
    let mappings = port_mappings(container, ports)?;
    view.insert("portMappings".to_owned(), Value::from(mappings));
    let essential = container.flag("essential")?.unwrap_or(true);
    view.insert("essential".to_owned(), Value::from(essential));
    let environment = pairs(container, "environment", "value")?;
    view.insert("environment".to_owned(), Value::from(environment));
    for key in ["mountPoints", "volumesFrom"] {
        view.insert(key.to_owned(), json!([]));
    }
    let secrets = pairs(container, "secrets", "valueFrom")?;
    if !secrets.is_empty() {
        if !has_role {
            return Err(client(
                "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
            ));
        }
        view.insert("secrets".to_owned(), Value::from(secrets));
    }
    if let Some(log) = log_configuration(container, has_role)? {
        view.insert("logConfiguration".to_owned(), log);
    }
    if let Some(check) = health_check::normalized(container)? {
        view.insert("healthCheck".to_owned(), check);
    }
    view.insert("systemControls".to_owned(), json!([]));
    for key in CONTAINER_MEMBERS {
        if !view.contains_key(key) {
            copy(container, key, &mut view);
        }
    }
    Ok(Value::Object(view))
}
