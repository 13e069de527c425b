//! `evenkeel init`: writes the manifest of a live service, and makes sure that it asks for nothing else.

use std::{fs::OpenOptions, io::Write as _, path::PathBuf, sync::Arc};

use clap::Args;
use jiff::Timestamp;

use crate::{
    aws::{Ahead, Aws, Memory},
    cli::{
        exit::{self, Deadline},
        inputs, output,
    },
    desired::Settings,
    document::{self, Document},
    init::{self, Live, Reference, Registry},
    manifest::{self, LogGroup, Manifest, Options, References},
    normal::Form,
    observed::{LiveService, Revision},
    plan::{self, Lessons},
    tags,
};

/// Arguments of `init`.
#[derive(Debug, Args)]
#[command(
    after_help = "What stands at AWS's default is left out. Values of environment variables are written as they are.\n\nExample:\n  evenkeel init --from-service api --cluster prod --file manifests/api.yaml"
)]
pub(super) struct Init {
    /// The live service's name.
    #[arg(long, value_name = "NAME")]
    from_service: String,

    /// The service's cluster, by name or ARN.
    #[arg(long, value_name = "CLUSTER")]
    cluster: String,

    /// Where the manifest goes, instead of standard output. A file that is there is never written over.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Who is to answer for the service; the first part of its owner tag.
    #[arg(long, env = "EVENKEEL_OWNER", default_value = "evenkeel")]
    owner: String,

    #[command(flatten)]
    deadline: Deadline,
}

impl Init {
    pub(super) async fn run(self) -> exit::Code {
        let init = async {
            match self.text().await {
                Ok(text) => self.save(&text),
                Err(code) => code,
            }
        };
        self.deadline.within(init).await
    }

    async fn text(&self) -> Result<String, exit::Code> {
        let (cluster, name) = (&self.cluster, &self.from_service);
        let fail =
            |error: &dyn std::fmt::Display| exit::fail(&format!("{name} ({cluster}): {error}"));
        let aws = inputs::aws().await?;
        let (mut described, time) = aws
            .describe_services(cluster, std::slice::from_ref(name))
            .await;
        let service = described
            .remove(name)
            .transpose()
            .map_err(|error| fail(&error))?
            .flatten()
            .ok_or_else(|| fail(&"there is no such service"))?;
        let definition = aws.definition(service.task_definition()).await;
        let definition = definition.map_err(|error| fail(&error))?;
        let image = image(&aws, &service, &definition).await;
        let image = image.map_err(|error| fail(&error))?;
        let log_group = log_group(&aws, &service, &definition).await;
        let log_group = log_group.map_err(|error| fail(&error))?;
        let settings = Settings {
            owner: self.owner.clone(),
            form: Form::current(),
        };
        let live = Live {
            cluster,
            service: &service,
            definition: &definition,
            image: image.as_ref(),
            log_group: log_group.as_ref(),
            owner: &format!("{}/{}/{name}", self.owner, manifest::cluster_name(cluster)),
            form: &settings.form,
        };
        let written = init::write(&live)
            .map_err(|refused| exit::refuse(&format!("{name} ({cluster}): {refused}")))?;
        let manifest = self.read_back(&written.text)?;
        self.be_sure(&aws, &manifest, &settings, service.clone(), time)
            .await?;
        for note in &written.notes {
            output::note(&format!("note: {note}"));
        }
        Ok(written.text)
    }

    /// The manifest as everybody else reads it. What it cannot say shows here.
    fn read_back(&self, text: &str) -> Result<Arc<Manifest>, exit::Code> {
        let name = format!("{}.yaml", self.from_service);
        let (manifests, diagnostics) =
            manifest::parse_file(&name, text, &References::default(), Options::default());
        for diagnostic in &diagnostics {
            output::note(&format!("{}: {diagnostic}", diagnostic.severity));
        }
        manifests.into_iter().next().map(Arc::new).ok_or_else(|| {
            exit::fail(&format!(
                "the service {} cannot be described by a manifest: see above",
                self.from_service
            ))
        })
    }

    async fn be_sure(
        &self,
        aws: &Aws,
        manifest: &Arc<Manifest>,
        settings: &Settings,
        service: LiveService,
        time: Timestamp,
    ) -> Result<(), exit::Code> {
        let mut memory = Memory::default();
        let seen = aws
            .observe(
                manifest,
                settings,
                Some(service),
                time,
                &mut memory,
                &mut Ahead::default(),
            )
            .await
            .map_err(|error| exit::fail(&error.to_string()))?;
        let plan = plan::plan(&seen.desired, &seen.observed, &Lessons::default());
        if plan.differences.is_empty() && plan.blocked.is_empty() {
            return Ok(());
        }
        for difference in &plan.differences {
            output::note(&output::difference(difference));
        }
        for blocked in &plan.blocked {
            output::note(&format!("  ! {blocked}"));
        }
        Err(exit::fail(&format!(
            "no manifest of this version says what the service {} is: see above for what would change",
            self.from_service
        )))
    }

    fn save(&self, text: &str) -> exit::Code {
        let Some(path) = &self.file else {
            return output::text(text);
        };
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Ok(()) => {
                output::note(&format!(
                    "{} is written; next: evenkeel plan {0}",
                    path.display()
                ));
                exit::DONE
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => exit::refuse(
                &format!("{} is there already, and is left as it is", path.display()),
            ),
            Err(error) => exit::fail(&format!("{}: {error}", path.display())),
        }
    }
}

/// The main container's image, if a tag stands for it.
async fn image(
    aws: &Aws,
    service: &LiveService,
    definition: &Revision,
) -> Result<Option<manifest::Image>, crate::aws::AwsError> {
    let Some(container) = init::main_container(service, definition) else {
        return Ok(None);
    };
    let reference = Reference::split(document::text(container, "image"));
    if !Aws::is_ecr(&reference.repository) {
        return Ok(reference.as_image(&Registry::Other));
    }
    let Some(digest) = &reference.digest else {
        return Ok(None);
    };
    let found = aws.ecr_image(&reference.repository, digest).await?;
    let (_, image_tags) = found.unwrap_or_default();
    Ok(reference.as_image(&Registry::Ecr {
        tags: image_tags,
        known: definition.tags.get(tags::IMAGE_TAG).cloned(),
    }))
}

/// The main container's log group, if there is one and it is here.
async fn log_group(
    aws: &Aws,
    service: &LiveService,
    definition: &Revision,
) -> Result<Option<LogGroup>, crate::aws::AwsError> {
    let options = init::main_container(service, definition)
        .and_then(|container| container.get("logConfiguration")?.as_object())
        .filter(|log| document::text(log, "logDriver") == "awslogs")
        .and_then(|log| log.get("options")?.as_object());
    let text = |key| options.map_or("", |options: &Document| document::text(options, key));
    let (name, region) = (text("awslogs-group"), text("awslogs-region"));
    let here = service.arn().split(':').nth(3);
    if name.is_empty() || Some(region) != here {
        return Ok(None);
    }
    aws.find_log_group(name).await
}
