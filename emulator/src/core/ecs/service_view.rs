//! Services as DescribeServices shows them.

use serde_json::{Map, Value, json};

use super::{
    CODE,
    deployment::{Deployment, DeploymentStatus, Rollout},
    missing,
    service::{Balancer, Life, Service},
    service_input::scheduling,
    tags,
    task::Task,
};
use crate::core::{
    ApiError, Cloud, Reply,
    error::invalid,
    input::Input,
    page::{Paging, with_token},
    time::seconds,
};

const PAGING: Paging = Paging {
    token: "nextToken",
    limit: "maxResults",
    default: 10,
    max: 100,
};

impl Cloud {
    pub(super) fn describe_services(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["cluster", "services", "include"])?;
        let cluster = self.cluster_of(&input)?;
        let include = input.texts("include")?;
        if include.iter().any(|word| *word != "TAGS") {
            return Err(invalid("include should be one of [TAGS]"));
        }
        let asked = input.texts("services")?;
        if asked.is_empty() {
            return Err(invalid("Services cannot be empty."));
        }
        if asked.len() > 10 {
            return Err(invalid("Services cannot have more than 10 elements."));
        }
        let (mut services, mut failures) = (Vec::new(), Vec::new());
        for reference in asked {
            match self.service_of(&cluster, reference) {
                Ok(service) => services.push(self.service_view(service, !include.is_empty())),
                Err(_) => failures.push(missing(&self.service_arn(&cluster, reference))),
            }
        }
        Ok(json!({ "services": services, "failures": failures }))
    }

    pub(super) fn list_services(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "cluster",
            "nextToken",
            "maxResults",
            "launchType",
            "schedulingStrategy",
        ];
        let input = Input::new(input, CODE, &members)?;
        let cluster = self.cluster_of(&input)?;
        let fargate = input.word("launchType", &["EC2", "FARGATE", "EXTERNAL"])?;
        let replica = scheduling(&input)?;
        let wanted = self.ecs.services.values().filter(|service| {
            service.cluster == cluster
                && service.is_active()
                && fargate.is_none_or(|kind| kind == "FARGATE")
                && replica.is_none_or(|strategy| strategy == "REPLICA")
        });
        let arns = wanted.map(|service| (service.arn.clone(), service.arn.clone()));
        let (page, next) = PAGING.cut(&input, arns)?;
        Ok(with_token(json!({ "serviceArns": page }), next))
    }

    /// For the replies to writes: with tags.
    pub(super) fn service_view_of(&self, arn: &str) -> Option<Value> {
        let service = self.ecs.services.get(arn)?;
        Some(self.service_view(service, true))
    }

    fn service_view(&self, service: &Service, with_tags: bool) -> Value {
        let tasks: Vec<&Task> = self.ecs.tasks_of(&service.arn).collect();
        let deployments: Vec<Value> = service
            .deployments
            .iter()
            .enumerate()
            .map(|(at, deployment)| deployment_view(deployment, at == 0, &tasks))
            .collect();
        let revisions: Vec<Value> = service
            .deployments
            .iter()
            .map(|deployment| {
                let (running, pending) = counts(&tasks, &deployment.id);
                json!({
                    "arn": self.revision_arn(service, &deployment.id),
                    "requestedTaskCount": deployment.desired,
                    "runningTaskCount": running,
                    "pendingTaskCount": pending,
                })
            })
            .collect();
        let events: Vec<Value> = service
            .events
            .iter()
            .map(|event| json!({ "id": event.id, "createdAt": seconds(event.at), "message": event.message }))
            .collect();
        let settings = &service.settings;
        // A service that has gone has no deployment any more, but its last revision is known.
        let shape = service
            .primary()
            .map(|primary| &primary.shape)
            .or(service.revisions.front().map(|revision| &revision.shape));
        let balancers = shape.map_or(&[][..], |shape| &shape.balancers);
        let mut view = json!({
            "serviceArn": service.arn,
            "serviceName": service.name,
            "clusterArn": self.cluster_arn(&service.cluster),
            "loadBalancers": balancers_view(balancers),
            "serviceRegistries": [],
            "status": life_word(service.life),
            "desiredCount": service.desired,
            "runningCount": tasks.iter().filter(|task| task.is_running()).count(),
            "pendingCount": tasks.iter().filter(|task| task.is_pending()).count(),
            "launchType": "FARGATE",
            "platformVersion": shape.map(|shape| &shape.platform),
            "platformFamily": "Linux",
            "taskDefinition": shape.map(|shape| &shape.definition),
            "deploymentConfiguration": settings.view(),
            "deployments": deployments,
            "roleArn": format!("arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", self.ids.account),
            "events": events,
            "createdAt": seconds(service.created),
            "currentServiceRevisions": revisions,
            "placementConstraints": [],
            "placementStrategy": [],
            "networkConfiguration": shape.map(|shape| &shape.network),
            "healthCheckGracePeriodSeconds": settings.grace.as_secs(),
            "schedulingStrategy": "REPLICA",
            "deploymentController": { "type": "ECS" },
            "createdBy": service.created_by,
            "enableECSManagedTags": settings.managed_tags,
            "propagateTags": settings.propagate_tags,
            "enableExecuteCommand": settings.execute_command,
            "availabilityZoneRebalancing": settings.rebalancing,
            "resourceManagementType": "CUSTOMER",
        });
        if let Some(map) = view.as_object_mut() {
            add_optional(service, with_tags, map);
        }
        view
    }
}

/// The deployment that runs is named once it has started, and no longer than it runs.
fn add_optional(service: &Service, with_tags: bool, map: &mut Map<String, Value>) {
    let current = service.history.front().filter(|record| {
        matches!(
            record.status,
            DeploymentStatus::InProgress
                | DeploymentStatus::StopRequested
                | DeploymentStatus::RollbackRequested
                | DeploymentStatus::RollbackInProgress
        )
    });
    if let Some(current) = current {
        map.insert(
            "currentServiceDeployment".to_owned(),
            Value::from(current.arn.clone()),
        );
    }
    if with_tags && !service.tags.is_empty() {
        map.insert("tags".to_owned(), Value::from(tags::view(&service.tags)));
    }
}

fn deployment_view(deployment: &Deployment, primary: bool, tasks: &[&Task]) -> Value {
    let (running, pending) = counts(tasks, &deployment.id);
    let own = || {
        tasks
            .iter()
            .filter(|task| task.deployment() == Some(&deployment.id) && task.stopped.is_none())
    };
    let leaving = own().next().is_some() && own().all(|task| task.is_leaving());
    let status = match (primary, leaving) {
        (true, _) => "PRIMARY",
        (false, true) => "DRAINING",
        (false, false) => "ACTIVE",
    };
    let rollout = match deployment.rollout {
        Rollout::InProgress => "IN_PROGRESS",
        Rollout::Completed => "COMPLETED",
        Rollout::Failed => "FAILED",
    };
    json!({
        "id": format!("ecs-svc/{}", deployment.id),
        "status": status,
        "taskDefinition": deployment.shape.definition,
        "desiredCount": deployment.desired,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": deployment.failed,
        "createdAt": seconds(deployment.created),
        "updatedAt": seconds(deployment.updated),
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "networkConfiguration": deployment.shape.network,
        "rolloutState": rollout,
        "rolloutStateReason": deployment.reason,
    })
}

/// Running and pending tasks of a deployment.
pub(super) fn counts(tasks: &[&Task], deployment: &str) -> (usize, usize) {
    let own = || {
        tasks
            .iter()
            .filter(|task| task.deployment() == Some(deployment))
    };
    (
        own().filter(|task| task.is_running()).count(),
        own().filter(|task| task.is_pending()).count(),
    )
}

pub(super) fn balancers_view(balancers: &[Balancer]) -> Vec<Value> {
    balancers
        .iter()
        .map(|balancer| {
            json!({
                "targetGroupArn": balancer.group,
                "containerName": balancer.container,
                "containerPort": balancer.port,
            })
        })
        .collect()
}

fn life_word(life: Life) -> &'static str {
    match life {
        Life::Active => "ACTIVE",
        Life::Draining => "DRAINING",
        Life::Inactive => "INACTIVE",
    }
}
