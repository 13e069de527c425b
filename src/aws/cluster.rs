//! Clusters: where they are, and which services they have.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;

use crate::{
    aws::{Aws, AwsError, Class, Operation, SERVICES_PER_CALL, ecs, observe::object},
    document,
    home::Home,
    manifest::Manifest,
    observed::LiveService,
};

/// Where clusters are, by how manifests name them. A cluster does not move.
#[derive(Debug, Clone, Default)]
pub(super) struct Homes(Arc<Mutex<HashMap<String, Home>>>);

/// The most services that ListServices returns at once (API_ListServices).
const LISTED_AT_ONCE: u32 = 100;
/// The most pages that are read: more services than a cluster may have.
const MOST_PAGES: usize = 100;

impl Aws {
    /// The account and region of the cluster must be those of every ARN in the manifest.
    pub(super) async fn check_home(&self, manifest: &Manifest) -> Result<(), AwsError> {
        let home = self.home(&manifest.cluster).await?;
        match home.stranger(manifest) {
            None => Ok(()),
            Some(arn) => Err(AwsError {
                operation: "ecs:DescribeClusters".to_owned(),
                class: Class::Invalid,
                code: "elsewhere".to_owned(),
                message: format!(
                    "the cluster {} is in account {}, region {}, and the manifest names {arn}; run with the credentials and \
                     the region that the manifest was written for, or correct it",
                    manifest.cluster, home.account, home.region
                ),
            }),
        }
    }

    /// Where a cluster is; asked once per process.
    async fn home(&self, cluster: &str) -> Result<Home, AwsError> {
        let known = self
            .homes
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(cluster)
            .cloned();
        if let Some(home) = known {
            return Ok(home);
        }
        let operation = Operation::DESCRIBE_CLUSTERS;
        let input = object(json!({"clusters": [cluster]}));
        let answer = ecs!(self, operation, self.clients.ecs.describe_clusters(), input)?;
        let arn = document::objects(&answer.document, "clusters")
            .map(|cluster| document::text(cluster, "clusterArn"))
            .next();
        let home = arn
            .and_then(Home::of_arn)
            .ok_or_else(|| AwsError::unreadable(operation))?;
        self.homes
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(cluster.to_owned(), home.clone());
        Ok(home)
    }

    /// Makes sure that the manifest's service, which is said to be missing, is not there: no service that is listed is.
    /// And names another live service of the cluster that has one of the manifest's target groups.
    pub(super) async fn rival(&self, manifest: &Manifest) -> Result<Option<String>, AwsError> {
        let cluster = &manifest.cluster;
        let names = self.service_names(cluster).await?;
        if names.contains(&manifest.name) {
            return Err(AwsError {
                operation: "ecs:DescribeServices".to_owned(),
                class: Class::Transient,
                code: "failures".to_owned(),
                message: format!(
                    "{} is said to be missing, and ListServices has it",
                    manifest.name
                ),
            });
        }
        let wanted: Vec<_> = manifest.target_groups.iter().map(String::as_str).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let services = self.describe_all(cluster, &names).await?;
        let rival = services.iter().find(|service| {
            service.status() == "ACTIVE"
                && document::target_groups(&service.0).any(|group| wanted.contains(&group))
        });
        Ok(rival.map(|service| service.name().to_owned()))
    }

    /// Every service of a cluster, but for those named in `except`.
    ///
    /// # Errors
    /// When a page or a service is not told.
    pub async fn services(
        &self,
        cluster: &str,
        except: &BTreeSet<String>,
    ) -> Result<Vec<LiveService>, AwsError> {
        let mut names = self.service_names(cluster).await?;
        names.retain(|name| !except.contains(name));
        self.describe_all(cluster, &names).await
    }

    async fn describe_all(
        &self,
        cluster: &str,
        names: &[String],
    ) -> Result<Vec<LiveService>, AwsError> {
        let mut services = Vec::new();
        for batch in names.chunks(SERVICES_PER_CALL) {
            let (described, _) = self.describe_services(cluster, batch).await;
            for described in described.into_values() {
                services.extend(described?);
            }
        }
        Ok(services)
    }

    async fn service_names(&self, cluster: &str) -> Result<Vec<String>, AwsError> {
        let mut names = Vec::new();
        let mut input = object(json!({"cluster": cluster, "maxResults": LISTED_AT_ONCE}));
        for _ in 0..MOST_PAGES {
            let request = self.clients.ecs.list_services();
            let page = ecs!(self, Operation::LIST_SERVICES, request, input)?;
            let arns = document::texts(&page.document, "serviceArns");
            names.extend(arns.map(|arn| document::short_name(arn).to_owned()));
            match page.document.get("nextToken") {
                Some(token) => input.insert("nextToken".to_owned(), token.clone()),
                None => return Ok(names),
            };
        }
        Err(AwsError::unreadable(Operation::LIST_SERVICES))
    }
}
