//! Tasks as DescribeTasks shows them.

use serde_json::{Map, Value, json};

use super::{
    health_check::Health,
    tags,
    task::{Container, Status, Task},
};
use crate::core::{Cloud, time::seconds};

impl Cloud {
    pub(super) fn task_view(&self, task: &Task, with_tags: bool) -> Value {
        let containers: Vec<Value> = task
            .containers
            .iter()
            .map(|container| container_view(task, container))
            .collect();
        let attachment = match task.status {
            Status::Provisioning => "PRECREATED",
            Status::Stopped => "DELETED",
            Status::Pending
            | Status::Activating
            | Status::Running
            | Status::Deactivating
            | Status::Stopping
            | Status::Deprovisioning => "ATTACHED",
        };
        let [_, _, c, d] = task.address.octets();
        let mut view = json!({
            "attachments": [{
                "id": task.attachment,
                "type": "ElasticNetworkInterface",
                "status": attachment,
                "details": [
                    { "name": "subnetId", "value": task.subnet },
                    { "name": "networkInterfaceId", "value": task.interface },
                    { "name": "macAddress", "value": format!("0a:58:0a:00:{c:02x}:{d:02x}") },
                    { "name": "privateDnsName", "value": format!("ip-10-0-{c}-{d}.{}.compute.internal", self.ids.region) },
                    { "name": "privateIPv4Address", "value": task.address.to_string() },
                ],
            }],
            "attributes": [{ "name": "ecs.cpu-architecture", "value": "x86_64" }],
            "availabilityZone": format!("{}{}", self.ids.region, zone(task)),
            "clusterArn": self.cluster_arn(&task.cluster),
            "containers": containers,
            "cpu": task.size.0,
            "createdAt": seconds(task.created),
            "desiredStatus": task.desired_status(),
            "enableExecuteCommand": task.execute_command,
            "group": task.origin.group(),
            "healthStatus": task.health().word(),
            "lastStatus": task.status.word(),
            "launchType": "FARGATE",
            "memory": task.size.1,
            "overrides": {
                "containerOverrides": overrides_view(task),
                "inferenceAcceleratorOverrides": [],
            },
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "tags": if with_tags { tags::view(&task.tags) } else { Vec::new() },
            "taskArn": task.arn,
            "taskDefinitionArn": task.definition,
            "version": task.version,
            "ephemeralStorage": { "sizeInGiB": task.storage },
            "fargateEphemeralStorage": { "sizeInGiB": task.storage },
        });
        if let Some(map) = view.as_object_mut() {
            if let Some(started_by) = task.origin.started_by() {
                map.insert("startedBy".to_owned(), Value::from(started_by));
            }
            add_moments(task, map);
        }
        view
    }
}

/// Subnets of one configuration lie in zones of their own, in their order.
fn zone(task: &Task) -> char {
    let subnets = task.network.pointer("/awsvpcConfiguration/subnets");
    let subnets = subnets.and_then(Value::as_array).into_iter().flatten();
    let zones = ['a', 'b', 'c', 'd', 'e', 'f'].into_iter().cycle();
    subnets
        .zip(zones)
        .find(|(subnet, _)| **subnet == *task.subnet)
        .map_or('a', |(_, zone)| zone)
}

/// Each container, with what was said in place of the definition's words for it.
fn overrides_view(task: &Task) -> Vec<Value> {
    task.containers
        .iter()
        .map(|container| {
            let mut view = json!({ "name": container.name });
            let said = task.overrides.iter().find(|o| o.name == container.name);
            if let (Some(said), Some(map)) = (said, view.as_object_mut()) {
                if let Some(command) = &said.command {
                    map.insert("command".to_owned(), json!(command));
                }
                let pair =
                    |(name, value): &(String, String)| json!({ "name": name, "value": value });
                if !said.environment.is_empty() {
                    let pairs: Vec<Value> = said.environment.iter().map(pair).collect();
                    map.insert("environment".to_owned(), Value::from(pairs));
                }
            }
            view
        })
        .collect()
}

fn add_moments(task: &Task, map: &mut Map<String, Value>) {
    if task.attached.is_some() {
        map.insert("connectivity".to_owned(), Value::from("CONNECTED"));
    }
    let moments = [
        ("connectivityAt", task.attached),
        ("pullStartedAt", task.pull_started),
        ("pullStoppedAt", task.pull_stopped),
        ("startedAt", task.started),
        ("stoppingAt", task.stopping),
        ("executionStoppedAt", task.execution_stopped),
        ("stoppedAt", task.stopped),
    ];
    for (key, at) in moments {
        if let Some(at) = at {
            map.insert(key.to_owned(), seconds(at));
        }
    }
    if let Some(stop) = &task.stop {
        map.insert("stopCode".to_owned(), Value::from(stop.code.word()));
        map.insert("stoppedReason".to_owned(), Value::from(stop.reason.clone()));
    }
}

fn container_view(task: &Task, container: &Container) -> Value {
    let mut view = json!({
        "containerArn": container.arn,
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "lastStatus": task.container_status(container),
        "networkBindings": [],
        "networkInterfaces": [{
            "attachmentId": task.attachment,
            "privateIpv4Address": task.address.to_string(),
        }],
        "healthStatus": container.check.as_ref().map_or(Health::Unknown, |check| check.health).word(),
        "cpu": container.cpu,
    });
    let optional = [
        ("imageDigest", container.digest.clone().map(Value::from)),
        ("runtimeId", container.runtime.clone().map(Value::from)),
        ("exitCode", container.exit_code.map(Value::from)),
        ("reason", container.reason.clone().map(Value::from)),
        ("memory", container.memory.clone().map(Value::from)),
    ];
    if let Some(map) = view.as_object_mut() {
        for (key, value) in optional {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        }
    }
    view
}
