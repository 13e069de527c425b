//! `evenkeel push`: puts manifests where a daemon reads them, in S3.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;

use crate::{
    aws::{Aws, S3Url, is_plain},
    cli::{
        exit::{self, Deadline},
        inputs,
        output::{self, Format},
    },
    manifest::{self, Diagnostic, ManifestSet, Options, SourceFile, VALUES},
    source::{self, Change, Published, Pushed, Texts},
};

/// Arguments of `push`.
#[derive(Debug, Args)]
#[command(
    after_help = "Validates with Terraform's outputs as they are in the bucket, shows what changes, and uploads that. What somebody else has\nchanged meanwhile is not overwritten.\n\nExample:\n  evenkeel push manifests s3://my-bucket/manifests --values manifests/values/prod.yaml"
)]
pub(super) struct Push {
    /// The directory of the manifests.
    directory: PathBuf,

    /// Where the daemon reads them: s3://BUCKET/PREFIX.
    to: S3Url,

    /// The values file to put beside them; values.yaml of the directory when there is one.
    #[arg(long, value_name = "FILE", env = "EVENKEEL_VALUES")]
    values: Option<PathBuf>,

    /// The file with `terraform output -json` to validate with, instead of terraform.json in the bucket.
    #[arg(long, value_name = "FILE")]
    terraform_outputs: Option<PathBuf>,

    /// Deletes manifests that are in the bucket and not in the directory. Their services run on, as orphans.
    #[arg(long)]
    delete: bool,

    /// Shows what would change, and uploads nothing.
    #[arg(long)]
    dry_run: bool,

    /// Fields of ECS that are newer than this program's table are warnings.
    #[arg(long)]
    allow_unknown_ecs_fields: bool,

    #[command(flatten)]
    deadline: Deadline,

    /// How the changes are printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

impl Push {
    pub(super) async fn run(self) -> exit::Code {
        let pushed = async { self.push().await.unwrap_or_else(|code| code) };
        self.deadline.within(pushed).await
    }

    async fn push(&self) -> Result<exit::Code, exit::Code> {
        let failed = |error: String| exit::fail(&error);
        let texts = self.texts().map_err(failed)?;
        let files = self.files(&texts)?;
        let aws = inputs::aws().await?;
        let published = Published::read(&aws, &self.to).await.map_err(failed)?;
        let changes = published.changes(&files, self.delete);
        self.check(texts, &published, &changes)?;
        if !self.dry_run {
            self.upload(&aws, &published, &changes).await?;
        }
        Ok(output::print(self.output, &changes, || {
            self.table(&changes)
        }))
    }

    /// The directory's manifests, and what they refer to.
    fn texts(&self) -> Result<Texts, String> {
        let files = manifest::read_dir(&self.directory).map_err(|error| error.to_string())?;
        let outputs = self.terraform_outputs.as_deref();
        let beside = source::beside(&self.directory, outputs, self.values.as_deref())?;
        Ok(Texts {
            files,
            // What lies in the directory may be of another environment.
            terraform: beside.terraform.filter(|_| outputs.is_some()),
            values: beside.values,
        })
    }

    /// What is to be in the bucket, by name.
    fn files(&self, texts: &Texts) -> Result<BTreeMap<String, String>, exit::Code> {
        let mut files = BTreeMap::new();
        for SourceFile { name: path, text } in &texts.files {
            let text = text
                .as_ref()
                .map_err(|error| exit::fail(&format!("{path} {error}")))?;
            let name = path.rsplit('/').next().unwrap_or(path);
            if !is_plain(name) {
                return Err(exit::fail(&format!(
                    "{path} has a name that is refused in S3: use letters, digits and `-_.`"
                )));
            }
            files.insert(name.to_owned(), text.clone());
        }
        if files.is_empty() {
            return Err(exit::refuse(&format!(
                "no manifests (*.yaml, *.yml) in {}",
                self.directory.display()
            )));
        }
        if let Some(values) = &texts.values {
            output::note(&format!("values: {}", values.name));
            files.insert(VALUES.to_owned(), values.text.clone());
        }
        Ok(files)
    }

    /// What would be there must be good, as the daemon will see it, and it must be ready to take it.
    fn check(
        &self,
        mut texts: Texts,
        published: &Published,
        changes: &[Change],
    ) -> Result<(), exit::Code> {
        if texts.terraform.is_none() {
            texts.terraform.clone_from(&published.terraform);
        }
        let now = self.set(published.now(texts.terraform.as_ref()));
        let has_outputs = texts.terraform.is_some();
        if let Some(outputs) = &texts.terraform {
            output::note(&format!("outputs: {}", outputs.name));
        }
        if texts.values.is_none() && !self.delete {
            texts.values.clone_from(&published.values);
        }
        texts.files.extend(published.kept(changes));
        let next = self.set(texts).map_err(|error| {
            exit::fail(&error);
            exit::INVALID
        })?;
        for diagnostic in &next.diagnostics {
            output::note(&format!("{}: {diagnostic}", diagnostic.severity));
        }
        if next.diagnostics.iter().any(Diagnostic::is_error) {
            if !has_outputs {
                output::note(&format!(
                    "  there is no terraform.json in {}: Terraform writes it there; or name one with --terraform-outputs",
                    self.to
                ));
            }
            return Err(exit::INVALID);
        }
        manifest::accept(now.ok().as_ref(), &next)
            .map_err(|refusal| exit::refuse(&format!("the daemon would not take it: {refusal}")))
    }

    /// The daemon's environment is not known here.
    fn set(&self, texts: Texts) -> Result<ManifestSet, String> {
        let references = texts.references(Some("{}"))?.without_env();
        let options = Options {
            allow_unknown_ecs_fields: self.allow_unknown_ecs_fields,
        };
        Ok(manifest::parse_set(texts.files, &references, options))
    }

    async fn upload(
        &self,
        aws: &Aws,
        published: &Published,
        changes: &[Change],
    ) -> Result<(), exit::Code> {
        for change in changes {
            let name = &change.name;
            match published.carry_out(aws, change).await {
                Ok(true) => {}
                Ok(false) => {
                    return Err(exit::refuse(&format!(
                        "somebody else has changed {}/{name} meanwhile; look at it, and push again",
                        self.to
                    )));
                }
                Err(error) => return Err(exit::fail(&format!("{}/{name}: {error}", self.to))),
            }
        }
        Ok(())
    }

    fn table(&self, changes: &[Change]) -> String {
        let mut lines = Vec::new();
        for Change {
            name, change, diff, ..
        } in changes
        {
            let name = name.escape_debug();
            match change {
                Pushed::New => lines.push(format!("+ {name}")),
                Pushed::Changed => lines.push(format!("~ {name}")),
                Pushed::Deleted => lines.push(format!("- {name}")),
                Pushed::Kept => lines.push(format!(
                    "· {name}: only in the bucket; --delete takes it away"
                )),
                Pushed::Unchanged => {}
            }
            lines.extend(diff.lines().map(|line| format!("    {line}")));
        }
        let count = |wanted: Pushed| changes.iter().filter(|one| one.change == wanted).count();
        let verb = if self.dry_run { "would be" } else { "are" };
        lines.push(format!(
            "{}: {} {verb} new, {} changed, {} deleted; {} unchanged.",
            self.to,
            count(Pushed::New),
            count(Pushed::Changed),
            count(Pushed::Deleted),
            count(Pushed::Unchanged) + count(Pushed::Kept),
        ));
        lines.join("\n")
    }
}
