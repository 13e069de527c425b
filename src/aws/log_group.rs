//! The log group that a manifest declares.

use crate::{
    aws::{Aws, AwsError, Bucket, Operation, rotation::Kept},
    manifest::{self, Manifest},
    observed::LogGroup,
    tags,
};

/// What is kept of it: what the manifest declared when it was asked, and what there was.
pub(super) type KeptLogGroup = Kept<(manifest::LogGroup, LogGroup)>;

impl Aws {
    /// The declared log group: asked when its turn has come, when the manifest declares another, and before the service
    /// is there, which is created after it.
    pub(super) async fn log_group(
        &self,
        manifest: &Manifest,
        has_service: bool,
        kept: &mut KeptLogGroup,
    ) -> Result<LogGroup, AwsError> {
        let Some(wanted) = &manifest.log_group else {
            return Ok(LogGroup::NotDeclared);
        };
        let turn = self.rotation.log_groups;
        let is_other = kept.value().is_some_and(|(before, _)| before != wanted);
        let found = if !has_service || is_other || turn.is_zero() {
            self.ask_log_group(wanted).await?
        } else if kept.is_due(turn)
            && let Some(aws) = self.in_turn(Bucket::Logs).await
        {
            aws.ask_log_group(wanted).await?
        } else {
            let known = kept.value().map(|(_, found)| found.clone());
            return Ok(known.unwrap_or(LogGroup::NotLookedAt));
        };
        kept.keep((wanted.clone(), found.clone()), turn);
        Ok(found)
    }

    async fn ask_log_group(&self, wanted: &manifest::LogGroup) -> Result<LogGroup, AwsError> {
        let request = self
            .clients
            .logs
            .describe_log_groups()
            .log_group_name_prefix(&wanted.name);
        let answer = self
            .call(Operation::DESCRIBE_LOG_GROUPS, request.send())
            .await?;
        // Groups come sorted by name, so the exact one is on the first page or nowhere.
        let found = answer
            .log_groups()
            .iter()
            .find(|group| group.log_group_name() == Some(&wanted.name));
        let Some(group) = found else {
            return Ok(LogGroup::Missing);
        };
        let retention_in_days = group
            .retention_in_days()
            .and_then(|days| u32::try_from(days).ok());
        let owner = match group.log_group_arn() {
            Some(arn) if retention_in_days != wanted.retention_in_days => {
                let request = self.clients.logs.list_tags_for_resource().resource_arn(arn);
                let answer = self
                    .call(Operation::LIST_LOG_GROUP_TAGS, request.send())
                    .await?;
                answer
                    .tags()
                    .and_then(|tags| tags.get(tags::OWNER))
                    .cloned()
            }
            Some(_) | None => None,
        };
        Ok(LogGroup::Present {
            retention_in_days,
            owner,
        })
    }
}
