//! `evenkeel retry`: allows what failed to be tried again, by a tag on the service that every daemon reads.

use std::collections::BTreeMap;

use clap::Args;

use crate::{
    cli::{
        exit,
        inputs::{self, Inputs},
        named, output,
    },
    plan::{self, Lessons},
};

/// Arguments of `retry`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  evenkeel retry api")]
pub(super) struct Retry {
    /// The service: NAME or CLUSTER/NAME.
    name: String,

    #[command(flatten)]
    inputs: Inputs,
}

impl Retry {
    pub(super) async fn run(self) -> exit::Code {
        let (manifests, _, aws) = match self.inputs.begin(&[]).await {
            Ok(begun) => begun,
            Err(code) => return code,
        };
        let manifest = match named::one(&manifests, &self.name) {
            Ok(manifest) => manifest,
            Err(code) => return code,
        };
        let looked = inputs::look(
            &aws,
            &self.inputs.settings(),
            std::slice::from_ref(manifest),
            &mut BTreeMap::new(),
        )
        .await;
        let Some((_, seen)) = looked.into_iter().next() else {
            return exit::fail("nothing was said about it");
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return exit::fail(&error.to_string()),
        };
        let plan = plan::plan(&seen.desired, &seen.observed, &Lessons::default());
        let (Some(hold), Some(service)) = (plan.hold, &seen.observed.service) else {
            let reasons: Vec<_> = plan.blocked.iter().map(ToString::to_string).collect();
            let reasons = if reasons.is_empty() {
                String::new()
            } else {
                format!(" ({})", reasons.join("; "))
            };
            return exit::fail(&format!(
                "nothing is held for {}{reasons}; `evenkeel plan` shows what would be done",
                self.name
            ));
        };
        match aws.apply(&plan::forgive(service.arn(), &hold), None).await {
            Ok(_) => {
                output::note(&format!(
                    "{} may be tried again; a running daemon does so with its next resync (30 s unless --resync says otherwise)",
                    hold.what()
                ));
                exit::DONE
            }
            Err(error) => exit::fail(&error.to_string()),
        }
    }
}
