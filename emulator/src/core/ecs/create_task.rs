//! A new task: of a deployment, or of a call of RunTask.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    health_check::HealthCheck,
    launch::text,
    service::{Balancer, Service},
    tags::Tags,
    task::{Container, ContainerOverride, Launch, Origin, Status, Task},
};
use crate::core::{
    Cloud,
    time::{self, Timer},
};

/// What a new task is made from.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// The cluster's name.
    pub(super) cluster: String,
    pub(super) origin: Origin,
    /// The task definition's ARN.
    pub(super) definition: String,
    /// `networkConfiguration` as ECS returns it.
    pub(super) network: Value,
    pub(super) balancers: Vec<Balancer>,
    pub(super) tags: Tags,
    pub(super) overrides: Vec<ContainerOverride>,
    pub(super) execute_command: bool,
    /// Which of the subnets takes it: they take turns.
    pub(super) turn: usize,
}

impl Cloud {
    /// Makes a task of a deployment. Its id, or `None` when there is no address for it.
    pub(super) fn create_task(
        &mut self,
        service: &mut Service,
        side: usize,
        now: Timestamp,
    ) -> Option<String> {
        let deployment = service.deployments.get(side)?;
        let shape = deployment.shape.clone();
        let order = Order {
            cluster: service.cluster.clone(),
            origin: Origin::Service {
                arn: service.arn.clone(),
                name: service.name.clone(),
                deployment: deployment.id.clone(),
            },
            tags: self.service_task_tags(service, &shape.definition),
            definition: shape.definition,
            network: shape.network,
            balancers: shape.balancers,
            overrides: Vec::new(),
            execute_command: service.settings.execute_command,
            turn: self.ecs.tasks_of(&service.arn).count(),
        };
        let id = self.place(order, now);
        if id.is_none() {
            let message = ") was unable to place a task. Reason: no free IP address.";
            service.say(&mut self.ids, now, message);
        }
        id
    }

    /// Makes a task. Its id, or `None` when there is no address for it.
    pub(super) fn place(&mut self, order: Order, now: Timestamp) -> Option<String> {
        let subnets = order.network.pointer("/awsvpcConfiguration/subnets")?;
        let subnets = subnets.as_array()?;
        let subnet = subnets
            .get(order.turn % subnets.len().max(1))?
            .as_str()?
            .to_owned();
        let address = self.ecs.addresses.take(&subnet)?;
        let id = self.ids.hex(32);
        let arn = self.task_arn(&order.cluster, &id);
        let due = self.pace.after(now, time::ATTACH);
        let task = Task {
            sequence: self.next_sequence(),
            size: self.task_size(&order.definition),
            storage: self.task_storage(&order.definition),
            containers: self.task_containers(&order.definition, &order.cluster, &id),
            cluster: order.cluster,
            origin: order.origin,
            tags: order.tags,
            definition: order.definition,
            balancers: order.balancers,
            network: order.network,
            overrides: order.overrides,
            execute_command: order.execute_command,
            subnet,
            address,
            attachment: self.ids.uuid(),
            interface: format!("eni-{}", self.ids.hex(17)),
            status: Status::Provisioning,
            launch: Launch::Waiting,
            targets: Vec::new(),
            stop: None,
            was_healthy: false,
            said_unhealthy: false,
            created: now,
            attached: None,
            pull_started: None,
            pull_stopped: None,
            started: None,
            stopping: None,
            execution_stopped: None,
            stopped: None,
            version: 1,
            due: Some(due),
            arn: arn.clone(),
            id: id.clone(),
        };
        self.timers.set(due, Timer::Task(arn.clone()));
        self.ecs.tasks.insert(arn, task);
        Some(id)
    }

    fn task_size(&self, definition: &str) -> (String, String) {
        let definition = self.ecs.definition(definition);
        let read = |key| {
            definition
                .and_then(|d| d.text(key))
                .unwrap_or_default()
                .to_owned()
        };
        (read("cpu"), read("memory"))
    }

    /// Source of the default:
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EphemeralStorage.html>
    fn task_storage(&self, definition: &str) -> u64 {
        self.ecs
            .definition(definition)
            .and_then(|d| d.document.pointer("/ephemeralStorage/sizeInGiB")?.as_u64())
            .unwrap_or(20)
    }

    fn service_task_tags(&self, service: &Service, definition: &str) -> Tags {
        let mut tags = match service.settings.propagate_tags.as_str() {
            "SERVICE" => service.tags.clone(),
            "TASK_DEFINITION" => {
                let definition = self.ecs.definition(definition);
                definition.map(|d| d.tags.clone()).unwrap_or_default()
            }
            _ => Tags::new(),
        };
        if service.settings.managed_tags {
            tags.insert("aws:ecs:clusterName".to_owned(), service.cluster.clone());
            tags.insert("aws:ecs:serviceName".to_owned(), service.name.clone());
        }
        tags
    }

    fn task_containers(&mut self, definition: &str, cluster: &str, task: &str) -> Vec<Container> {
        let containers = self
            .ecs
            .definition(definition)
            .map(|d| d.containers().to_vec());
        let mut made = Vec::new();
        for container in containers.unwrap_or_default() {
            let number = |key| container.get(key).and_then(Value::as_i64);
            let resource = format!("container/{cluster}/{task}/{}", self.ids.uuid());
            made.push(Container {
                name: text(&container, "name").to_owned(),
                arn: self.ids.arn("ecs", &resource),
                image: text(&container, "image").to_owned(),
                digest: None,
                runtime: None,
                cpu: number("cpu").unwrap_or(0).to_string(),
                memory: number("memory").map(|memory| memory.to_string()),
                essential: container.get("essential") != Some(&Value::Bool(false)),
                exit_code: None,
                reason: None,
                ended: false,
                started: None,
                check: HealthCheck::of(&container),
            });
        }
        made
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}
