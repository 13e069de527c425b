//! Looking at one service, and at what its manifest names. Reads only.
//!
//! Every service costs its share of one DescribeServices, one DescribeTargetHealth and one DescribeLogGroups. The rest
//! is asked only when something differs: a revision never changes and is described once per process.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use serde_json::json;

use crate::{
    aws::{Aws, AwsError, Class, Memory, Operation, ecs},
    desired::{Desired, Settings},
    document::{self, Document},
    manifest::Manifest,
    observed::{self, LiveService, LogGroup, Observed, Revision},
    plan, tags,
};

/// One look at one service.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What the manifest asks for.
    pub desired: Desired,
    /// What there is.
    pub observed: Observed,
}

/// Definitions by ARN. A registered definition never changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Definitions(Arc<Mutex<HashMap<String, Revision>>>);

/// More than this and the cache starts anew; a definition is a few kilobytes.
const DEFINITIONS_KEPT: usize = 4_000;

/// The answer to DescribeServices for one name; an error when AWS did not say.
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
                (Some(service), _) if document::text(service, "status") == "INACTIVE" => Ok(None),
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
    ) -> Result<Seen, AwsError> {
        self.check_home(manifest).await?;
        let definition = match &service {
            Some(service) => Some(self.describe_definition(service.task_definition()).await?),
            None => None,
        };
        let image = self
            .image(manifest, service.as_ref(), definition.as_ref(), memory)
            .await?;
        let desired = Desired::new(Arc::clone(manifest), settings, &image);
        let (targets, log_group) = tokio::try_join!(
            self.targets(manifest, service.as_ref(), &mut memory.strangers),
            self.log_group(manifest)
        )?;
        let rival = match &service {
            Some(_) => None,
            None => self.rival(manifest).await?,
        };
        let revisions =
            if self.needs_revisions(&desired, service.as_ref(), definition.as_ref(), memory) {
                let listed = self.revisions(&desired).await?;
                let revisions = memory.with_registered(listed, aws_time);
                let settled = service.as_ref().filter(|service| service.is_settled());
                memory.tidied = settled.map(|service| service.task_definition().to_owned());
                revisions
            } else {
                Vec::new()
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
            observed.history = self.history(manifest, &mut memory.past).await?;
        }
        Ok(Seen { desired, observed })
    }

    /// A definition by ARN; asked once per process.
    ///
    /// # Errors
    /// When AWS does not tell it.
    pub async fn describe_definition(&self, arn: &str) -> Result<Revision, AwsError> {
        if let Some(known) = self
            .definitions
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(arn)
        {
            return Ok(known.clone());
        }
        let input = object(json!({"taskDefinition": arn, "include": ["TAGS"]}));
        let request = self.clients.ecs.describe_task_definition();
        let answer = ecs!(self, Operation::DESCRIBE_TASK_DEFINITION, request, input)?;
        let document = answer
            .document
            .get("taskDefinition")
            .and_then(|value| value.as_object())
            .cloned();
        let revision = Revision {
            document: document.unwrap_or_default(),
            tags: observed::tags(&answer.document),
        };
        if revision.arn().is_empty() {
            return Err(AwsError::unreadable(Operation::DESCRIBE_TASK_DEFINITION));
        }
        let mut known = self
            .definitions
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.len() >= DEFINITIONS_KEPT {
            known.clear();
        }
        known.insert(arn.to_owned(), revision.clone());
        Ok(revision)
    }

    async fn log_group(&self, manifest: &Manifest) -> Result<LogGroup, AwsError> {
        let Some(wanted) = &manifest.log_group else {
            return Ok(LogGroup::NotDeclared);
        };
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

    /// When a definition has to be found or registered, and once for each that the service has come to name, so that
    /// old ones can be given up.
    fn needs_revisions(
        &self,
        desired: &Desired,
        service: Option<&LiveService>,
        definition: Option<&Revision>,
        memory: &Memory,
    ) -> bool {
        let (Some(service), Some(definition)) = (service, definition) else {
            return desired.definition.is_some();
        };
        let differs = !plan::not_registered(desired, &definition.document).is_empty();
        differs
            || (service.is_settled() && memory.tidied.as_deref() != Some(service.task_definition()))
    }

    /// The active revisions of the manifest's family, newest first: as many as are kept, and a few to give up.
    async fn revisions(&self, desired: &Desired) -> Result<Vec<Revision>, AwsError> {
        let family = document::text(&desired.manifest.task_definition, "family");
        let many = desired
            .manifest
            .rollout
            .keep_revisions
            .saturating_add(10)
            .min(100);
        let input = object(json!({"familyPrefix": family, "sort": "DESC", "maxResults": many}));
        let answer = ecs!(
            self,
            Operation::LIST_TASK_DEFINITIONS,
            self.clients.ecs.list_task_definitions(),
            input
        )?;
        let mut revisions = Vec::new();
        for arn in document::texts(&answer.document, "taskDefinitionArns") {
            revisions.push(self.describe_definition(arn).await?);
        }
        Ok(revisions)
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
