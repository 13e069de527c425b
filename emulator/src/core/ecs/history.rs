//! Service deployments and service revisions: what was rolled out, and how it went.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    CODE,
    deployment::{DeploymentStatus, Revision, ServiceDeployment},
    missing,
    service::Service,
    service_view::{balancers_view, counts},
    task::Task,
};
use crate::core::{
    ApiError, Cloud, Reply,
    error::{fault, invalid},
    input::Input,
    page::{Paging, with_token},
    time::seconds,
};

const PAGING: Paging = Paging {
    token: "nextToken",
    limit: "maxResults",
    default: 20,
    max: 100,
};
const STATUSES: [&str; 9] = [
    "PENDING",
    "SUCCESSFUL",
    "STOPPED",
    "STOP_REQUESTED",
    "IN_PROGRESS",
    "ROLLBACK_REQUESTED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_SUCCESSFUL",
    "ROLLBACK_FAILED",
];

impl DeploymentStatus {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::StopRequested => "STOP_REQUESTED",
            Self::Stopped => "STOPPED",
            Self::Successful => "SUCCESSFUL",
            Self::RollbackRequested => "ROLLBACK_REQUESTED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }
}

impl Cloud {
    pub(super) fn revision_arn(&self, service: &Service, id: &str) -> String {
        let resource = format!("service-revision/{}/{}/{id}", service.cluster, service.name);
        self.ids.arn("ecs", &resource)
    }

    pub(super) fn list_service_deployments(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "service",
            "cluster",
            "status",
            "createdAt",
            "nextToken",
            "maxResults",
        ];
        let input = Input::new(input, CODE, &members)?;
        let cluster = self.cluster_of(&input)?;
        let service = self.service_of(&cluster, input.need("service")?)?;
        let statuses = input.texts("status")?;
        if statuses.iter().any(|status| !STATUSES.contains(status)) {
            return Err(invalid(format!(
                "status should be one of [{}]",
                STATUSES.join(",")
            )));
        }
        let times = input.object("createdAt", &["before", "after"])?;
        let bound = |key| {
            let times = times.as_ref();
            times
                .and_then(|times| times.value(key))
                .and_then(Value::as_f64)
        };
        let (before, after) = (bound("before"), bound("after"));
        let wanted = service.history.iter().filter(|record| {
            let created = seconds(record.created).as_f64().unwrap_or(0.0);
            (statuses.is_empty() || statuses.contains(&record.status.word()))
                && before.is_none_or(|before| created <= before)
                && after.is_none_or(|after| created >= after)
        });
        // Newest first: the keys ascend as the times fall.
        let keyed = wanted.map(|record| {
            let age = i64::MAX - record.created.as_millisecond();
            (
                format!("{age:020}{}", record.arn),
                self.brief(service, record),
            )
        });
        let (page, next) = PAGING.cut(&input, keyed)?;
        Ok(with_token(json!({ "serviceDeployments": page }), next))
    }

    fn brief(&self, service: &Service, record: &ServiceDeployment) -> Value {
        let mut view = json!({
            "serviceDeploymentArn": record.arn,
            "serviceArn": service.arn,
            "clusterArn": self.cluster_arn(&service.cluster),
            "createdAt": seconds(record.created),
            "targetServiceRevisionArn": self.revision_arn(service, &record.deployment),
            "status": record.status.word(),
        });
        if let Some(map) = view.as_object_mut() {
            add_moments(record, map);
            map.shift_remove("stoppedAt");
        }
        view
    }

    pub(super) fn describe_service_deployments(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["serviceDeploymentArns"])?;
        let arns = input.texts("serviceDeploymentArns")?;
        if arns.is_empty() || arns.len() > 20 {
            return Err(invalid(
                "Service Deployment ARN count must be between 1 and 20",
            ));
        }
        let (mut records, mut failures) = (Vec::new(), Vec::new());
        for arn in arns {
            let service = self.service_of_resource(arn, "service-deployment/");
            let record = service.and_then(|service| {
                let record = service.history.iter().find(|record| record.arn == arn)?;
                Some(self.record_view(service, record))
            });
            match record {
                Some(record) => records.push(record),
                None => failures.push(missing(arn)),
            }
        }
        Ok(json!({ "serviceDeployments": records, "failures": failures }))
    }

    /// The service that `KIND/CLUSTER/NAME/ID` belongs to.
    pub(super) fn service_of_resource(&self, arn: &str, kind: &str) -> Option<&Service> {
        let rest = arn.strip_prefix(&self.ids.arn("ecs", kind))?;
        let (service, _) = rest.rsplit_once('/')?;
        let arn = self.ids.arn("ecs", &format!("service/{service}"));
        self.ecs.services.get(&arn)
    }

    fn record_view(&self, service: &Service, record: &ServiceDeployment) -> Value {
        let tasks: Vec<&Task> = self.ecs.tasks_of(&service.arn).collect();
        let revision = |id: &String, target: bool| {
            let (running, pending) = counts(&tasks, id);
            let deployment = service.deployments.iter().find(|d| d.id == *id);
            let mut view = json!({
                "arn": self.revision_arn(service, id),
                "requestedTaskCount": deployment.map_or(0, |d| d.desired),
                "runningTaskCount": running,
                "pendingTaskCount": pending,
            });
            if target && let Some(map) = view.as_object_mut() {
                map.insert("requestedProductionTrafficWeight".to_owned(), json!(100.0));
            }
            view
        };
        let sources: Vec<Value> = record
            .sources
            .iter()
            .map(|id| revision(id, false))
            .collect();
        let enabled = record.settings.breaker.enable;
        let breaker = match (record.triggered, enabled, record.status.is_over()) {
            (true, _, _) => "TRIGGERED",
            (false, false, _) => "DISABLED",
            (false, true, false) => "MONITORING",
            (false, true, true) => "MONITORING_COMPLETE",
        };
        let mut view = json!({
            "serviceDeploymentArn": record.arn,
            "serviceArn": service.arn,
            "clusterArn": self.cluster_arn(&service.cluster),
            "createdAt": seconds(record.created),
            "updatedAt": seconds(record.updated),
            "sourceServiceRevisions": sources,
            "targetServiceRevision": revision(&record.deployment, true),
            "status": record.status.word(),
            "deploymentConfiguration": record.settings.view(),
            "deploymentCircuitBreaker": {
                "status": breaker,
                "failureCount": record.failures,
                "threshold": record.threshold,
            },
            "alarms": { "status": "DISABLED" },
        });
        if let Some(map) = view.as_object_mut() {
            add_moments(record, map);
            if let Some(rollback) = &record.rollback {
                let view = json!({
                    "reason": rollback.reason,
                    "startedAt": seconds(rollback.started),
                    "serviceRevisionArn": self.revision_arn(service, &rollback.to),
                });
                map.insert("rollback".to_owned(), view);
            }
        }
        view
    }

    pub(super) fn describe_service_revisions(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["serviceRevisionArns"])?;
        let arns = input.texts("serviceRevisionArns")?;
        if arns.is_empty() {
            return Err(invalid("Service Revision ARNs cannot be empty"));
        }
        if arns.len() > 20 {
            return Err(invalid("Service Revision ARN count cannot exceed 20"));
        }
        let prefix = self.ids.arn("ecs", "service-revision/");
        let mut services = BTreeSet::new();
        for arn in &arns {
            let parts: Option<Vec<&str>> =
                arn.strip_prefix(&prefix).map(|r| r.split('/').collect());
            match parts.as_deref() {
                Some([cluster, name, id])
                    if !id.is_empty() && id.chars().all(|c| c.is_ascii_digit()) =>
                {
                    services.insert(format!("service/{cluster}/{name}"));
                }
                Some(_) | None => return Err(invalid("The ServiceRevision ARN is invalid.")),
            }
        }
        if services.len() > 1 {
            return Err(invalid("Cross service requests are not allowed."));
        }
        let service = services
            .first()
            .and_then(|resource| self.ecs.services.get(&self.ids.arn("ecs", resource)))
            .ok_or_else(|| fault("ServiceNotFoundException", "Service not found."))?;
        let (mut revisions, mut failures, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for arn in arns {
            let id = arn.rsplit('/').next().unwrap_or_default();
            match service.revisions.iter().find(|revision| revision.id == id) {
                // Observed: asking twice for a revision that exists is a server error.
                Some(_) if !seen.insert(arn) => {
                    return Err(ApiError {
                        status: 500,
                        code: "ServerException",
                        message: "Service Unavailable. Please try again later.".to_owned(),
                    });
                }
                Some(revision) => revisions.push(self.revision_view(service, revision)),
                None => failures.push(missing(arn)),
            }
        }
        Ok(json!({ "serviceRevisions": revisions, "failures": failures }))
    }

    /// Resolved values: the platform that runs, never `LATEST`. A first revision has no empty lists.
    fn revision_view(&self, service: &Service, revision: &Revision) -> Value {
        let shape = &revision.shape;
        let definition = self.ecs.definition(&shape.definition);
        let images: Vec<Value> = definition
            .map(|definition| definition.containers())
            .unwrap_or_default()
            .iter()
            .map(|container| {
                let name = super::launch::text(container, "name");
                let mut image = json!({
                    "containerName": name,
                    "image": super::launch::text(container, "image"),
                });
                if let (Some(digest), Some(map)) =
                    (revision.digests.get(name), image.as_object_mut())
                {
                    map.insert("imageDigest".to_owned(), Value::from(digest.clone()));
                }
                image
            })
            .collect();
        let mut view = json!({
            "serviceRevisionArn": self.revision_arn(service, &revision.id),
            "serviceArn": service.arn,
            "clusterArn": self.cluster_arn(&service.cluster),
            "taskDefinition": shape.definition,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "networkConfiguration": shape.network,
            "containerImages": images,
            "guardDutyEnabled": false,
            "createdAt": seconds(revision.created),
        });
        if let Some(map) = view.as_object_mut() {
            if !revision.first || !shape.balancers.is_empty() {
                let balancers = balancers_view(&shape.balancers);
                map.insert("loadBalancers".to_owned(), Value::from(balancers));
            }
            if !revision.first {
                map.insert("serviceRegistries".to_owned(), json!([]));
            }
            if !shape.balancers.is_empty() {
                let resolved: Vec<Value> = shape
                    .balancers
                    .iter()
                    .map(|balancer| json!({ "targetGroupArn": balancer.group }))
                    .collect();
                let resolved = json!({ "loadBalancers": resolved });
                map.insert("resolvedConfiguration".to_owned(), resolved);
            }
        }
        view
    }
}

fn add_moments(record: &ServiceDeployment, map: &mut Map<String, Value>) {
    let moments = [
        ("startedAt", record.started),
        ("finishedAt", record.finished),
        ("stoppedAt", record.stopped),
    ];
    for (key, at) in moments {
        if let Some(at) = at {
            map.insert(key.to_owned(), seconds(at));
        }
    }
    if let Some(reason) = &record.reason {
        map.insert("statusReason".to_owned(), Value::from(reason.clone()));
    }
}
