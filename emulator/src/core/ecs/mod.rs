//! ECS on Fargate: clusters, task definitions, services with rolling deployments, tasks.
//!
//! A service is looked at by its [`rollout`] pass, whose decisions are made by the pure [`scheduler`]; a task walks
//! through its [`lifecycle`]. Reads take `&self`: a describe cannot change state.

mod addresses;
mod attributes;
mod breaker;
mod carry_out;
mod checks;
mod clusters;
mod container_parts;
mod containers;
mod create_task;
mod definition_ends;
mod definition_lists;
mod definitions;
mod deployment;
mod health_check;
mod history;
mod launch;
mod lifecycle;
mod rollback;
mod rollout;
mod run_task;
mod scheduler;
mod secrets;
mod service;
mod service_input;
mod service_settings;
mod service_view;
mod services;
mod starting;
mod tags;
mod task;
mod task_calls;
mod task_health;
mod task_size;
mod task_view;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ApiError, Call, Cloud, Reply, error::fault, time::Timer};

use addresses::Addresses;
use clusters::Cluster;
use definitions::Family;
use run_task::Runs;
use service::Service;
use task::Task;

const CODE: &str = "InvalidParameterException";

/// Everything of the account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ecs {
    /// By name.
    clusters: BTreeMap<String, Cluster>,
    /// By name.
    families: BTreeMap<String, Family>,
    /// By ARN.
    services: BTreeMap<String, Service>,
    /// By ARN; stopped ones stay a while.
    tasks: BTreeMap<String, Task>,
    addresses: Addresses,
    runs: Runs,
}

impl Ecs {
    fn tasks_of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Task> {
        self.tasks
            .values()
            .filter(move |task| task.service() == Some(service))
    }

    /// The service that a task belongs to.
    fn owner_mut(&mut self, task: &Task) -> Option<&mut Service> {
        self.services.get_mut(task.service()?)
    }
}

impl Cloud {
    pub(super) fn ecs(&mut self, call: &Call, now: Timestamp) -> Result<Reply, ApiError> {
        let input = &call.input;
        match call.operation.as_str() {
            "CreateCluster" => self.create_cluster(input),
            "DescribeClusters" => self.describe_clusters(input),
            "ListClusters" => self.list_clusters(input),
            "DeleteCluster" => self.delete_cluster(input),
            "RegisterTaskDefinition" => self.register_definition(call, now),
            "DescribeTaskDefinition" => self.describe_definition(input),
            "ListTaskDefinitions" => self.list_definitions(input),
            "ListTaskDefinitionFamilies" => self.list_families(input),
            "DeregisterTaskDefinition" => self.deregister_definition(input, now),
            "DeleteTaskDefinitions" => self.delete_definitions(input, now),
            "CreateService" => self.create_service(call, now),
            "UpdateService" => self.update_service(input, now),
            "DeleteService" => self.delete_service(input, now),
            "DescribeServices" => self.describe_services(input),
            "ListServices" => self.list_services(input),
            "ListTasks" => self.list_tasks(input),
            "DescribeTasks" => self.describe_tasks(input),
            "RunTask" => self.run_task(input, now),
            "StopTask" => self.stop_task_call(input, now),
            "TagResource" => self.tag_resource(input),
            "UntagResource" => self.untag_resource(input),
            "ListTagsForResource" => self.list_resource_tags(input),
            "ListServiceDeployments" => self.list_service_deployments(input),
            "DescribeServiceDeployments" => self.describe_service_deployments(input),
            "StopServiceDeployment" => self.stop_service_deployment(input, now),
            "DescribeServiceRevisions" => self.describe_service_revisions(input),
            other => Err(fault("UnknownOperationException", other)),
        }
    }

    /// Has the service that a task belongs to looked at.
    fn wake_owner(&mut self, task: &Task, at: Timestamp) {
        if let Some(arn) = task.service() {
            self.wake_service(arn, at);
        }
    }

    /// Has a service looked at.
    fn wake_service(&mut self, arn: &str, at: Timestamp) {
        self.timers.set(at, Timer::Service(arn.to_owned()));
    }
}

/// One entry of `failures`.
fn missing(arn: &str) -> Value {
    json!({ "arn": arn, "reason": "MISSING" })
}
