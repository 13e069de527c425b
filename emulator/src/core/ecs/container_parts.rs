//! The parts of a container definition that have rules of their own.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::containers::copy;
use crate::core::{ApiError, error::client, input::Input};

/// `environment` and `secrets`: lists of names and values, each name once.
pub(super) fn pairs(
    container: &Input<'_>,
    key: &str,
    second: &'static str,
) -> Result<Vec<Value>, ApiError> {
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

pub(super) fn port_mappings(
    container: &Input<'_>,
    ports: &mut BTreeSet<i64>,
) -> Result<Vec<Value>, ApiError> {
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
pub(super) fn log_configuration(
    container: &Input<'_>,
    has_role: bool,
) -> Result<Option<Value>, ApiError> {
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
    options.word("mode", &["blocking", "non-blocking"])?;
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

/// What a local process does not obey: it is accepted as far as it is well formed, and returned.
pub(super) fn check_without_effect(container: &Input<'_>) -> Result<(), ApiError> {
    for key in ["memory", "memoryReservation"] {
        container.int_in(key, 4, 249_856)?;
    }
    container.text("user")?;
    container.flag("readonlyRootFilesystem")?;
    for limit in container.objects("ulimits", &["name", "softLimit", "hardLimit"])? {
        limit.need("name")?;
        let (soft, hard) = (limit.int("softLimit")?, limit.int("hardLimit")?);
        if soft.is_none() || hard.is_none() || soft > hard {
            return Err(limit.error("A ulimit has a softLimit and a hardLimit no lower than it."));
        }
    }
    match container.value("dockerLabels") {
        None => Ok(()),
        Some(Value::Object(labels)) if labels.values().all(Value::is_string) => Ok(()),
        Some(_) => Err(container.error("dockerLabels must be a map of strings.")),
    }
}

/// What Fargate has of `linuxParameters`; it is accepted and has no effect. Source:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html>
pub(super) fn check_linux_parameters(container: &Input<'_>) -> Result<(), ApiError> {
    let members = [
        "capabilities",
        "initProcessEnabled",
        "devices",
        "sharedMemorySize",
        "tmpfs",
        "maxSwap",
        "swappiness",
    ];
    let Some(linux) = container.object("linuxParameters", &members)? else {
        return Ok(());
    };
    linux.flag("initProcessEnabled")?;
    for key in [
        "devices",
        "sharedMemorySize",
        "tmpfs",
        "maxSwap",
        "swappiness",
    ] {
        if linux.value(key).is_some_and(|value| *value != json!([])) {
            return Err(client(format!("{key} is not supported on Fargate.")));
        }
    }
    if let Some(capabilities) = linux.object("capabilities", &["add", "drop"])? {
        capabilities.texts("drop")?;
        let added = capabilities.texts("add")?;
        if let Some(other) = added.iter().find(|name| **name != "SYS_PTRACE") {
            return Err(client(format!(
                "Fargate can add the capability SYS_PTRACE only, not {other}."
            )));
        }
    }
    Ok(())
}
