//! `evenkeel status`: what a running daemon says of its services.

use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    cli::{
        exit,
        output::{self, Format},
        port::Port,
    },
    daemon::Leadership,
    status::ServiceStatus,
};

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  evenkeel status -o json | jq '.[] | select(.phase != \"Synced\")'"
)]
pub(super) struct Status {
    /// Only this service: NAME or CLUSTER/NAME.
    name: Option<String>,

    /// Only whether the daemon serves: what a container's health check asks.
    #[arg(long, conflicts_with_all = ["name", "output"])]
    live: bool,

    #[command(flatten)]
    port: Port,

    /// How the status is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Debug, Deserialize)]
struct Manifests {
    errors: Vec<String>,
}

impl Status {
    pub(super) async fn run(self) -> exit::Code {
        self.port.within(self.ask()).await
    }

    async fn ask(&self) -> Result<exit::Code, String> {
        if self.live {
            return self.port.is_live().await.map(|()| exit::DONE);
        }
        let mut services: Vec<ServiceStatus> = self.port.get("/api/v1/services").await?;
        let manifests: Manifests = self.port.get("/api/v1/manifests").await?;
        for error in &manifests.errors {
            output::note(&format!("error: {error}"));
        }
        let leadership: Leadership = self.port.get("/api/v1/leader").await?;
        say_who_acts(&leadership);
        if let Some(name) = &self.name {
            let known: Vec<_> = services.iter().map(|status| status.name.clone()).collect();
            services.retain(|status| {
                status.name == *name || *name == format!("{}/{}", status.cluster, status.name)
            });
            if services.is_empty() {
                return Err(format!(
                    "the daemon at {} knows no service {name}; it knows: {}",
                    self.port.daemon,
                    known.join(", ")
                ));
            }
        }
        Ok(output::print(self.output, &services, || table(&services)))
    }
}

/// A daemon that does not act knows nothing of the services.
fn say_who_acts(leadership: &Leadership) {
    match leadership {
        Leadership {
            problem: Some(problem),
            ..
        } => output::note(&format!("error: {problem}")),
        Leadership {
            leading: false,
            leader: Some(leader),
            ..
        } => output::note(&format!(
            "this daemon stands by; ask the one that acts: {leader}"
        )),
        Leadership { .. } => {}
    }
}

fn table(services: &[ServiceStatus]) -> String {
    let now = Timestamp::now();
    let rows: Vec<_> = services
        .iter()
        .map(|status| {
            vec![
                status.name.clone(),
                status.cluster.clone(),
                status.phase.to_string(),
                format!("{}/{}", status.tasks.running, status.tasks.desired),
                status.targets.map_or_else(
                    || "-".to_owned(),
                    |targets| format!("{}/{}", targets.healthy, targets.total),
                ),
                status
                    .image
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |image| image.tag.clone()),
                output::age(status.since, now),
                status.message.clone(),
            ]
        })
        .collect();
    output::columns(
        &[
            "NAME", "CLUSTER", "PHASE", "TASKS", "TARGETS", "IMAGE", "SINCE", "MESSAGE",
        ],
        &rows,
    )
}
