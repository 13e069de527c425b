//! `evenkeel history`: what was deployed, and what became of it, out of ECS's own record.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    cli::{
        exit::{self, Deadline},
        inputs,
        named::Named,
        output::{self, Format},
    },
    document,
    init::{self, Reference},
    observed::{LiveService, Outcome, PastDeployment, TaskFailure},
    tags,
};

/// Arguments of `history`.
#[derive(Debug, Args)]
#[command(
    after_help = "The newest 20 deployments, newest first. ECS keeps its record for 90 days.\n\nExample:\n  evenkeel history api"
)]
pub(super) struct History {
    #[command(flatten)]
    named: Named,

    #[command(flatten)]
    deadline: Deadline,

    /// How the history is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// One deployment, as it is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// The service deployment's ARN.
    deployment: String,
    /// `FAMILY:REVISION`.
    definition: Option<String>,
    /// The main container's image, as the definition names it.
    image: Option<String>,
    /// The tag that the manifest wrote.
    tag: Option<String>,
    /// `sha256:…`.
    digest: Option<String>,
    outcome: &'static str,
    /// ECS's words.
    reason: String,
    created_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    /// How long it took, or has taken.
    seconds: Option<i64>,
    /// Why its tasks stopped; told of the newest failure, while ECS has its tasks.
    failure: Option<TaskFailure>,
}

impl History {
    pub(super) async fn run(self) -> exit::Code {
        self.deadline.within(self.look()).await
    }

    async fn look(&self) -> exit::Code {
        let aws = match inputs::aws().await {
            Ok(aws) => aws,
            Err(code) => return code,
        };
        let service = match self.named.find(&aws).await {
            Ok(service) => service,
            Err(code) => return code,
        };
        let past = aws
            .recent_deployments(&service.cluster, &service.name)
            .await;
        let past = match past {
            Ok(past) => past,
            Err(error) => {
                return exit::fail(&format!("{} ({}): {error}", service.name, service.cluster));
            }
        };
        let now = Timestamp::now();
        let entries: Vec<_> = past.into_iter().map(|past| Entry::new(past, now)).collect();
        output::print(self.output, &entries, || table(&entries))
    }
}

impl Entry {
    fn new(past: PastDeployment, now: Timestamp) -> Self {
        let is_over = past.outcome != Outcome::Running;
        let finished_at = past.finished_at.filter(|_| is_over);
        let took: Option<SignedDuration> = past
            .created_at
            .map(|created| finished_at.unwrap_or(now).duration_since(created));
        let image = past.definition.as_ref().and_then(|definition| {
            // The revision has the service's members, of which the load balancer's says which container it is.
            let container = init::main_container(&LiveService(past.revision.clone()), definition)?;
            Some(document::text(container, "image").to_owned())
        });
        let reference = image.as_deref().map(Reference::split);
        let written = past
            .definition
            .as_ref()
            .and_then(|definition| definition.tags.get(tags::IMAGE_TAG).cloned());
        let named = Some(document::text(&past.revision, "taskDefinition"));
        Self {
            definition: named
                .filter(|arn| !arn.is_empty())
                .map(|arn| document::short_name(arn).to_owned()),
            tag: written.or(reference.as_ref().and_then(|image| image.tag.clone())),
            digest: reference.and_then(|image| image.digest),
            image,
            outcome: match past.outcome {
                Outcome::Running => "running",
                Outcome::Succeeded => "succeeded",
                Outcome::Failed => "failed",
                Outcome::Superseded => "superseded",
            },
            reason: past.reason,
            created_at: past.created_at,
            finished_at,
            seconds: took.map(|took| took.as_secs().max(0)),
            failure: past.failure,
            deployment: past.arn,
        }
    }

    fn why(&self) -> String {
        let why = match &self.failure {
            Some(failure) => failure.summary(),
            None => self.reason.clone(),
        };
        output::shown(&why)
    }
}

/// A digest as far as anybody reads it.
fn short(digest: &str) -> String {
    digest
        .strip_prefix("sha256:")
        .unwrap_or(digest)
        .chars()
        .take(12)
        .collect()
}

fn table(entries: &[Entry]) -> String {
    let missing = || "-".to_owned();
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            vec![
                entry.created_at.map_or_else(missing, output::when),
                entry
                    .seconds
                    .map_or_else(missing, |took| format!("{took}s")),
                entry.outcome.to_owned(),
                entry.definition.clone().unwrap_or_else(missing),
                entry.tag.clone().unwrap_or_else(missing),
                entry.digest.as_deref().map_or_else(missing, short),
                entry.why(),
            ]
        })
        .collect();
    output::columns(
        &[
            "STARTED", "TOOK", "OUTCOME", "REVISION", "TAG", "DIGEST", "WHY",
        ],
        &rows,
    )
}
