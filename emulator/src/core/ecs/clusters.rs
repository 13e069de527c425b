//! Clusters.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    CODE, missing,
    tags::{self, Tags},
    task::Status,
};
use crate::core::{
    ApiError, Cloud, Reply,
    error::{fault, invalid, limit},
    input::Input,
    page::{Paging, with_token},
};

const CLUSTERS: usize = 1_000;
const PAGING: Paging = Paging {
    token: "nextToken",
    limit: "maxResults",
    default: 100,
    max: 100,
};

#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) arn: String,
    pub(super) tags: Tags,
    /// Capacity providers: only remembered, tasks are launched by launch type.
    providers: Vec<String>,
    /// Deleted ones stay to be described, as INACTIVE.
    active: bool,
}

impl Cloud {
    /// The name of the cluster that an input means: a name, an ARN, or `default`.
    ///
    /// # Errors
    /// `ClusterNotFoundException`.
    pub(super) fn cluster_of(&self, input: &Input<'_>) -> Result<String, ApiError> {
        let given = input.text("cluster")?.unwrap_or("default");
        let name = given
            .strip_prefix(&self.ids.arn("ecs", "cluster/"))
            .unwrap_or(given);
        let message = match self.ecs.clusters.get(name) {
            Some(cluster) if cluster.active => return Ok(name.to_owned()),
            Some(_) => "The referenced cluster was inactive.",
            None => "Cluster not found.",
        };
        Err(fault("ClusterNotFoundException", message))
    }

    pub(super) fn cluster_arn(&self, name: &str) -> String {
        self.ids.arn("ecs", &format!("cluster/{name}"))
    }

    pub(super) fn create_cluster(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "clusterName",
            "tags",
            "settings",
            "configuration",
            "capacityProviders",
            "defaultCapacityProviderStrategy",
            "serviceConnectDefaults",
        ];
        let input = Input::new(input, CODE, &members)?;
        input.refuse(&[
            "settings",
            "configuration",
            "defaultCapacityProviderStrategy",
            "serviceConnectDefaults",
        ])?;
        let name = input.text("clusterName")?.unwrap_or("default");
        check_name(name, "Cluster name")?;
        let providers = input.texts("capacityProviders")?;
        for provider in &providers {
            if !["FARGATE", "FARGATE_SPOT"].contains(provider) {
                return Err(invalid(format!(
                    "The specified capacity provider {provider} was not found."
                )));
            }
        }
        let tags = tags::read(&input)?;
        let known = self.ecs.clusters.get(name);
        if known.is_none() && self.ecs.clusters.len() >= CLUSTERS {
            return Err(limit("The emulator holds at most 1000 clusters."));
        }
        if !known.is_some_and(|cluster| cluster.active) {
            let arn = self.cluster_arn(name);
            let active = true;
            let providers = providers.into_iter().map(str::to_owned).collect();
            let cluster = Cluster {
                arn,
                tags,
                providers,
                active,
            };
            self.ecs.clusters.insert(name.to_owned(), cluster);
        }
        Ok(json!({ "cluster": self.cluster_view(name, true) }))
    }

    pub(super) fn delete_cluster(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["cluster"])?;
        input.need("cluster")?;
        let name = self.cluster_of(&input)?;
        let mut services = self.ecs.services.values();
        if services.any(|service| service.cluster == name && service.is_active()) {
            return Err(fault(
                "ClusterContainsServicesException",
                "The Cluster cannot be deleted while Services are active.",
            ));
        }
        let mut tasks = self.ecs.tasks.values();
        if tasks.any(|task| task.cluster == name && task.status != Status::Stopped) {
            return Err(fault(
                "ClusterContainsTasksException",
                "The Cluster cannot be deleted while Tasks are active.",
            ));
        }
        if let Some(cluster) = self.ecs.clusters.get_mut(&name) {
            cluster.active = false;
        }
        Ok(json!({ "cluster": self.cluster_view(&name, true) }))
    }

    pub(super) fn describe_clusters(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["clusters", "include"])?;
        let mut names: BTreeSet<&str> = input.texts("clusters")?.into_iter().collect();
        if names.is_empty() {
            names.insert("default");
        }
        if names.len() > 100 {
            return Err(invalid("Clusters cannot have more than 100 elements."));
        }
        let words = [
            "ATTACHMENTS",
            "CONFIGURATIONS",
            "SETTINGS",
            "STATISTICS",
            "TAGS",
        ];
        let include = input.texts("include")?;
        if include.iter().any(|word| !words.contains(word)) {
            return Err(invalid(format!(
                "include should be one of [{}]",
                words.join(",")
            )));
        }
        let (mut clusters, mut failures) = (Vec::new(), Vec::new());
        for given in names {
            let name = given
                .strip_prefix(&self.ids.arn("ecs", "cluster/"))
                .unwrap_or(given);
            if self.ecs.clusters.contains_key(name) {
                clusters.push(self.cluster_view(name, include.contains(&"TAGS")));
            } else {
                failures.push(missing(&self.cluster_arn(name)));
            }
        }
        Ok(json!({ "clusters": clusters, "failures": failures }))
    }

    pub(super) fn list_clusters(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["nextToken", "maxResults"])?;
        let arns = self.ecs.clusters.values().filter(|cluster| cluster.active);
        let arns = arns.map(|cluster| (cluster.arn.clone(), cluster.arn.clone()));
        let (page, next) = PAGING.cut(&input, arns)?;
        Ok(with_token(json!({ "clusterArns": page }), next))
    }

    fn cluster_view(&self, name: &str, with_tags: bool) -> Value {
        let tasks = || self.ecs.tasks.values().filter(|task| task.cluster == name);
        let services = self.ecs.services.values();
        let active = services.filter(|service| service.cluster == name && service.is_active());
        let cluster = self.ecs.clusters.get(name);
        let tags = cluster.map(|cluster| &cluster.tags);
        let active_now = cluster.is_some_and(|cluster| cluster.active);
        json!({
            "clusterArn": self.cluster_arn(name),
            "clusterName": name,
            "status": if active_now { "ACTIVE" } else { "INACTIVE" },
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": tasks().filter(|task| task.status == Status::Running).count(),
            "pendingTasksCount": tasks().filter(|task| task.status < Status::Running).count(),
            "activeServicesCount": active.count(),
            "statistics": [],
            "tags": tags.filter(|_| with_tags).map(tags::view).unwrap_or_default(),
            "settings": [],
            "capacityProviders": cluster.map(|cluster| &cluster.providers),
            "defaultCapacityProviderStrategy": [],
        })
    }
}

/// Up to 255 letters, digits, hyphens and underscores.
pub(super) fn check_name(name: &str, what: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 255 || !name.chars().all(allowed) {
        return Err(invalid(format!(
            "{what} can contain up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens."
        )));
    }
    Ok(())
}
