//! What `plan`, `apply` and `retry` start from: manifests, and AWS.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use clap::Args;

use crate::{
    aws::{Ahead, Aws, AwsError, Clients, Memory, SERVICES_PER_CALL, Seen},
    cli::{exit, output},
    desired::Settings,
    manifest::{self, Manifest, Options, SourceFile},
    metrics::Metrics,
    normal::Form,
    source::{Place, Reader, Source, Texts},
};

/// What to do when manifests are not where they are looked for.
const WHERE: &str = "; say where they are with --manifests or EVENKEEL_MANIFESTS";
/// What to do about references to outputs when there are none.
const NO_OUTPUTS: &str = if cfg!(feature = "local") {
    "  no Terraform outputs are given: name them with --terraform-outputs or EVENKEEL_TERRAFORM_OUTPUTS; beside `make up`: eval \"$(evenkeel local env)\""
} else {
    "  no Terraform outputs are given: name them with --terraform-outputs or EVENKEEL_TERRAFORM_OUTPUTS"
};

/// Which manifests, and whose.
#[derive(Debug, Clone, Args)]
pub(super) struct Inputs {
    /// Where the manifests are: a directory, or s3://BUCKET/PREFIX.
    #[arg(
        long,
        value_name = "PLACE",
        env = "EVENKEEL_MANIFESTS",
        default_value = "manifests"
    )]
    manifests: Place,

    /// The file with `terraform output -json`; terraform.json beside the manifests when there is one.
    #[arg(long, value_name = "FILE", env = "EVENKEEL_TERRAFORM_OUTPUTS")]
    terraform_outputs: Option<PathBuf>,

    /// The file with the values of `${values.NAME}`; values.yaml beside the manifests when there is one.
    #[arg(long, value_name = "FILE", env = "EVENKEEL_VALUES")]
    values: Option<PathBuf>,

    /// Fields of ECS that are newer than this program's table are warnings.
    #[arg(long)]
    allow_unknown_ecs_fields: bool,

    /// Who answers for the services; the first part of their owner tag.
    #[arg(long, env = "EVENKEEL_OWNER", default_value = "evenkeel")]
    owner: String,
}

impl Inputs {
    /// Where the manifests come from.
    pub(super) fn source(&self) -> Source {
        Source {
            place: self.manifests.clone(),
            terraform_outputs: self.terraform_outputs.clone(),
            values: self.values.clone(),
            options: Options {
                allow_unknown_ecs_fields: self.allow_unknown_ecs_fields,
            },
        }
    }

    /// What is the same for every manifest.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            owner: self.owner.clone(),
            form: Form::current(),
        }
    }

    /// What each of these commands begins with: see [`Inputs::load`], and AWS as the environment names it.
    pub(super) async fn begin(
        &self,
        paths: &[PathBuf],
    ) -> Result<(Vec<Arc<Manifest>>, exit::Code, Aws), exit::Code> {
        let aws = aws().await?;
        let (manifests, loaded) = self.load(&aws, paths).await?;
        Ok((manifests, loaded, aws))
    }

    /// The good manifests of the source, or of `paths` when there are any, and the exit code that says whether there
    /// were others. What is wrong is said on stderr.
    pub(super) async fn load(
        &self,
        aws: &Aws,
        paths: &[PathBuf],
    ) -> Result<(Vec<Arc<Manifest>>, exit::Code), exit::Code> {
        let source = self.source();
        let texts = if paths.is_empty() {
            Reader::new(source.clone(), aws.clone()).texts().await
        } else {
            read_paths(aws, &source, paths).await
        };
        let is_missing = |place: &Place| match place {
            Place::Directory(path) => !path.is_dir(),
            Place::Bucket(_) => false,
        };
        let texts = texts.map_err(|error| {
            let help = if paths.is_empty() && is_missing(&source.place) {
                WHERE
            } else {
                ""
            };
            exit::fail(&format!("{error}{help}"))
        })?;
        let has_outputs = texts.terraform.is_some();
        let set = texts.parse(source.options);
        let set = set.map_err(|error| exit::fail(&error))?;
        for diagnostic in &set.diagnostics {
            output::note(&format!("{}: {diagnostic}", diagnostic.severity));
        }
        let has_errors = set.diagnostics.iter().any(manifest::Diagnostic::is_error);
        if has_errors && !has_outputs {
            output::note(NO_OUTPUTS);
        }
        if set.manifests.is_empty() {
            if has_errors {
                return Err(exit::INVALID);
            }
            let places: Vec<_> = paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            let places = if places.is_empty() {
                source.place.to_string()
            } else {
                places.join(", ")
            };
            return Err(exit::refuse(&format!(
                "no manifests (*.yaml, *.yml) in {places}{WHERE}"
            )));
        }
        let code = if has_errors {
            exit::INVALID
        } else {
            exit::DONE
        };
        Ok((set.manifests, code))
    }
}

/// AWS as the environment names it.
pub(super) async fn aws() -> Result<Aws, exit::Code> {
    let metrics = Metrics::new().map_err(|error| exit::fail(&error.to_string()))?;
    Ok(Aws::new(Clients::from_env().await, metrics))
}

async fn read_paths(aws: &Aws, source: &Source, paths: &[PathBuf]) -> Result<Texts, String> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(manifest::read_dir(path).map_err(|error| error.to_string())?);
        } else {
            let name = path.display().to_string();
            // What is named must be there; a file that a directory cannot show is its own diagnostic.
            let text = manifest::read_file(path).map_err(|error| format!("{name} {error}"))?;
            files.push(SourceFile {
                name,
                text: Ok(text),
            });
        }
    }
    source.beside(aws, files).await
}

/// One look at every service, in the manifests' order, described ten at a time.
pub(super) async fn look(
    aws: &Aws,
    settings: &Settings,
    manifests: &[Arc<Manifest>],
    memories: &mut BTreeMap<(String, String), Memory>,
) -> Vec<(Arc<Manifest>, Result<Seen, AwsError>)> {
    let mut by_cluster: BTreeMap<&str, Vec<&Arc<Manifest>>> = BTreeMap::new();
    for manifest in manifests {
        by_cluster
            .entry(&manifest.cluster)
            .or_default()
            .push(manifest);
    }
    let mut seen = Vec::new();
    for (cluster, members) in by_cluster {
        for batch in members.chunks(SERVICES_PER_CALL) {
            let names: Vec<_> = batch.iter().map(|manifest| manifest.name.clone()).collect();
            let (mut described, time) = aws.describe_services(cluster, &names).await;
            for manifest in batch {
                let memory = memories.entry(manifest.key()).or_default();
                let look = match described.remove(&manifest.name) {
                    Some(Ok(service)) => {
                        aws.observe(
                            manifest,
                            settings,
                            service,
                            time,
                            memory,
                            &mut Ahead::default(),
                        )
                        .await
                    }
                    Some(Err(error)) => Err(error),
                    None => continue,
                };
                seen.push((Arc::clone(manifest), look));
            }
        }
    }
    seen
}
