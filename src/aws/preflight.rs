//! What a manifest names beside its service: clusters, target groups, log groups, images, definitions. Reads only.

use aws_sdk_ecr::types::ImageIdentifier;
use serde_json::json;

use crate::{
    aws::{Aws, AwsError, Operation, ecs, image::ecr_account, observe::object},
    document,
    manifest::LogGroup,
    observed::Revision,
};

/// A cluster as DescribeClusters tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterState {
    /// `arn:aws:ecs:REGION:ACCOUNT:cluster/NAME`.
    pub arn: String,
    /// `ACTIVE`, or why it is of no use.
    pub status: String,
}

/// A target group, as far as ECS minds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    /// `ip`, `instance`, `lambda` or `alb`.
    pub target_type: String,
    /// Its own port. ECS registers targets with the container's.
    pub port: Option<i32>,
    /// Whether a load balancer uses it; ECS takes no other.
    pub in_use: bool,
}

impl Aws {
    /// A cluster by name or ARN; `None` when AWS says that there is none.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn cluster(&self, cluster: &str) -> Result<Option<ClusterState>, AwsError> {
        let input = object(json!({"clusters": [cluster]}));
        let request = self.clients.ecs.describe_clusters();
        let answer = ecs!(self, Operation::DESCRIBE_CLUSTERS, request, input)?;
        let found = document::objects(&answer.document, "clusters").next();
        if found.is_none() {
            let is_missing = document::objects(&answer.document, "failures")
                .any(|failure| document::text(failure, "reason") == "MISSING");
            if !is_missing {
                return Err(AwsError::unreadable(Operation::DESCRIBE_CLUSTERS));
            }
        }
        Ok(found.map(|cluster| ClusterState {
            arn: document::text(cluster, "clusterArn").to_owned(),
            status: document::text(cluster, "status").to_owned(),
        }))
    }

    /// A target group by ARN; `None` when there is none.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn target_group(&self, arn: &str) -> Result<Option<TargetGroup>, AwsError> {
        let request = self
            .clients
            .elbv2
            .describe_target_groups()
            .target_group_arns(arn);
        let operation = Operation::DESCRIBE_TARGET_GROUPS;
        let answer = match self.call(operation, request.send()).await {
            Ok(answer) => answer,
            Err(error) if error.code.starts_with("TargetGroupNotFound") => return Ok(None),
            Err(error) => return Err(error),
        };
        let group = answer
            .target_groups()
            .first()
            .ok_or_else(|| AwsError::unreadable(operation))?;
        Ok(Some(TargetGroup {
            target_type: group
                .target_type()
                .map(|kind| kind.as_str().to_owned())
                .unwrap_or_default(),
            port: group.port(),
            in_use: !group.load_balancer_arns().is_empty(),
        }))
    }

    /// A log group by name; `None` when there is none.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn find_log_group(&self, name: &str) -> Result<Option<LogGroup>, AwsError> {
        let request = self
            .clients
            .logs
            .describe_log_groups()
            .log_group_name_prefix(name);
        let answer = self
            .call(Operation::DESCRIBE_LOG_GROUPS, request.send())
            .await?;
        // Groups come sorted by name, so the exact one is on the first page or nowhere.
        let mut groups = answer.log_groups().iter();
        let found = groups.find(|group| group.log_group_name() == Some(name));
        Ok(found.map(|group| LogGroup {
            name: name.to_owned(),
            retention_in_days: group
                .retention_in_days()
                .and_then(|days| u32::try_from(days).ok()),
        }))
    }

    /// The digest and the tags of an image in ECR, by tag or by `sha256:…`. `None` when the repository lacks it, or
    /// when there is no such repository.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn ecr_image(
        &self,
        repository: &str,
        tag_or_digest: &str,
    ) -> Result<Option<(String, Vec<String>)>, AwsError> {
        let id = ImageIdentifier::builder();
        let id = if tag_or_digest.starts_with("sha256:") {
            id.image_digest(tag_or_digest)
        } else {
            id.image_tag(tag_or_digest)
        };
        let name = repository
            .split_once('/')
            .map_or(repository, |(_, name)| name);
        let request = self
            .clients
            .ecr
            .describe_images()
            .set_registry_id(ecr_account(repository).map(str::to_owned))
            .repository_name(name)
            .image_ids(id.build());
        match self.call(Operation::DESCRIBE_IMAGES, request.send()).await {
            Ok(found) => {
                let detail = found.image_details().first();
                Ok(detail.and_then(|detail| {
                    let digest = detail.image_digest()?.to_owned();
                    Some((digest, detail.image_tags().to_vec()))
                }))
            }
            Err(error)
                if ["ImageNotFoundException", "RepositoryNotFoundException"]
                    .contains(&error.code.as_str()) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A task definition by ARN, with its tags.
    ///
    /// # Errors
    /// When AWS does not say, or there is none.
    pub async fn definition(&self, arn: &str) -> Result<Revision, AwsError> {
        self.describe_definition(arn).await
    }

    /// Whether a repository is one of ECR's private registries.
    pub fn is_ecr(repository: &str) -> bool {
        ecr_account(repository).is_some()
    }
}
