//! `evenkeel adopt`: takes over a live service that nobody answers for, without an edit of its manifest.

use std::{collections::BTreeMap, sync::Arc};

use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::{
    aws::{Aws, Memory, Seen},
    cli::{
        exit::{self, Deadline},
        inputs::{self, Inputs},
        named,
        output::{self, Format},
    },
    diff::Difference,
    document::Document,
    manifest::Manifest,
    observed::LiveService,
    plan::{self, Blocked, Lessons, Plan, Step, Write},
    reconcile::{self, Stopped},
    tags,
};

/// Arguments of `adopt`.
#[derive(Debug, Args)]
#[command(
    after_help = "Says the same as `adopt: true` in the manifest, once. Another owner's service is refused.\n\nExample:\n  evenkeel adopt api"
)]
pub(super) struct Adopt {
    /// The service: NAME or CLUSTER/NAME. A manifest must describe it.
    name: String,

    #[command(flatten)]
    inputs: Inputs,

    #[command(flatten)]
    deadline: Deadline,

    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Adopted {
    service: String,
    cluster: String,
    owner: String,
    /// What the daemon will change next.
    differences: Vec<Difference>,
    /// What it will leave as it is, and why.
    blocked: Vec<Blocked>,
}

impl Adopt {
    pub(super) async fn run(self) -> exit::Code {
        self.deadline.within(self.adopt()).await
    }

    async fn adopt(&self) -> exit::Code {
        let (manifests, _, aws) = match self.inputs.begin(&[]).await {
            Ok(begun) => begun,
            Err(code) => return code,
        };
        let manifest = match named::one(&manifests, &self.name) {
            Ok(manifest) => manifest,
            Err(code) => return code,
        };
        // Looked at as if the manifest said it.
        let willing = Arc::new(Manifest {
            adopt: true,
            ..Manifest::clone(manifest)
        });
        let settings = self.inputs.settings();
        let looked = inputs::look(&aws, &settings, &[willing], &mut BTreeMap::new()).await;
        match looked.into_iter().next() {
            Some((_, Ok(seen))) => self.take_over(&aws, &seen).await,
            Some((_, Err(error))) => exit::fail(&format!("{}: {error}", self.name)),
            None => exit::fail("nothing was said about it"),
        }
    }

    async fn take_over(&self, aws: &Aws, seen: &Seen) -> exit::Code {
        let (cluster, name) = seen.desired.manifest.key();
        let Some(service) = &seen.observed.service else {
            return exit::fail(&format!(
                "there is no service {name} in the cluster {cluster}; `evenkeel apply` creates it"
            ));
        };
        let plan = plan::plan(&seen.desired, &seen.observed, &Lessons::default());
        let live = service.tags();
        match live.get(tags::OWNER) {
            Some(owner) if *owner == seen.desired.owner => {
                output::note(&format!("{name} ({cluster}) is owned by {owner} already"));
            }
            Some(other) => {
                return exit::refuse(&format!(
                    "{name} ({cluster}) is owned by {other} (tag {}); nothing is changed",
                    tags::OWNER
                ));
            }
            None if service.status() != "ACTIVE" => {
                return exit::refuse(&format!(
                    "{name} ({cluster}) is {}; nothing is changed",
                    service.status()
                ));
            }
            None => {
                if let Err(code) = tag(aws, seen, &plan, service).await {
                    return code;
                }
            }
        }
        let adopted = Adopted {
            service: name,
            cluster,
            owner: seen.desired.owner.clone(),
            differences: plan.differences,
            blocked: plan.blocked,
        };
        output::print(self.output, &adopted, || table(&adopted))
    }
}

/// The owner; and where nothing differs, that it is what the manifest says, so that nobody takes the first look for an
/// edit.
async fn tag(aws: &Aws, seen: &Seen, plan: &Plan, service: &LiveService) -> Result<(), exit::Code> {
    let live = service.tags();
    let labels = &seen.desired.manifest.labels;
    let matches = plan.differences.is_empty()
        && plan.blocked.is_empty()
        && labels
            .iter()
            .all(|(key, value)| live.get(key) == Some(value));
    let mut wanted = seen.desired.service_tags();
    wanted.retain(|key, _| matches || key == tags::OWNER);
    let input = json!({"resourceArn": service.arn(), "tags": tags::to_list(&wanted)});
    let step = Step {
        operation: Write::TagResource,
        input: input.as_object().cloned().unwrap_or_else(Document::new),
    };
    let only = Plan {
        steps: vec![step],
        ..Plan::default()
    };
    let name = &seen.desired.manifest.name;
    let done = reconcile::carry_out(aws, seen, &only, &mut Memory::default(), |_| {}).await;
    match done {
        Ok(_) => Ok(()),
        Err(Stopped::Changed) => Err(exit::refuse(&format!(
            "{name}: somebody changed it meanwhile; look again with `evenkeel plan`"
        ))),
        Err(Stopped::Failed(error)) => Err(exit::fail(&format!("{name}: {error}"))),
    }
}

fn table(adopted: &Adopted) -> String {
    let Adopted {
        service,
        cluster,
        owner,
        differences,
        blocked,
    } = adopted;
    let mut text = format!("{service} ({cluster}) is owned by {owner}");
    text.push_str(match (differences.is_empty(), blocked.is_empty()) {
        (true, true) => ", and is as its manifest says\n",
        (true, false) => "\n",
        (false, _) => "; `evenkeel apply`, or a running daemon, changes:\n",
    });
    for difference in differences {
        text.push_str(&output::difference(difference));
        text.push('\n');
    }
    for blocked in blocked {
        text.push_str(&format!("  ! {blocked}\n"));
    }
    text
}
