//! `evenkeel plan`: what would be done, and why the rest would not.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use clap::Args;
use serde::Serialize;

use crate::{
    cli::{
        exit,
        inputs::{self, Inputs},
        output::{self, Format},
    },
    manifest::Manifest,
    observed::{Observed, RolloutState},
    plan::{self, Cause, Lessons},
};

/// Arguments of `plan`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  evenkeel plan manifests/api.yaml")]
pub(super) struct Plan {
    /// Only these manifests.
    paths: Vec<PathBuf>,

    #[command(flatten)]
    inputs: Inputs,

    /// How the plan is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,

    /// Exit with 2 when anything differs.
    #[arg(long)]
    exit_code: bool,
}

/// One service's plan, as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct ServicePlan {
    service: String,
    cluster: String,
    #[serde(flatten)]
    pub(super) plan: plan::Plan,
    #[serde(skip)]
    running: u32,
    #[serde(skip)]
    left_to_autoscaling: Option<u32>,
    /// The deployment that ECS is still busy with.
    #[serde(skip)]
    under_way: Option<String>,
}

impl ServicePlan {
    pub(super) fn new(manifest: &Manifest, observed: &Observed, plan: plan::Plan) -> Self {
        let (cluster, service) = manifest.key();
        let live = observed.service.as_ref();
        Self {
            service,
            cluster,
            plan,
            running: live.map(|live| live.running_count()).unwrap_or_default(),
            left_to_autoscaling: live
                .filter(|_| manifest.desired_count.is_none())
                .map(|live| live.desired_count()),
            under_way: live
                .and_then(|live| live.primary())
                .filter(|primary| primary.rollout == RolloutState::InProgress)
                .map(|primary| primary.id),
        }
    }

    /// The plan for people; empty when there is nothing to say.
    pub(super) fn text(&self) -> String {
        if self.plan.is_empty() {
            // ECS has been told; it is not done yet.
            return match &self.under_way {
                Some(id) => format!(
                    "· {} ({})  nothing to change; {id} is still under way\n",
                    self.service, self.cluster
                ),
                None => String::new(),
            };
        }
        let mut text = self.headline();
        for difference in &self.plan.differences {
            let _ = writeln!(text, "{}", output::difference(difference));
        }
        for step in &self.plan.steps {
            let _ = writeln!(text, "  + {}", step.operation.name());
        }
        if let Some(count) = self
            .left_to_autoscaling
            .filter(|_| self.plan.cause != Some(Cause::Create))
        {
            let _ = writeln!(
                text,
                "  · service.desiredCount {count}: not declared, left to autoscaling"
            );
        }
        for blocked in &self.plan.blocked {
            let _ = writeln!(text, "  ! {blocked}");
        }
        if let Some(hold) = &self.plan.hold {
            let name = &self.service;
            let _ = writeln!(
                text,
                "  ! held: {} failed: {} (evenkeel retry {name})",
                hold.what(),
                hold.reason
            );
        }
        text
    }

    /// Whether anything in AWS is not as the manifest says.
    fn differs(&self) -> bool {
        !self.plan.differences.is_empty() || !self.plan.steps.is_empty()
    }

    fn headline(&self) -> String {
        let (sign, what) = match self.plan.cause {
            _ if self.plan.steps.is_empty() => ("!", "left as it is".to_owned()),
            Some(Cause::Create) => ("+", "to be created".to_owned()),
            _ if self.plan.starts_deployment() => {
                ("~", format!("rolling, replaces {} tasks", self.running))
            }
            _ => ("~", "changed in place".to_owned()),
        };
        format!("{sign} {} ({})  {what}\n", self.service, self.cluster)
    }
}

impl Plan {
    pub(super) async fn run(self) -> exit::Code {
        let (manifests, loaded, aws) = match self.inputs.begin(&self.paths).await {
            Ok(begun) => begun,
            Err(code) => return code,
        };
        let mut plans = Vec::new();
        let mut unknown = 0;
        for (manifest, seen) in inputs::look(
            &aws,
            &self.inputs.settings(),
            &manifests,
            &mut BTreeMap::new(),
        )
        .await
        {
            match seen {
                Ok(seen) => {
                    let plan = plan::plan(&seen.desired, &seen.observed, &Lessons::default());
                    plans.push(ServicePlan::new(&manifest, &seen.observed, plan));
                }
                Err(error) => {
                    exit::fail(&format!(
                        "{} ({}): {error}",
                        manifest.name,
                        manifest.key().0
                    ));
                    unknown += 1;
                }
            }
        }
        let printed = output::print(self.output, &plans, || table(&plans, unknown));
        match printed {
            exit::DONE if unknown > 0 => exit::FAILED,
            exit::DONE if loaded != exit::DONE => loaded,
            exit::DONE if self.exit_code && plans.iter().any(ServicePlan::differs) => {
                exit::DIFFERENCES
            }
            code => code,
        }
    }
}

fn table(plans: &[ServicePlan], unknown: usize) -> String {
    let mut text: String = plans.iter().map(ServicePlan::text).collect();
    let acting = || plans.iter().filter(|plan| !plan.plan.steps.is_empty());
    let create = acting()
        .filter(|plan| plan.plan.cause == Some(Cause::Create))
        .count();
    let change = acting().count() - create;
    let same = plans.iter().filter(|plan| plan.plan.is_empty()).count();
    let left = plans.len() - create - same - change;
    let _ = write!(
        text,
        "Plan: {change} to change, {create} to create, {same} in sync"
    );
    for (many, what) in [(left, "left as they are"), (unknown, "unknown")] {
        if many > 0 {
            let _ = write!(text, ", {many} {what}");
        }
    }
    text.push_str(".\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing_to_do(under_way: Option<&str>) -> ServicePlan {
        ServicePlan {
            service: "api".to_owned(),
            cluster: "prod".to_owned(),
            plan: plan::Plan::default(),
            running: 2,
            left_to_autoscaling: None,
            under_way: under_way.map(str::to_owned),
        }
    }

    #[test]
    fn what_ecs_is_still_busy_with_is_not_passed_over() {
        assert_eq!(nothing_to_do(None).text(), "");
        assert_eq!(
            nothing_to_do(Some("ecs-svc/1")).text(),
            "· api (prod)  nothing to change; ecs-svc/1 is still under way\n"
        );
    }
}
