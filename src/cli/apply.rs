//! `evenkeel apply`: does what `plan` shows, once, and follows each rollout to its end.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use jiff::Zoned;
use tokio::time::Instant;

use crate::{
    aws::{Ahead, Aws, AwsError, Class, Fence, Memory, S3Url, Seen},
    cli::{
        exit,
        inputs::Inputs,
        output::{self, Format},
        plan::ServicePlan,
    },
    desired::Settings,
    lease::{Lease, NotTaken},
    manifest::Manifest,
    plan::{self, Plan, Step},
    reconcile::{self, Stopped},
    status::{self, Phase, ServiceStatus},
};

/// Between two looks at a rollout.
const POLL: Duration = Duration::from_secs(2);
/// A year, in seconds.
const LONGEST_WAIT: u64 = 365 * 86_400;
/// How often a plan is made anew when AWS has changed meanwhile, or when a rollback had to end first.
const PLANS: usize = 3;

/// Arguments of `apply`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  evenkeel apply manifests/api.yaml")]
pub(super) struct Apply {
    /// Only these manifests.
    paths: Vec<PathBuf>,

    #[command(flatten)]
    inputs: Inputs,

    /// The lease of the daemons, s3://BUCKET/KEY: taken while this runs, and refused while a daemon holds it.
    #[arg(long, value_name = "URL", env = "EVENKEEL_LEASE")]
    lease: Option<S3Url>,

    /// How long to wait for each rollout, in seconds; 0 does not wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(..=LONGEST_WAIT))]
    timeout: u64,

    /// How the plans that were carried out are printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// How following a service ended.
enum Followed {
    /// There is nothing more to do.
    Over(exit::Code),
    /// What was in the way is gone: the rest can be done now.
    Unblocked,
}

impl Apply {
    pub(super) async fn run(self) -> exit::Code {
        let (manifests, loaded, aws) = match self.inputs.begin(&self.paths).await {
            Ok(begun) => begun,
            Err(code) => return code,
        };
        let Some(url) = &self.lease else {
            return self.apply(&aws, &manifests, loaded).await;
        };
        let fence = Fence::closed();
        let lease = Lease::new(aws.clone(), url.clone(), fence.clone());
        let aws = aws.behind(fence);
        let waiting = |by: &str| {
            output::note(&format!(
                "{by} held the lease {url} last; waiting whether it is renewed"
            ));
        };
        let applied = lease.during(waiting, self.apply(&aws, &manifests, loaded));
        match applied.await {
            Ok(code) => code,
            Err(NotTaken::Held(by)) => exit::refuse(&format!(
                "{by} holds the lease {url} and acts on its own manifests: change those (evenkeel push), or stop it first"
            )),
            Err(NotTaken::Failed(error)) => exit::fail(&format!("{url}: {error}")),
        }
    }

    async fn apply(
        &self,
        aws: &Aws,
        manifests: &[Arc<Manifest>],
        loaded: exit::Code,
    ) -> exit::Code {
        let settings = self.inputs.settings();
        let mut code = loaded;
        let mut done = Vec::new();
        for manifest in manifests {
            let one = One {
                aws,
                manifest,
                settings: &settings,
                timeout: self.timeout,
            };
            let ended = one.apply(&mut done).await;
            code = if code == exit::DONE { ended } else { code };
        }
        let printed = output::print(self.output, &done, || {
            let carried_out = done.iter().filter(|done| !done.plan.is_empty());
            carried_out.map(ServicePlan::text).collect()
        });
        if code == exit::DONE { printed } else { code }
    }
}

/// One service to be applied.
struct One<'a> {
    aws: &'a Aws,
    manifest: &'a Arc<Manifest>,
    settings: &'a Settings,
    timeout: u64,
}

impl One<'_> {
    async fn apply(&self, done: &mut Vec<ServicePlan>) -> exit::Code {
        let name = &self.manifest.name;
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        let mut memory = Memory::default();
        for _ in 0..PLANS {
            let seen = match self.look(&mut memory).await {
                Ok(seen) => seen,
                Err(error) => return exit::fail(&format!("{name}: {error}")),
            };
            let mut plan = self.plan(&seen, &mut memory);
            let told = |step: &Step| say(name, step.operation.name());
            let outcome = reconcile::carry_out(self.aws, &seen, &plan, &mut memory, told).await;
            match outcome {
                Ok(made) => {
                    plan.steps.truncate(made.steps);
                    done.push(ServicePlan::new(self.manifest, &seen.observed, plan));
                }
                Err(Stopped::Changed) => {
                    say(name, "changed by someone else meanwhile; planning anew");
                    continue;
                }
                Err(Stopped::Failed(error)) => return exit::fail(&format!("{name}: {error}")),
            }
            match self.follow(&mut memory, deadline).await {
                Followed::Over(code) => return code,
                Followed::Unblocked => {}
            }
        }
        exit::fail(&format!("{name}: it keeps being changed by someone else"));
        exit::REFUSED
    }

    async fn look(&self, memory: &mut Memory) -> Result<Seen, AwsError> {
        let names = std::slice::from_ref(&self.manifest.name);
        let (mut described, time) = self
            .aws
            .describe_services(&self.manifest.cluster, names)
            .await;
        let service = described.remove(&self.manifest.name).transpose()?.flatten();
        self.aws
            .observe(
                self.manifest,
                self.settings,
                service,
                time,
                memory,
                &mut Ahead::default(),
            )
            .await
    }

    fn plan(&self, seen: &Seen, memory: &mut Memory) -> Plan {
        plan::plan(
            &seen.desired,
            &seen.observed,
            memory.lessons.under(&self.manifest.digest),
        )
    }

    /// Looks until nothing is under way any more. A look that fails for a while is borne until the deadline.
    async fn follow(&self, memory: &mut Memory, deadline: Instant) -> Followed {
        let name = &self.manifest.name;
        let mut before: Option<ServiceStatus> = None;
        loop {
            match self.look(memory).await {
                Ok(seen) => {
                    let plan = self.plan(&seen, memory);
                    let now = status::status(&seen.desired, &seen.observed, &plan, before.as_ref());
                    let is_under_way = now.rollout.is_some() || now.phase == Phase::Progressing;
                    let is_over = self.timeout == 0 || !is_under_way;
                    let is_told = before.as_ref().is_some_and(|told| {
                        (told.phase, &told.message) == (now.phase, &now.message)
                    });
                    // The verdict says what has failed.
                    if !(is_told || is_over && has_failed(now.phase)) {
                        say(name, format!("{}  {}", now.phase, now.message).trim_end());
                    }
                    if is_over {
                        return Followed::Over(verdict(&now));
                    }
                    if now.rollout.is_none() && plan.cause.is_some() {
                        return Followed::Unblocked;
                    }
                    before = Some(now);
                }
                Err(error) => match error.class {
                    Class::Throttled | Class::Transient | Class::Unreachable => {
                        say(name, &error.to_string())
                    }
                    Class::Denied | Class::NotFound | Class::Invalid => {
                        return Followed::Over(exit::fail(&format!("{name}: {error}")));
                    }
                },
            }
            if Instant::now() >= deadline {
                exit::fail(&format!(
                    "{name}: not finished within {} s; ECS goes on with it",
                    self.timeout
                ));
                return Followed::Over(exit::TIMED_OUT);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn has_failed(phase: Phase) -> bool {
    match phase {
        Phase::Held | Phase::Degraded | Phase::Unknown => true,
        Phase::Synced | Phase::Progressing | Phase::Suspended | Phase::Orphaned => false,
    }
}

fn verdict(status: &ServiceStatus) -> exit::Code {
    match status.phase {
        Phase::Held => {
            exit::fail(&format!(
                "the rollout of {name} failed: {}; `evenkeel retry {name}` lets it be tried again",
                status.message,
                name = status.name
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
