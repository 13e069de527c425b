//! `evenkeel delete`: deletes a service. Nothing else in Evenkeel ever does.

use std::{collections::BTreeSet, time::Duration};

use clap::Args;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    aws::{Aws, Class, Clients, Deleter},
    cli::{
        exit,
        named::{Named, Service},
        output::{self, Format},
    },
    document,
    manifest::{self, ManifestSet},
    metrics::Metrics,
    observed::LiveService,
    plan::{Step, Write},
    source::Reader,
    tags,
};

/// Between two looks at a service that is going.
const POLL: Duration = Duration::from_secs(2);

/// Arguments of `delete`.
#[derive(Debug, Args)]
#[command(
    after_help = "Remove the service's manifest first: a service that a manifest still describes is refused, and so is one of another owner.\nRevisions of the task definition and log groups stay.\n\nExample:\n  evenkeel delete api --cluster prod"
)]
pub(super) struct Delete {
    #[command(flatten)]
    named: Named,

    /// Does not ask. Without a terminal this is required.
    #[arg(short, long)]
    yes: bool,

    /// Does not wait until its tasks have stopped.
    #[arg(long)]
    no_wait: bool,

    /// How long to wait until it is gone, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,

    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Deleted {
    service: String,
    cluster: String,
    /// `gone`, or `draining` when nobody waited.
    state: &'static str,
}

impl Delete {
    pub(super) async fn run(self) -> exit::Code {
        match self.delete().await {
            Ok(code) | Err(code) => code,
        }
    }

    async fn delete(&self) -> Result<exit::Code, exit::Code> {
        let metrics = Metrics::new().map_err(|error| exit::fail(&error.to_string()))?;
        let deleter = Deleter::new(Clients::from_env().await, metrics);
        let set = self.manifests(deleter.aws()).await?;
        let service = self.service(&set)?;
        refuse_what_is_declared(&service, &set)?;
        let live = self.ours(deleter.aws(), &service).await?;
        self.be_sure(&service, &live).await?;
        // Between the question and the answer there may have been a day.
        let live = self.ours(deleter.aws(), &service).await?;
        if live.status() == "ACTIVE" {
            stop_tasks(deleter.aws(), &service, &live).await?;
            let Service { cluster, name } = &service;
            let done = deleter.delete_service(cluster, name).await;
            done.map_err(|error| exit::fail(&format!("{name} ({cluster}): {error}")))?;
        }
        let state = if self.no_wait {
            "draining"
        } else {
            self.wait(deleter.aws(), &service).await?;
            "gone"
        };
        let deleted = Deleted {
            service: service.name,
            cluster: service.cluster,
            state,
        };
        Ok(output::print(self.output, &deleted, || {
            let Deleted {
                service, cluster, ..
            } = &deleted;
            format!(
                "{service} ({cluster}) is {state}; revisions of its task definition and its logs stay"
            )
        }))
    }

    async fn manifests(&self, aws: &Aws) -> Result<ManifestSet, exit::Code> {
        let mut reader = Reader::new(self.named.inputs.source(), aws.clone());
        reader.read().await.map_err(|error| {
            exit::refuse(&format!(
                "{error}: whether a manifest describes the service cannot be told; say where the manifests are with --manifests"
            ))
        })
    }

    /// The service's own manifest is gone already. Where the others are all of one cluster, that is meant.
    fn service(&self, set: &ManifestSet) -> Result<Service, exit::Code> {
        if let Some(service) = self.named.written() {
            return Ok(service);
        }
        let clusters: BTreeSet<_> = set.manifests.iter().map(|one| &one.cluster).collect();
        match clusters.iter().next() {
            Some(cluster) if clusters.len() == 1 => Ok(Service {
                cluster: (*cluster).clone(),
                name: self.named.name.clone(),
            }),
            _ => {
                exit::fail("the manifests do not tell the cluster: say it with --cluster");
                Err(exit::USAGE)
            }
        }
    }

    /// The service, if there is one and it is ours.
    async fn ours(&self, aws: &Aws, service: &Service) -> Result<LiveService, exit::Code> {
        let Service { cluster, name } = service;
        let (mut described, _) = aws
            .describe_services(cluster, std::slice::from_ref(name))
            .await;
        let live = described
            .remove(name)
            .transpose()
            .map_err(|error| exit::fail(&error.to_string()))?
            .flatten()
            .ok_or_else(|| {
                exit::fail(&format!(
                    "there is no service {name} in the cluster {cluster}"
                ))
            })?;
        let owner = self.named.inputs.settings().owner;
        let wanted = format!("{owner}/{}/{name}", manifest::cluster_name(cluster));
        match live.tags().get(tags::OWNER) {
            Some(owner) if *owner == wanted => Ok(live),
            Some(other) => Err(exit::refuse(&format!(
                "{name} ({cluster}) is owned by {other} (tag {}), not by {wanted}; nothing is deleted",
                tags::OWNER
            ))),
            None => Err(exit::refuse(&format!(
                "{name} ({cluster}) has no owner tag, so it is not ours; nothing is deleted"
            ))),
        }
    }

    async fn be_sure(&self, service: &Service, live: &LiveService) -> Result<(), exit::Code> {
        if self.yes {
            return Ok(());
        }
        let question = format!(
            "Delete {} ({}), which runs {} tasks?",
            service.name,
            service.cluster,
            live.running_count()
        );
        match output::confirm(&question).await {
            Some(true) => Ok(()),
            Some(false) => Err(exit::refuse("nothing is deleted")),
            None => Err(exit::refuse(
                "there is no terminal to ask at: say --yes to delete it; nothing is deleted",
            )),
        }
    }

    async fn wait(&self, aws: &Aws, service: &Service) -> Result<(), exit::Code> {
        let Service { cluster, name } = service;
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        let mut told = None;
        loop {
            let (mut described, _) = aws
                .describe_services(cluster, std::slice::from_ref(name))
                .await;
            match described.remove(name).transpose() {
                Ok(Some(Some(live))) => {
                    let tasks = live.running_count();
                    if told != Some(tasks) {
                        output::note(&format!("{name} is draining; {tasks} tasks run"));
                        told = Some(tasks);
                    }
                }
                Ok(Some(None) | None) => return Ok(()),
                Err(error) => match error.class {
                    Class::Throttled | Class::Transient | Class::Unreachable => {
                        output::note(&error.to_string());
                    }
                    Class::Denied | Class::NotFound | Class::Invalid => {
                        return Err(exit::fail(&error.to_string()));
                    }
                },
            }
            if Instant::now() >= deadline {
                exit::fail(&format!(
                    "{name} ({cluster}) is not gone within {} s; ECS goes on with it",
                    self.timeout
                ));
                return Err(exit::TIMED_OUT);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Tasks are stopped as by any other update first, so that the load balancer lets go of them in order.
async fn stop_tasks(aws: &Aws, service: &Service, live: &LiveService) -> Result<(), exit::Code> {
    // Of a DAEMON service the instances are the count, and no other is taken.
    let is_daemon = document::text(&live.0, "schedulingStrategy") == "DAEMON";
    if is_daemon || live.desired_count() == 0 {
        return Ok(());
    }
    let Service { cluster, name } = service;
    let input = json!({"cluster": cluster, "service": name, "desiredCount": 0});
    let step = Step {
        operation: Write::UpdateService,
        input: input.as_object().cloned().unwrap_or_default(),
    };
    match aws.apply(&step, None).await {
        Ok(_) => Ok(()),
        Err(error) => Err(exit::fail(&format!("{name} ({cluster}): {error}"))),
    }
}

/// What is described would be created again.
fn refuse_what_is_declared(service: &Service, set: &ManifestSet) -> Result<(), exit::Code> {
    let cluster = manifest::cluster_name(&service.cluster);
    if let Some(manifest) = set.get(cluster, &service.name) {
        return Err(exit::refuse(&format!(
            "{}:{} describes {} ({cluster}); remove that first, or it is created again",
            manifest.file, manifest.line, service.name
        )));
    }
    let may_describe = set.broken.iter().find(|broken| {
        let may_be = |known: &Option<String>, wanted: &str| {
            known
                .as_ref()
                .is_none_or(|known| known == wanted || known.contains("${"))
        };
        may_be(&broken.cluster, cluster) && may_be(&broken.name, &service.name)
    });
    match may_describe {
        Some(broken) => Err(exit::refuse(&format!(
            "{} has errors and may describe {} ({cluster}); correct it first (evenkeel validate)",
            broken.file, service.name
        ))),
        None => Ok(()),
    }
}
