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

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) arn: String,
    pub(super) tags: Tags,
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
        if self.ecs.clusters.contains_key(name) {
            return Ok(name.to_owned());
        }
        Err(fault("ClusterNotFoundException", "Cluster not found."))
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
        for provider in input.texts("capacityProviders")? {
            if !["FARGATE", "FARGATE_SPOT"].contains(&provider) {
                return Err(invalid(format!(
                    "The specified capacity provider {provider} was not found."
                )));
            }
        }
        let tags = tags::read(&input)?;
        if !self.ecs.clusters.contains_key(name) {
            if self.ecs.clusters.len() >= CLUSTERS {
                return Err(limit("The emulator holds at most 1000 clusters."));
            }
            let arn = self.cluster_arn(name);
            self.ecs
                .clusters
                .insert(name.to_owned(), Cluster { arn, tags });
        }
        Ok(json!({ "cluster": self.cluster_view(name, true) }))
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
        let arns = self.ecs.clusters.values();
        let arns = arns.map(|cluster| (cluster.arn.clone(), cluster.arn.clone()));
        let (page, next) = PAGING.cut(&input, arns)?;
        Ok(with_token(json!({ "clusterArns": page }), next))
    }

    fn cluster_view(&self, name: &str, with_tags: bool) -> Value {
        let tasks = || self.ecs.tasks.values().filter(|task| task.cluster == name);
        let services = self.ecs.services.values();
        let active = services.filter(|service| service.cluster == name && service.is_active());
        let tags = self.ecs.clusters.get(name).map(|cluster| &cluster.tags);
        json!({
            "clusterArn": self.cluster_arn(name),
            "clusterName": name,
            "status": "ACTIVE",
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": tasks().filter(|task| task.status == Status::Running).count(),
            "pendingTasksCount": tasks().filter(|task| task.status < Status::Running).count(),
            "activeServicesCount": active.count(),
            "statistics": [],
            "tags": tags.filter(|_| with_tags).map(tags::view).unwrap_or_default(),
            "settings": [],
            "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
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
