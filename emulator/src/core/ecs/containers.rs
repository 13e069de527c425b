//! The content of a task definition: checked, and in the form that ECS gives back.
//!
//! ECS fills in defaults, keeps what else was said as it was, and refuses what Fargate cannot do. What the emulator
//! cannot do with a local process is refused as well, rather than accepted and ignored.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::core::{ApiError, error::client, input::Input};

const CONTAINER_MEMBERS: [&str; 37] = [
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
];
/// What a local process cannot have. Limits of resources and users are accepted and have no effect.
const UNSUPPORTED: [&str; 18] = [
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
    "healthCheck",
    "hostname",
    "interactive",
    "pseudoTerminal",
    "resourceRequirements",
    "systemControls",
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
    document.insert(
        "requiresAttributes".to_owned(),
        json!([
            { "name": "com.amazonaws.ecs.capability.docker-remote-api.1.18" },
            { "name": "ecs.capability.task-eni" },
        ]),
    );
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
    Ok(document)
}

fn copy(input: &Input<'_>, key: &str, into: &mut Map<String, Value>) {
    if let Some(value) = input.value(key) {
        into.insert(key.to_owned(), value.clone());
    }
}

/// CPU units and MiB. Source:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html>
fn size(input: &Input<'_>) -> Result<(u32, u32), ApiError> {
    let read = |key, unit: &str, factor| -> Result<Option<u32>, ApiError> {
        let Some(text) = input.text(key)? else {
            return Ok(None);
        };
        let lower = text.to_lowercase();
        let parsed = match lower.strip_suffix(unit) {
            Some(number) => number.trim().parse().ok().map(|n: f64| n * factor),
            None => lower.parse::<u32>().ok().map(f64::from),
        };
        let whole = parsed.filter(|n| n.fract() == 0.0 && (1.0..=1e9).contains(n));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above"
        )]
        whole
            .map(|n| Some(n as u32))
            .ok_or_else(|| client(format!("Invalid '{key}' setting for task.")))
    };
    let cpu = read("cpu", "vcpu", 1024.0)?;
    let memory = read("memory", "gb", 1024.0)?;
    let (Some(cpu), Some(memory)) = (cpu, memory) else {
        return Err(client(
            "Fargate requires that 'cpu' be defined at the task level, and 'memory' as well.",
        ));
    };
    let range = |low: u32, high: u32, step: u32| {
        (low..=high).contains(&memory) && (memory - low).is_multiple_of(step)
    };
    let fits = match cpu {
        256 => [512, 1024, 2048].contains(&memory),
        512 => range(1024, 4096, 1024),
        1024 => range(2048, 8192, 1024),
        2048 => range(4096, 16384, 1024),
        4096 => range(8192, 30720, 1024),
        8192 => range(16384, 61440, 4096),
        16384 => range(32768, 122_880, 8192),
        32768 => [61440, 122_880, 249_856].contains(&memory),
        _ => return Err(client("Invalid 'cpu' setting for task.")),
    };
    if fits {
        Ok((cpu, memory))
    } else {
        Err(client("No Fargate configuration exists for given values."))
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
    container.word("versionConsistency", &["enabled"])?;
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
    view.insert("systemControls".to_owned(), json!([]));
    for key in CONTAINER_MEMBERS {
        if !view.contains_key(key) {
            copy(container, key, &mut view);
        }
    }
    Ok(Value::Object(view))
}

/// `environment` and `secrets`: lists of names and values, each name once.
fn pairs(container: &Input<'_>, key: &str, second: &'static str) -> Result<Vec<Value>, ApiError> {
    let mut names = BTreeSet::new();
    let mut list = Vec::new();
    for pair in container.objects(key, &["name", second])? {
        let name = pair.need("name")?;
        if !names.insert(name) {
            return Err(client(format!(
                "Duplicate {key} name {name} in container {}.",
                container.need("name")?
            )));
        }
        let value = pair.text(second)?.unwrap_or_default();
        list.push(json!({ "name": name, second: value }));
    }
    Ok(list)
}

fn port_mappings(container: &Input<'_>, ports: &mut BTreeSet<i64>) -> Result<Vec<Value>, ApiError> {
    let members = [
        "containerPort",
        "hostPort",
        "protocol",
        "name",
        "appProtocol",
    ];
    let mut views = Vec::new();
    for mapping in container.objects("portMappings", &members)? {
        let port = mapping
            .int_in("containerPort", 1, 65_535)?
            .ok_or_else(|| client("Container port must be specified for each port mapping."))?;
        let host = mapping.int("hostPort")?.unwrap_or(port);
        if host != port && host != 0 {
            return Err(client(
                "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
            ));
        }
        mapping.word("protocol", &["tcp"])?;
        if !ports.insert(port) {
            return Err(client(format!(
                "Container port {port} is mapped more than once in the task."
            )));
        }
        let mut view = Map::new();
        view.insert("containerPort".to_owned(), Value::from(port));
        view.insert("hostPort".to_owned(), Value::from(port));
        view.insert("protocol".to_owned(), Value::from("tcp"));
        copy(&mapping, "name", &mut view);
        copy(&mapping, "appProtocol", &mut view);
        views.push(Value::Object(view));
    }
    Ok(views)
}

/// Only awslogs, and only its options that mean something here.
fn log_configuration(container: &Input<'_>, has_role: bool) -> Result<Option<Value>, ApiError> {
    let Some(log) = container.object(
        "logConfiguration",
        &["logDriver", "options", "secretOptions"],
    )?
    else {
        return Ok(None);
    };
    log.refuse(&["secretOptions"])?;
    log.word("logDriver", &["awslogs"])?;
    log.need("logDriver")?;
    let known = [
        "awslogs-group",
        "awslogs-region",
        "awslogs-stream-prefix",
        "awslogs-create-group",
        "mode",
        "max-buffer-size",
    ];
    let Some(options) = log.object("options", &known)? else {
        return Err(client(
            "Log driver awslogs requires options: awslogs-region, awslogs-group",
        ));
    };
    for key in ["awslogs-group", "awslogs-region"] {
        if options.text(key)?.is_none() {
            return Err(client(
                "Log driver awslogs requires options: awslogs-region, awslogs-group",
            ));
        }
    }
    if options.text("awslogs-stream-prefix")?.is_none() {
        return Err(client(
            "Fargate requires the awslogs-stream-prefix option for the awslogs log driver.",
        ));
    }
    if !has_role {
        return Err(client(
            "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
        ));
    }
    Ok(container.value("logConfiguration").cloned())
}
