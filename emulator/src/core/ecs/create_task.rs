//! A new task of a deployment.

use jiff::Timestamp;

use super::{
    launch::text,
    service::Service,
    tags::Tags,
    task::{Container, Launch, Status, Task},
};
use crate::core::{
    Cloud,
    time::{self, Timer},
};

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
        let deployment = deployment.id.clone();
        let subnets = shape.network.pointer("/awsvpcConfiguration/subnets")?;
        let subnets = subnets.as_array()?;
        let turn = self.ecs.tasks_of(&service.arn).count();
        let subnet = subnets
            .get(turn % subnets.len().max(1))?
            .as_str()?
            .to_owned();
        let Some(address) = self.ecs.addresses.take(&subnet) else {
            let message = ") was unable to place a task. Reason: no free IP address.";
            service.say(&mut self.ids, now, message);
            return None;
        };
        let id = self.ids.hex(32);
        let arn = self.task_arn(&service.cluster, &id);
        let due = self.pace.after(now, time::ATTACH);
        let task = Task {
            sequence: self.next_sequence(),
            cluster: service.cluster.clone(),
            service: service.arn.clone(),
            service_name: service.name.clone(),
            deployment,
            size: self.task_size(&shape.definition),
            tags: self.task_tags(service, &shape.definition),
            containers: self.task_containers(&shape.definition, &service.cluster, &id),
            definition: shape.definition,
            balancers: shape.balancers,
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

    fn task_tags(&self, service: &Service, definition: &str) -> Tags {
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
            let number = |key| container.get(key).and_then(serde_json::Value::as_i64);
            let resource = format!("container/{cluster}/{task}/{}", self.ids.uuid());
            made.push(Container {
                name: text(&container, "name").to_owned(),
                arn: self.ids.arn("ecs", &resource),
                image: text(&container, "image").to_owned(),
                digest: None,
                runtime: None,
                cpu: number("cpu").unwrap_or(0).to_string(),
                memory: number("memory").map(|memory| memory.to_string()),
                essential: container.get("essential") != Some(&serde_json::Value::Bool(false)),
                exit_code: None,
                reason: None,
                ended: false,
            });
        }
        made
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}
