//! `evenkeel retry`: allows what failed to be tried again, by a tag on the service that every daemon reads.

use std::collections::BTreeMap;

use clap::Args;

use crate::{
    cli::{
        exit,
        inputs::{self, Inputs},
        output,
    },
    plan,
};

/// Arguments of `retry`.
#[derive(Debug, Args)]
pub(super) struct Retry {
    /// The service: NAME or CLUSTER/NAME.
    name: String,

    #[command(flatten)]
    inputs: Inputs,
}

impl Retry {
    pub(super) async fn run(self) -> exit::Code {
        let mut manifests = match self.inputs.load(&[]) {
            Ok(manifests) => manifests,
            Err(code) => return code,
        };
        manifests.retain(|manifest| {
            let (cluster, name) = manifest.key();
            name == self.name || format!("{cluster}/{name}") == self.name
        });
        if manifests.len() != 1 {
            let found = manifests.len();
            return exit::fail(&format!(
                "{found} manifests describe {}; say NAME or CLUSTER/NAME",
                self.name
            ));
        }
        let aws = match inputs::aws().await {
            Ok(aws) => aws,
            Err(code) => return code,
        };
        let looked = inputs::look(&aws, &self.inputs.owner, &manifests, &mut BTreeMap::new()).await;
        let Some((_, seen)) = looked.into_iter().next() else {
            return exit::fail("nothing was said about it");
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return exit::fail(&error.to_string()),
        };
        let plan = plan::plan(&seen.desired, &seen.observed, &[]);
        let (Some(hold), Some(service)) = (plan.hold, &seen.observed.service) else {
            let reasons: Vec<_> = plan.blocked.iter().map(ToString::to_string).collect();
            let reasons = if reasons.is_empty() {
                String::new()
            } else {
                format!(" ({})", reasons.join("; "))
            };
            return exit::fail(&format!("nothing is held for {}{reasons}", self.name));
        };
        match aws.apply(&plan::forgive(service.arn(), &hold), None).await {
            Ok(_) => {
                output::note(&format!(
                    "{} may be tried again; the daemon does so with its next look",
                    hold.image
                ));
                exit::DONE
            }
            Err(error) => exit::fail(&error.to_string()),
        }
    }
}
