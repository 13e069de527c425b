//! One task from its launch to the end of its last container.

use std::{collections::BTreeMap, sync::Arc};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    World,
    addresses::TaskPorts,
    container::{Container, Spawn},
    discovery::Endpoint,
};
use crate::core::{ContainerLaunch, Event, TaskLaunch};

/// Starts every container, or stops again what was started, and reports each one's end.
pub(super) async fn run(world: &Arc<World>, launch: TaskLaunch, stop: CancellationToken) {
    let task = launch.task.clone();
    let Some(ports) = world.addresses.assign(&launch) else {
        let reason = "ResourceInitializationError: no port is free on 127.0.0.1".to_owned();
        world
            .report(Event::TaskFailedToStart { task, reason })
            .await;
        return;
    };
    let mut containers = JoinSet::new();
    let mut failure = None;
    for container in &launch.containers {
        let environment = environment(container, &ports);
        let spawn = Spawn {
            launch: container,
            environment: environment.clone(),
        };
        match Container::spawn(world, spawn).await {
            Ok(running) => {
                let (world, stop) = (Arc::clone(world), stop.clone());
                let (task, name) = (task.clone(), container.name.clone());
                let ended = world.rooms.open(&task, &name, environment);
                containers.spawn(async move {
                    let exit_code = running.run(&world, &stop).await;
                    ended.cancel();
                    world.rooms.close(&task, &name);
                    Event::ContainerExited {
                        task,
                        container: name,
                        exit_code,
                    }
                });
            }
            Err(error) => {
                failure = Some(error.to_string());
                break;
            }
        }
    }
    let started = match failure {
        Some(reason) => {
            stop.cancel();
            Event::TaskFailedToStart {
                task: task.clone(),
                reason,
            }
        }
        None => {
            world.discovery.add(&task, endpoints(&launch, &ports));
            Event::TaskStarted { task: task.clone() }
        }
    };
    world.report(started).await;
    while let Some(ended) = containers.join_next().await {
        if let Ok(event) = ended {
            world.report(event).await;
        }
    }
    world.discovery.remove(&task);
}

/// Image under definition under what the driver adds. Nothing of the emulator's own environment gets in.
fn environment(container: &ContainerLaunch, ports: &TaskPorts) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::from([(
        // What container images commonly have; scripts need it.
        "PATH".to_owned(),
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
    )]);
    environment.extend(container.image.env.clone());
    environment.extend(container.environment.clone());
    environment.insert("HOST".to_owned(), "127.0.0.1".to_owned());
    for (index, port) in container.ports.iter().enumerate() {
        let Some(local) = ports.local(port.container_port) else {
            continue;
        };
        if index == 0 {
            environment.insert("PORT".to_owned(), local.to_string());
        }
        if let Some(name) = &port.name {
            let name = name.to_ascii_uppercase().replace('-', "_");
            environment.insert(format!("{name}_PORT"), local.to_string());
        }
    }
    environment
}

/// The task's addresses that Prometheus scrapes: those of ports named `metrics`.
fn endpoints(launch: &TaskLaunch, ports: &TaskPorts) -> Vec<Endpoint> {
    let containers = launch.containers.iter();
    containers
        .flat_map(|container| container.ports.iter().map(move |port| (container, port)))
        .filter(|(_, port)| port.name.as_deref() == Some("metrics"))
        .filter_map(|(container, port)| {
            Some(Endpoint::new(
                launch,
                &container.name,
                ports.local(port.container_port)?,
            ))
        })
        .collect()
}
