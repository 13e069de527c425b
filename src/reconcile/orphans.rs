//! Services that are ours and that no manifest describes any more. Only AWS remembers them.

use std::collections::BTreeSet;

use crate::{
    aws::{Aws, AwsError},
    manifest, status,
    status::ServiceStatus,
    tags,
};

/// The live services of `cluster` with our owner tag, but for those that are `described`.
///
/// # Errors
/// When not all of them are told: then nothing is known of any.
pub async fn orphans(
    aws: &Aws,
    cluster: &str,
    owner: &str,
    described: &BTreeSet<String>,
) -> Result<Vec<ServiceStatus>, AwsError> {
    let name = manifest::cluster_name(cluster);
    let mut orphans = Vec::new();
    for service in aws.services(cluster, described).await? {
        let ours = format!("{owner}/{name}/{}", service.name());
        if service.status() == "ACTIVE" && service.tags().get(tags::OWNER) == Some(&ours) {
            let definition = aws.describe_definition(service.task_definition()).await?;
            let now = aws.clock().now();
            orphans.push(status::found_orphan(&service, &definition, name, now));
        }
    }
    Ok(orphans)
}
