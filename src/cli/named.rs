//! Which service a command is about.

use std::sync::Arc;

use clap::Args;

use crate::{
    aws::Aws,
    cli::{exit, inputs::Inputs},
    manifest::Manifest,
};

/// A service by its name.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// The service: NAME or CLUSTER/NAME.
    pub(super) name: String,

    /// Its cluster; without it, the one that the manifests name.
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,

    #[command(flatten)]
    pub(super) inputs: Inputs,
}

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    /// The cluster's name or ARN.
    pub(super) cluster: String,
    pub(super) name: String,
}

impl Named {
    /// The service, as it is written here or in its manifest.
    pub(super) async fn find(&self, aws: &Aws) -> Result<Service, exit::Code> {
        if let Some(service) = self.written() {
            return Ok(service);
        }
        let (manifests, _) = self.inputs.load(aws, &[]).await.inspect_err(|_| {
            crate::cli::output::note("  or say where the service is with --cluster");
        })?;
        let manifest = one(&manifests, &self.name)?;
        Ok(Service {
            cluster: manifest.cluster.clone(),
            name: manifest.name.clone(),
        })
    }

    /// The service, when the command line alone says where it is.
    pub(super) fn written(&self) -> Option<Service> {
        let (cluster, name) = match (&self.cluster, self.name.split_once('/')) {
            (Some(cluster), _) => (cluster.as_str(), self.name.as_str()),
            (None, Some((cluster, name))) => (cluster, name),
            (None, None) => return None,
        };
        Some(Service {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// The one manifest that describes NAME or CLUSTER/NAME.
pub(super) fn one<'m>(
    manifests: &'m [Arc<Manifest>],
    wanted: &str,
) -> Result<&'m Arc<Manifest>, exit::Code> {
    let is_meant = |manifest: &&Arc<Manifest>| {
        let (cluster, name) = manifest.key();
        name == wanted || format!("{cluster}/{name}") == wanted
    };
    let found: Vec<_> = manifests.iter().filter(is_meant).collect();
    match found.as_slice() {
        [manifest] => Ok(manifest),
        [] => {
            let known: Vec<_> = manifests
                .iter()
                .map(|manifest| manifest.name.as_str())
                .collect();
            Err(exit::fail(&format!(
                "no manifest describes {wanted}; known are: {}",
                known.join(", ")
            )))
        }
        _ => Err(exit::fail(&format!(
            "several clusters have a service {wanted}: say CLUSTER/NAME"
        ))),
    }
}
