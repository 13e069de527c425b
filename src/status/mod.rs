//! What is told about a service: computed once, at the end of a pass, in this one place.

mod judge;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    desired::Desired,
    diff::Difference,
    document,
    observed::{Deployment, LiveService, Observed, Revision, RolloutState, Targets},
    plan::Plan,
    tags,
};

/// One service, as `status`, the HTTP API and the metrics tell of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// The service's name.
    pub name: String,
    /// Its cluster's name.
    pub cluster: String,
    /// Where it stands.
    pub phase: Phase,
    /// One sentence for people; empty when there is nothing to say.
    pub message: String,
    /// What the service runs, or is moving to; `None` before it exists.
    pub image: Option<Image>,
    /// The service's tasks.
    pub tasks: Tasks,
    /// Its targets; `None` without a load balancer.
    pub targets: Option<TargetCounts>,
    /// The rollout that is under way.
    pub rollout: Option<Rollout>,
    /// How AWS differs from the manifest at present.
    pub drift: Vec<Difference>,
    /// What is not tried again, newest first.
    pub held: Vec<Held>,
    /// Since when it has been in this phase.
    pub since: Timestamp,
}

/// Where a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// As the manifest says.
    Synced,
    /// On its way there.
    Progressing,
    /// Not as the manifest says, and not about to be.
    Degraded,
    /// What the manifest says has failed before and is not tried again.
    Held,
    /// Left alone because the manifest says so.
    Suspended,
    /// Its manifest is gone; it runs on.
    Orphaned,
    /// AWS could not be asked. Nothing is written.
    Unknown,
}

impl Phase {
    /// Every phase, best first.
    pub const ALL: [Self; 7] = [
        Self::Synced,
        Self::Progressing,
        Self::Degraded,
        Self::Held,
        Self::Suspended,
        Self::Orphaned,
        Self::Unknown,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Synced => "Synced",
            Self::Progressing => "Progressing",
            Self::Degraded => "Degraded",
            Self::Held => "Held",
            Self::Suspended => "Suspended",
            Self::Orphaned => "Orphaned",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An image, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Without tag and digest.
    pub repository: String,
    /// As the manifest wrote it when it was rolled out; empty when that is not known.
    pub tag: String,
    /// `sha256:…`; empty when the definition names a tag.
    pub digest: String,
}

/// How many tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tasks {
    /// That should run.
    pub desired: u32,
    /// That run.
    pub running: u32,
    /// That are being started.
    pub pending: u32,
}

/// How many targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetCounts {
    /// That are sent requests.
    pub healthy: u32,
    /// That are registered, draining ones not counted.
    pub total: u32,
}

impl From<&Targets> for TargetCounts {
    fn from(targets: &Targets) -> Self {
        Self {
            healthy: targets.healthy,
            total: targets.total,
        }
    }
}

/// A rollout that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// ECS's deployment id, `ecs-svc/<digits>`.
    pub deployment: String,
    /// Whether ECS is taking a failed deployment back.
    pub rolling_back: bool,
    /// Tasks of the new deployment that should run, that run, that are being started, that failed in a row.
    pub desired: u32,
    /// See `desired`.
    pub running: u32,
    /// See `desired`.
    pub pending: u32,
    /// See `desired`.
    pub failed: u32,
    /// Tasks of older deployments that still run.
    pub old_running: u32,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it counts as failed unless one more task becomes healthy.
    pub deadline: Option<Timestamp>,
}

/// Something that failed and is not tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The image's digest.
    pub digest: String,
    /// The image, with its tag; empty when only fields of the service are held.
    pub image: String,
    /// The service's fields that were changed with it, by their paths.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Why it failed.
    pub reason: String,
    /// When it failed.
    pub since: Option<Timestamp>,
}

/// The status after a pass. `previous` is what was told before, for the time since when.
pub fn status(
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    previous: Option<&ServiceStatus>,
) -> ServiceStatus {
    let (cluster, name) = desired.manifest.key();
    let service = observed.service.as_ref();
    let timeout = desired.manifest.rollout.timeout;
    let deadline = observed
        .progress
        .as_ref()
        .and_then(|progress| progress.deadline(timeout));
    let rollout = service.and_then(|service| rollout(service, deadline));
    let (phase, message) = judge::judge(desired, observed, plan, rollout.as_ref());
    ServiceStatus {
        name,
        cluster,
        phase,
        message,
        image: image(desired, observed, plan),
        tasks: service.map(tasks).unwrap_or_default(),
        targets: observed.targets.as_ref().map(TargetCounts::from),
        held: plan.hold.iter().map(held).collect(),
        drift: plan
            .differences
            .iter()
            .cloned()
            .map(Difference::masked)
            .collect(),
        rollout,
        since: since(previous, phase, observed.aws_time),
    }
}

/// The status when AWS could not be asked: what was known before, and why it may no longer be so.
pub fn unknown(
    key: (String, String),
    why: String,
    previous: Option<&ServiceStatus>,
    now: Timestamp,
) -> ServiceStatus {
    let (cluster, name) = key;
    let before = previous
        .cloned()
        .unwrap_or_else(|| nothing_known(name, cluster, now));
    ServiceStatus {
        phase: Phase::Unknown,
        message: why,
        since: since(previous, Phase::Unknown, now),
        ..before
    }
}

/// The status of a service that was found without a manifest.
pub fn found_orphan(
    service: &LiveService,
    definition: &Revision,
    cluster: &str,
    now: Timestamp,
) -> ServiceStatus {
    let found = ServiceStatus {
        image: image_of(definition, None, None),
        tasks: tasks(service),
        ..nothing_known(service.name().to_owned(), cluster.to_owned(), now)
    };
    orphaned(&found, now)
}

/// The status of a service whose manifest is gone.
pub fn orphaned(previous: &ServiceStatus, now: Timestamp) -> ServiceStatus {
    ServiceStatus {
        phase: Phase::Orphaned,
        message: "its manifest is gone; the service runs on as it is".to_owned(),
        since: since(Some(previous), Phase::Orphaned, now),
        drift: Vec::new(),
        ..previous.clone()
    }
}

/// The status when a write failed and will fail again until a person does something.
pub fn write_failed(
    status: ServiceStatus,
    why: String,
    previous: Option<&ServiceStatus>,
    now: Timestamp,
) -> ServiceStatus {
    let since = since(previous, Phase::Degraded, now);
    ServiceStatus {
        phase: Phase::Degraded,
        message: why,
        since,
        ..status
    }
}

fn nothing_known(name: String, cluster: String, now: Timestamp) -> ServiceStatus {
    ServiceStatus {
        name,
        cluster,
        phase: Phase::Unknown,
        message: String::new(),
        image: None,
        tasks: Tasks::default(),
        targets: None,
        rollout: None,
        drift: Vec::new(),
        held: Vec::new(),
        since: now,
    }
}

fn since(previous: Option<&ServiceStatus>, phase: Phase, now: Timestamp) -> Timestamp {
    previous
        .filter(|previous| previous.phase == phase)
        .map_or(now, |previous| previous.since)
}

fn rollout(service: &LiveService, deadline: Option<Timestamp>) -> Option<Rollout> {
    let deployments = service.deployments();
    let (primary, others) = deployments.split_first()?;
    if primary.rollout != RolloutState::InProgress {
        return None;
    }
    Some(Rollout {
        deployment: primary.id.clone(),
        rolling_back: service.is_rolling_back(),
        desired: primary.desired,
        running: primary.running,
        pending: primary.pending,
        failed: primary.failed,
        old_running: others.iter().map(|old: &Deployment| old.running).sum(),
        started_at: primary.created_at,
        deadline,
    })
}

fn tasks(service: &LiveService) -> Tasks {
    Tasks {
        desired: service.desired_count(),
        running: service.running_count(),
        pending: service.pending_count(),
    }
}

fn image(desired: &Desired, observed: &Observed, plan: &Plan) -> Option<Image> {
    let live = observed.definition.as_ref()?;
    let wanted = desired.manifest.image.as_ref();
    let definition_matches = !plan.differences.iter().any(Difference::is_in_definition);
    let tag = wanted
        .filter(|_| definition_matches && desired.definition.is_some())
        .map(|image| image.tag.clone());
    image_of(live, wanted.map(|image| image.repository.as_str()), tag)
}

/// The image of the container that runs `repository`; the first container's where none does. Its tag is `tag`, or what
/// the definition says.
fn image_of(live: &Revision, repository: Option<&str>, tag: Option<String>) -> Option<Image> {
    let images = document::objects(&live.document, "containerDefinitions")
        .map(|c| document::text(c, "image"));
    let mut images = images.peekable();
    let first = *images.peek()?;
    let reference = images
        .find(|image| repository.is_some_and(|r| image.starts_with(r)))
        .unwrap_or(first);
    let (name, digest) = reference.split_once('@').unwrap_or((reference, ""));
    let (repository, written) = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, ""),
    };
    let tag = tag.or_else(|| live.tags.get(tags::IMAGE_TAG).cloned());
    Some(Image {
        repository: repository.to_owned(),
        tag: tag.unwrap_or_else(|| written.to_owned()),
        digest: digest.to_owned(),
    })
}

fn held(hold: &crate::plan::Hold) -> Held {
    Held {
        digest: hold.digest.clone(),
        image: hold.image.clone(),
        fields: hold.fields.clone(),
        reason: hold.reason.clone(),
        since: hold.since,
    }
}
