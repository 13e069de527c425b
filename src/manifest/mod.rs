//! What a person wrote: manifests, parsed with positions and checked as far as a file alone can be.
//!
//! ```text
//! directory ─ read ─→ SourceFile ─ yaml ─→ Node (positions) ─ references ─→ Node ─ decode ─→ Manifest
//!                                      └──────────── every error on the way ───────→ Diagnostic
//! ```
//!
//! Knows YAML, the envelope of `evenkeel/v1`, and the shapes of two ECS operations. Knows nothing of AWS's state, of
//! clocks, tasks or logs: the same text gives the same manifests and the same messages.

mod checks;
mod convert;
mod decode;
mod diagnostic;
mod digest;
mod duration;
mod ecs;
mod fargate;
mod fields;
mod names;
mod node;
mod parse;
mod parts;
mod picture;
mod read;
mod references;
mod resolve;
mod set;
mod standing;
#[cfg(test)]
mod tests;
mod values;
mod yaml;

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::document::{Document, Packed};

pub use self::{
    diagnostic::{Diagnostic, Severity},
    duration::parse as parse_duration,
    ecs::is_filled_in_definition,
    names::can_be_labels,
    parse::{Options, parse_file},
    picture::picture,
    read::{
        FileError, MAX_FILES, OUTPUTS, ReadError, SourceFile, VALUES, is_manifest, read_dir,
        read_file, text_of,
    },
    references::{OUTPUTS_SCHEMA, References, ReferencesError},
    set::{Broken, ManifestSet, Refusal, Why, accept, parse_set},
    values::Values,
    yaml::MAX_BYTES,
};

/// One service as a person wants it, rendered: references are resolved, defaults of the envelope are filled in.
///
/// The two ECS documents are in ECS's own camelCase shape with the types of its API model. Defaults that AWS would fill
/// in are *not* filled in here.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The file as the person knows it, e.g. `manifests/api.yaml`.
    pub file: String,
    /// The line of the document's first key, counted from 1.
    pub line: usize,
    /// The ECS service name: 1 to 255 of `[A-Za-z0-9_-]`.
    pub name: String,
    /// The cluster's name or ARN, as written.
    pub cluster: String,
    /// Tags on the service and its tasks.
    pub labels: BTreeMap<String, String>,
    /// What `${image}` stands for; `None` where the definition names its images itself.
    pub image: Option<Image>,
    /// The shape of ECS CreateService, without `desiredCount`, `cluster`, `serviceName`, `taskDefinition` and `tags`.
    pub service: Packed,
    /// How many tasks; `None` where autoscaling owns the count.
    pub desired_count: Option<u32>,
    /// How many tasks to create the service with. Used only when `desired_count` is `None`.
    pub initial_count: u32,
    /// The shape of ECS RegisterTaskDefinition, `family` always present. A template until
    /// [`Manifest::task_definition_with`] renders it: `${image}` and `${image.tag}` are still in it, `$${` stands for `${`.
    pub task_definition: Packed,
    /// The task definition's family.
    pub family: String,
    /// The target groups that the service names, by ARN.
    pub target_groups: Vec<String>,
    /// How many targets must be healthy, and what to do when they are not.
    pub target_health: Option<TargetHealth>,
    /// A log group that this manifest owns.
    pub log_group: Option<LogGroup>,
    /// How a rollout is bounded and remembered.
    pub rollout: Rollout,
    /// What to do about differences that nobody asked for in the manifest.
    pub drift: Drift,
    /// Why the service is left alone; `Some("")` where no reason was given, `None` where it is not suspended.
    pub suspend: Option<String>,
    /// Whether a live service without our owner tag may be taken over.
    pub adopt: bool,
    /// SHA-256, in hex, of the rendered manifest's canonical JSON; formatting and comments do not change it.
    pub digest: String,
}

/// The line a person edits to roll out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `HOST/PATH` without a tag, e.g. `123456789012.dkr.ecr.eu-central-1.amazonaws.com/api`.
    pub repository: String,
    /// The tag exactly as written: `1.10` stays `1.10`.
    pub tag: String,
    /// Whether a tag that is pushed again rolls out.
    pub track: bool,
}

/// The target group's minimum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    /// Healthy targets wanted, at least 1.
    pub minimum_healthy: u32,
    /// How long fewer are borne while no rollout runs.
    pub grace_period: Duration,
    /// What happens then.
    pub action: TargetHealthAction,
}

/// What happens when too few targets are healthy for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetHealthAction {
    /// One forced new deployment per incident.
    Redeploy,
    /// Only say so.
    Report,
}

/// A CloudWatch Logs group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// 1 to 512 of `[A-Za-z0-9_/.#-]`.
    pub name: String,
    /// One of CloudWatch's own values; `None` keeps events for ever.
    pub retention_in_days: Option<u32>,
}

/// How a rollout is bounded and remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// The longest wait for one more healthy task.
    pub timeout: Duration,
    /// How many old revisions of the task definition stay registered.
    pub keep_revisions: u32,
}

/// What to do about drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Repair it or only report it.
    pub policy: DriftPolicy,
    /// JSON pointers (RFC 6901) beginning with `/service`, `/taskDefinition` or `/logGroup`, as `plan` prints them.
    pub ignore: Vec<String>,
}

/// Repair drift or only report it. An edit of the manifest is rolled out under either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriftPolicy {
    /// Repair it.
    Enforce,
    /// Only report it.
    Report,
}

impl Manifest {
    /// The service this manifest describes: the cluster's *name* (the last part of an ARN) and the service's.
    #[must_use]
    pub fn key(&self) -> (String, String) {
        (self.cluster_name().to_owned(), self.name.clone())
    }

    /// The cluster's name, where the manifest may name it by ARN.
    #[must_use]
    pub fn cluster_name(&self) -> &str {
        cluster_name(&self.cluster)
    }

    /// The task definition to register: every `${image}` replaced by `image`, every `${image.tag}` by the tag.
    ///
    /// `image` is what [`Manifest::image`] was resolved to, e.g. `repository@sha256:…`.
    #[must_use]
    pub fn task_definition_with(&self, image: &str) -> Document {
        let tag = self.image.as_ref().map_or("", |image| image.tag.as_str());
        let mut document = self.task_definition.open();
        for value in document.values_mut() {
            put_image_in(value, image, tag);
        }
        document
    }
}

/// The cluster's name, where a name or an ARN (`arn:aws:ecs:REGION:ACCOUNT:cluster/NAME`) is given.
#[must_use]
pub fn cluster_name(name_or_arn: &str) -> &str {
    name_or_arn.rsplit('/').next().unwrap_or(name_or_arn)
}

fn put_image_in(value: &mut Value, image: &str, tag: &str) {
    match value {
        Value::String(text) if text.contains('$') => *text = rendered(text, image, tag),
        Value::Array(items) => {
            for item in items {
                put_image_in(item, image, tag);
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                put_image_in(field, image, tag);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Reads a template once from left to right, so that nothing that was put in is taken for a reference.
fn rendered(template: &str, image: &str, tag: &str) -> String {
    const REPLACED: [&str; 3] = ["$${", "${image}", "${image.tag}"];
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, at)) = rest.find('$').and_then(|at| rest.split_at_checked(at)) {
        text.push_str(before);
        let replaced = REPLACED.into_iter().find(|from| at.starts_with(from));
        text.push_str(match replaced {
            Some("$${") => "${",
            Some("${image}") => image,
            Some(_) => tag,
            None => "$",
        });
        rest = at.get(replaced.map_or(1, str::len)..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}
