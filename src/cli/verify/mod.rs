//! `evenkeel verify`: whether what manifests name is there and fits. Changes nothing.

mod arns;
mod checks;

use std::{fmt, path::PathBuf};

use clap::Args;
use serde::Serialize;

use crate::cli::{
    exit::{self, Deadline},
    inputs::Inputs,
    output::{self, Format},
};

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Checks the cluster, the image, target groups, log groups, ports, and whether ARNs are well-formed and of the cluster's account and region. Ends with 1 when a check fails.\n\nExample:\n  evenkeel verify manifests/api.yaml"
)]
pub(super) struct Verify {
    /// Only these manifests.
    paths: Vec<PathBuf>,

    #[command(flatten)]
    inputs: Inputs,

    #[command(flatten)]
    deadline: Deadline,

    /// How the checks are printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    service: String,
    cluster: String,
    result: Verdict,
    /// What was checked: `image`, `targetGroup`, …
    check: &'static str,
    /// What was found, and what to do about it.
    detail: String,
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Failed,
    /// AWS did not say.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::Unknown => "unknown",
        })
    }
}

impl Verify {
    pub(super) async fn run(self) -> exit::Code {
        self.deadline.within(self.verify()).await
    }

    async fn verify(&self) -> exit::Code {
        let (manifests, loaded, aws) = match self.inputs.begin(&self.paths).await {
            Ok(begun) => begun,
            Err(code) => return code,
        };
        let mut checks = Vec::new();
        for manifest in &manifests {
            checks.extend(checks::of(&aws, manifest).await);
        }
        match output::print(self.output, &checks, || table(&checks)) {
            exit::DONE if loaded != exit::DONE => loaded,
            exit::DONE if checks.iter().any(|check| check.result != Verdict::Ok) => exit::FAILED,
            code => code,
        }
    }
}

fn table(checks: &[Check]) -> String {
    let rows: Vec<_> = checks
        .iter()
        .map(|check| {
            vec![
                check.result.to_string(),
                check.service.clone(),
                check.cluster.clone(),
                check.check.to_owned(),
                check.detail.clone(),
            ]
        })
        .collect();
    output::columns(&["RESULT", "NAME", "CLUSTER", "CHECK", "DETAIL"], &rows)
}
