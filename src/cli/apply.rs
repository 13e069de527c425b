//! `evenkeel apply`: does what `plan` shows, once, and follows each rollout to its end.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use jiff::Zoned;
use tokio::time::Instant;

use crate::{
    aws::{Aws, Memory, Seen},
    cli::{
        exit,
        inputs::{self, Inputs},
        output::{self, Format},
        plan::ServicePlan,
    },
    manifest::Manifest,
    plan::{self, Step},
    reconcile::{self, Stopped},
    status::{self, Phase, Progress, ServiceStatus},
};

/// Between two looks at a rollout.
const POLL: Duration = Duration::from_secs(2);
/// How often a plan is made anew when AWS has changed meanwhile.
const PLANS: usize = 3;

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub(super) struct Apply {
    /// Only these manifests.
    paths: Vec<PathBuf>,

    #[command(flatten)]
    inputs: Inputs,

    /// How long to wait for rollouts, in seconds; 0 does not wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    timeout: u64,

    /// How the plans that were carried out are printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

impl Apply {
    pub(super) async fn run(self) -> exit::Code {
        let manifests = match self.inputs.load(&self.paths) {
            Ok(manifests) => manifests,
            Err(code) => return code,
        };
        let aws = match inputs::aws().await {
            Ok(aws) => aws,
            Err(code) => return code,
        };
        let mut worst = exit::DONE;
        let mut done = Vec::new();
        for manifest in &manifests {
            let deadline = Instant::now() + Duration::from_secs(self.timeout);
            let code = self.apply(&aws, manifest, deadline, &mut done).await;
            worst = if code == exit::DONE { worst } else { code };
        }
        let printed = output::print(self.output, &done, || {
            done.iter().map(ServicePlan::text).collect()
        });
        if worst == exit::DONE { printed } else { worst }
    }

    async fn apply(
        &self,
        aws: &Aws,
        manifest: &Arc<Manifest>,
        deadline: Instant,
        done: &mut Vec<ServicePlan>,
    ) -> exit::Code {
        let mut memory = Memory::default();
        for _ in 0..PLANS {
            let seen = match self.look(aws, manifest, &mut memory).await {
                Ok(seen) => seen,
                Err(code) => return code,
            };
            let plan = plan::plan(
                &seen.desired,
                &seen.observed,
                memory.not_taken(&manifest.digest),
            );
            let told = |step: &Step| say(&manifest.name, step.operation.name());
            match reconcile::carry_out(aws, &seen, &plan, &mut memory, told).await {
                Ok(()) => {
                    done.push(ServicePlan::new(manifest, &seen.observed, plan));
                    return self.follow(aws, manifest, &mut memory, deadline).await;
                }
                Err(Stopped::Changed) => say(
                    &manifest.name,
                    "changed by someone else meanwhile; planning anew",
                ),
                Err(Stopped::Failed(error)) => {
                    return exit::fail(&format!("{}: {error}", manifest.name));
                }
            }
        }
        exit::fail(&format!(
            "{}: it keeps being changed by someone else",
            manifest.name
        ));
        exit::REFUSED
    }

    async fn look(
        &self,
        aws: &Aws,
        manifest: &Arc<Manifest>,
        memory: &mut Memory,
    ) -> Result<Seen, exit::Code> {
        let failed = |error| exit::fail(&format!("{}: {error}", manifest.name));
        let names = std::slice::from_ref(&manifest.name);
        let (mut described, time) = aws.describe_services(&manifest.cluster, names).await;
        let service = described
            .remove(&manifest.name)
            .transpose()
            .map_err(failed)?
            .flatten();
        aws.observe(manifest, &self.inputs.owner, service, time, memory)
            .await
            .map_err(failed)
    }

    /// Looks until nothing is under way any more.
    async fn follow(
        &self,
        aws: &Aws,
        manifest: &Arc<Manifest>,
        memory: &mut Memory,
        deadline: Instant,
    ) -> exit::Code {
        let mut progress = None;
        let mut before: Option<ServiceStatus> = None;
        loop {
            let seen = match self.look(aws, manifest, memory).await {
                Ok(seen) => seen,
                Err(code) => return code,
            };
            let plan = plan::plan(
                &seen.desired,
                &seen.observed,
                memory.not_taken(&manifest.digest),
            );
            progress = Progress::follow(progress, &seen.observed);
            let now = status::status(
                &seen.desired,
                &seen.observed,
                &plan,
                progress.as_ref(),
                before.as_ref(),
            );
            if before
                .as_ref()
                .is_none_or(|before| (before.phase, &before.message) != (now.phase, &now.message))
            {
                say(&now.name, &format!("{}  {}", now.phase, now.message));
            }
            let is_over = now.rollout.is_none() && now.phase != Phase::Progressing;
            if is_over || self.timeout == 0 {
                return verdict(&now);
            }
            if now.rollout.is_none() && plan.cause.is_some() && plan.blocked.is_empty() {
                exit::fail(&format!(
                    "{}: someone else has changed it again: {}",
                    now.name, now.message
                ));
                return exit::REFUSED;
            }
            if Instant::now() >= deadline {
                exit::fail(&format!(
                    "{}: not finished within {} s; ECS goes on with it",
                    now.name, self.timeout
                ));
                return exit::TIMED_OUT;
            }
            before = Some(now);
            tokio::time::sleep(POLL).await;
        }
    }
}

fn verdict(status: &ServiceStatus) -> exit::Code {
    match status.phase {
        Phase::Held => {
            exit::fail(&format!(
                "the rollout of {} failed: {}",
                status.name, status.message
            ));
            exit::ROLLED_BACK
        }
        Phase::Degraded | Phase::Unknown => {
            exit::fail(&format!("{}: {}", status.name, status.message))
        }
        Phase::Synced | Phase::Progressing | Phase::Suspended | Phase::Orphaned => exit::DONE,
    }
}

fn say(service: &str, what: &str) {
    output::note(&format!(
        "{}  {service}  {what}",
        Zoned::now().strftime("%H:%M:%S")
    ));
}
