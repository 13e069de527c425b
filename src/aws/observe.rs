//! Looking at one service, and at what its manifest names. Reads only.
//!
//! Every service costs its share of one DescribeServices, and in its turn one DescribeTargetHealth and one
//! DescribeLogGroups. The rest is asked only when something differs: a revision never changes and is described once per
//! process.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::json;

use crate::{
    aws::{Ahead, Aws, AwsError, Bucket, Class, Memory, Operation, ecs},
    desired::{Desired, Settings},
    document::{self, Document},
    manifest::Manifest,
    observed::{LiveService, Observed, Revision},
    plan,
};

/// One look at one service.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What the manifest asks for.
    pub desired: Desired,
    /// What there is.
    pub observed: Observed,
}

/// The answer to DescribeServices for one name; an error when AWS did not say. `None` is a service that there is not; one
/// that is gone may be told as such for a while.
pub type Described = Result<Option<LiveService>, AwsError>;

/// The most names that DescribeServices takes (API_DescribeServices).
pub const SERVICES_PER_CALL: usize = 10;

impl Aws {
    /// Describes up to [`SERVICES_PER_CALL`] services of one cluster. With AWS's own time.
    pub async fn describe_services(
        &self,
        cluster: &str,
        names: &[String],
    ) -> (BTreeMap<String, Described>, Timestamp) {
        let (mut described, time) = self.describe_with_gone(cluster, names).await;
        for service in described.values_mut().flatten() {
            service.take_if(|service| service.is_gone());
        }
        (described, time)
    }

    /// The same, also with those that are gone and still told of.
    pub async fn describe_with_gone(
        &self,
        cluster: &str,
        names: &[String],
    ) -> (BTreeMap<String, Described>, Timestamp) {
        let input = object(json!({"cluster": cluster, "services": names, "include": ["TAGS"]}));
        let answer = match ecs!(
            self,
            Operation::DESCRIBE_SERVICES,
            self.clients.ecs.describe_services(),
            input
        ) {
            Ok(answer) => answer,
            Err(error) => {
                let all = names
                    .iter()
                    .map(|name| (name.clone(), Err(error.clone())))
                    .collect();
                return (all, self.clock().now());
            }
        };
        let found: BTreeMap<_, _> = document::objects(&answer.document, "services")
            .map(|service| (document::text(service, "serviceName"), service))
            .collect();
        let failures: BTreeMap<_, _> = document::objects(&answer.document, "failures")
            .map(|failure| {
                (
                    document::short_name(document::text(failure, "arn")),
                    document::text(failure, "reason"),
                )
            })
            .collect();
        let described = names.iter().map(|name| {
            let described = match (found.get(name.as_str()), failures.get(name.as_str())) {
                (Some(service), _) => Ok(Some(LiveService((*service).clone()))),
                (None, Some(&"MISSING")) => Ok(None),
                (None, reason) => Err(not_told(name, reason.copied())),
            };
            (name.clone(), described)
        });
        (
            described.collect(),
            answer.date.unwrap_or_else(|| self.clock().now()),
        )
    }

    /// Everything that the plan for this manifest needs, beside the service itself.
    ///
    /// # Errors
    /// The first read that failed: then nothing is known, and nothing may be written.
    pub async fn observe(
        &self,
        manifest: &Arc<Manifest>,
        settings: &Settings,
        service: Option<LiveService>,
        aws_time: Timestamp,
        memory: &mut Memory,
        ahead: &mut Ahead,
    ) -> Result<Seen, AwsError> {
        let is_at_home = memory.at_home.as_ref();
        if !is_at_home.is_some_and(|checked| Arc::ptr_eq(checked, manifest)) {
            self.check_home(manifest).await?;
            memory.at_home = Some(Arc::clone(manifest));
        }
        let definition = match &service {
            Some(service) => Some(self.describe_definition(service.task_definition()).await?),
            None => None,
        };
        let image = self
            .image(
                manifest,
                service.as_ref(),
                definition.as_ref(),
                memory,
                ahead,
            )
            .await?;
        let desired = Desired::new(Arc::clone(manifest), settings, &image);
        let (targets, log_group) = tokio::try_join!(
            self.targets(
                manifest,
                service.as_ref(),
                ahead.is_asked(),
                &mut memory.targets
            ),
            self.log_group(manifest, service.is_some(), &mut memory.log_group)
        )?;
        let rival = match &service {
            Some(_) => None,
            None => self.rival(manifest).await?,
        };
        let payer = if is_registered(&desired, service.as_ref(), definition.as_ref()) {
            self.counts_revisions(service.as_ref(), memory).await
        } else {
            Some(self.clone())
        };
        let revisions = match payer {
            Some(payer) => {
                let listed = self.revisions(&payer, &desired, ahead).await?;
                let revisions = memory.with_registered(listed, aws_time);
                if let Some(settled) = service.as_ref().filter(|service| service.is_settled()) {
                    let named = settled.task_definition().to_owned();
                    memory.tidied.keep(named, self.rotation.revisions);
                }
                revisions
            }
            None => Vec::new(),
        };
        let mut observed = Observed {
            service,
            definition,
            revisions,
            history: Vec::new(),
            log_group,
            image,
            targets,
            progress: None,
            unhealthy_since: None,
            rival,
            aws_time,
        };
        memory.follow(manifest, &mut observed);
        if plan::needs_history(&desired, &observed) {
            let (service, past) = (observed.service.as_ref(), &mut memory.past);
            observed.history = self.history(manifest, service, past, ahead).await?;
        }
        Ok(Seen { desired, observed })
    }

    /// Once for each definition that the service has come to name, in its turn, so that old ones can be given up. Returns
    /// who pays for the list.
    async fn counts_revisions(
        &self,
        service: Option<&LiveService>,
        memory: &mut Memory,
    ) -> Option<Self> {
        let settled = service.filter(|service| service.is_settled())?;
        let is_counted = |of: &String| of == settled.task_definition();
        if memory.tidied.value().is_some_and(is_counted) {
            return None;
        }
        let turn = self.rotation.revisions;
        match memory.tidied.is_due(turn) {
            true if turn.is_zero() => Some(self.clone()),
            true => self.in_turn(Bucket::TaskDefinitionRead).await,
            false => None,
        }
    }

    /// The active revisions of the manifest's family, newest first. `payer` asks for the list.
    async fn revisions(
        &self,
        payer: &Self,
        desired: &Desired,
        ahead: &mut Ahead,
    ) -> Result<Vec<Revision>, AwsError> {
        let listed = match ahead.revisions.take() {
            Some(listed) => listed?,
            None => payer.list_revisions(&desired.manifest).await?,
        };
        let mut revisions = Vec::new();
        for arn in listed {
            revisions.push(self.describe_definition(&arn).await?);
        }
        Ok(revisions)
    }

    /// The ARNs of the newest revisions of the manifest's family: as many as are kept, and a few to give up.
    pub(super) async fn list_revisions(
        &self,
        manifest: &Manifest,
    ) -> Result<Vec<String>, AwsError> {
        let family = manifest.family.as_str();
        let many = manifest.rollout.keep_revisions.saturating_add(10).min(100);
        let input = object(json!({"familyPrefix": family, "sort": "DESC", "maxResults": many}));
        let answer = ecs!(
            self,
            Operation::LIST_TASK_DEFINITIONS,
            self.clients.ecs.list_task_definitions(),
            input
        )?;
        let arns = document::texts(&answer.document, "taskDefinitionArns");
        Ok(arns.map(str::to_owned).collect())
    }
}

/// Whether no definition has to be found or registered.
fn is_registered(
    desired: &Desired,
    service: Option<&LiveService>,
    definition: Option<&Revision>,
) -> bool {
    match service.zip(definition) {
        Some((_, definition)) => plan::not_registered(desired, &definition.document).is_empty(),
        None => desired.definition.is_none(),
    }
}

fn not_told(name: &str, reason: Option<&str>) -> AwsError {
    AwsError {
        operation: "ecs:DescribeServices".to_owned(),
        class: Class::Transient,
        code: "failures".to_owned(),
        message: format!(
            "nothing was said about {name}: {}",
            reason.unwrap_or("neither found nor missing")
        ),
    }
}

/// A JSON literal that is an object.
pub(super) fn object(value: serde_json::Value) -> Document {
    value.as_object().cloned().unwrap_or_default()
}
