//! `evenkeel validate`: are these manifests good, as far as the files alone can tell? Needs no AWS and no network.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::PathBuf,
};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::{
    manifest::{
        self, Diagnostic, FileError, ManifestSet, Options, ReadError, References, Severity,
        SourceFile,
    },
    source,
};

/// There are no manifests.
const REFUSED: u8 = 5;
/// sysexits.h: the input is wrong.
const INVALID: u8 = 65;
/// Something could not be read.
const FAILED: u8 = 1;

/// Checks manifests without AWS: syntax, names, references, and the rules between fields.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:\n  evenkeel validate manifests")]
pub struct Validate {
    /// Manifests, or directories of them.
    #[arg(env = "EVENKEEL_MANIFESTS", default_value = "manifests")]
    paths: Vec<PathBuf>,

    /// What `terraform output -json` printed. Without it, terraform.json beside the manifests is taken if there is one,
    /// and references to outputs are not checked if there is none.
    #[arg(long, value_name = "FILE", env = "EVENKEEL_TERRAFORM_OUTPUTS")]
    terraform_outputs: Option<PathBuf>,

    /// The file with the values of `${values.NAME}`; values.yaml beside the manifests when there is one.
    #[arg(long, value_name = "FILE", env = "EVENKEEL_VALUES")]
    values: Option<PathBuf>,

    /// Fields and values of ECS that this version does not know are warnings.
    #[arg(long)]
    allow_unknown_ecs_fields: bool,

    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    /// A line per manifest, for people.
    Table,
    /// One JSON document.
    Json,
    /// The same as YAML.
    Yaml,
}

impl Validate {
    /// Prints what was found: results on `out`, pictures of what is wrong on `err`. Returns the exit code: 0 all good,
    /// 65 a manifest is wrong, 5 nothing to check, 1 something could not be read.
    ///
    /// # Errors
    /// `out` or `err` cannot be written to.
    pub fn run(self, out: &mut dyn Write, err: &mut dyn Write, color: bool) -> io::Result<u8> {
        let references = match self.references() {
            Ok(references) => references,
            Err(message) => {
                writeln!(err, "error: {message}")?;
                return Ok(FAILED);
            }
        };
        let files = match self.files() {
            Ok(files) => files,
            Err(error) => {
                writeln!(err, "error: {error}")?;
                return Ok(FAILED);
            }
        };
        if files.is_empty() {
            let paths: Vec<String> = self.paths.iter().map(|p| p.display().to_string()).collect();
            writeln!(
                err,
                "error: no manifests (*.yaml, *.yml) in {}",
                paths.join(", ")
            )?;
            return Ok(REFUSED);
        }
        let unreadable = files.iter().any(|file| file.text.is_err());
        let texts: BTreeMap<String, String> = files
            .iter()
            .filter_map(|file| Some((file.name.clone(), file.text.as_ref().ok()?.clone())))
            .collect();
        let options = Options {
            allow_unknown_ecs_fields: self.allow_unknown_ecs_fields,
        };
        let set = manifest::parse_set(files, &references, options);

        match self.output {
            Output::Table => table(&set, out)?,
            Output::Json => writeln!(out, "{:#}", document(&set))?,
            Output::Yaml => {
                let yaml = serde_yaml::to_string(&document(&set)).map_err(io::Error::other)?;
                write!(out, "{yaml}")?;
            }
        }
        for diagnostic in &set.diagnostics {
            let text = texts.get(&diagnostic.file).map(String::as_str);
            writeln!(err, "{}\n", manifest::picture(diagnostic, text, color))?;
        }
        let errors = set
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.is_error())
            .count();
        if errors > 0 {
            writeln!(
                err,
                "{} in {}",
                count(errors, "error"),
                count(set.files, "file")
            )?;
        }
        Ok(match (unreadable, errors) {
            (true, _) => FAILED,
            (false, 0) => 0,
            (false, _) => INVALID,
        })
    }

    fn files(&self) -> Result<Vec<SourceFile>, ReadError> {
        let mut files = Vec::new();
        for path in &self.paths {
            if path.is_dir() {
                files.extend(manifest::read_dir(path)?);
            } else if path.starts_with("s3:") {
                let text = Err(FileError::Refused(
                    "validate checks files; for S3 there is `evenkeel plan --manifests s3://…`"
                        .to_owned(),
                ));
                files.push(SourceFile {
                    name: path.display().to_string(),
                    text,
                });
            } else {
                let text = manifest::read_file(path);
                files.push(SourceFile {
                    name: path.display().to_string(),
                    text,
                });
            }
        }
        Ok(files)
    }

    fn references(&self) -> Result<References, String> {
        let nowhere = PathBuf::new();
        let first = self.paths.first().unwrap_or(&nowhere);
        let directory = if first.is_dir() {
            first
        } else {
            first.parent().unwrap_or(first)
        };
        let outputs = self.terraform_outputs.as_deref();
        let texts = source::beside(directory, outputs, self.values.as_deref())?;
        texts.references(None)
    }
}

fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

fn table(set: &ManifestSet, out: &mut dyn Write) -> io::Result<()> {
    for manifest in &set.manifests {
        writeln!(out, "ok {} ({})", manifest.name, manifest.cluster)?;
    }
    Ok(())
}

fn document(set: &ManifestSet) -> Value {
    let manifests: Vec<Value> = set
        .manifests
        .iter()
        .map(|manifest| {
            json!({
                "name": manifest.name,
                "cluster": manifest.cluster,
                "file": manifest.file,
                "line": manifest.line,
                "digest": manifest.digest,
            })
        })
        .collect();
    let diagnostics: Vec<Value> = set.diagnostics.iter().map(diagnostic).collect();
    let valid = !set.diagnostics.iter().any(Diagnostic::is_error);
    json!({ "valid": valid, "manifests": manifests, "diagnostics": diagnostics })
}

fn diagnostic(diagnostic: &Diagnostic) -> Value {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    json!({
        "severity": severity,
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "message": diagnostic.message,
        "label": diagnostic.label,
        "help": diagnostic.help,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        validate: Validate,
    }

    const RIGHT: &str = "apiVersion: evenkeel/v1
kind: Service
metadata: {name: api}
spec:
  cluster: ${terraform.cluster}
  service: {schedulingStrategy: REPLICA}
  taskDefinition: {containerDefinitions: [{name: api, image: nginx}]}
";

    /// Exit code, stdout and stderr of `validate` with these arguments.
    fn validate(arguments: &[&str]) -> (u8, String, String) {
        let line = Line::try_parse_from(["validate"].iter().chain(arguments)).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = line.validate.run(&mut out, &mut err, false).unwrap();
        (
            code,
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    }

    #[test]
    fn good_manifests_are_named_on_stdout() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        fs::write(directory.path().join("api.yaml"), RIGHT).unwrap();
        let (code, out, err) = validate(&[path]);
        assert_eq!((code, out.as_str()), (0, "ok api (${terraform.cluster})\n"));
        assert!(
            err.starts_with("note: 1 reference to Terraform outputs was not checked"),
            "{err}"
        );

        fs::write(
            directory.path().join("terraform.json"),
            r#"{"cluster": {"value": "prod"}}"#,
        )
        .unwrap();
        assert_eq!(
            validate(&[path]),
            (0, "ok api (prod)\n".to_owned(), String::new())
        );
    }

    #[test]
    fn bad_ones_are_drawn_on_stderr_and_exit_65() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("api.yaml");
        fs::write(&path, RIGHT.replace("cluster: ${", "clutser: ${")).unwrap();
        let (code, out, err) = validate(&[path.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (65, ""));
        assert!(
            err.contains("5 |   clutser: ${terraform.cluster}\n"),
            "{err}"
        );
        assert!(err.ends_with("2 errors in 1 file\n"), "{err}");
    }

    #[test]
    fn json_and_yaml_are_one_document() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(
            directory.path().join("api.yaml"),
            RIGHT.replace("kind: Service", "kind: Servce"),
        )
        .unwrap();
        let outputs = directory.path().join("other.json");
        fs::write(&outputs, r#"{"cluster": {"value": "prod"}}"#).unwrap();
        let arguments = |format| {
            [
                directory.path().to_str().unwrap(),
                "-o",
                format,
                "--terraform-outputs",
                outputs.to_str().unwrap(),
            ]
        };
        let (code, out, _) = validate(&arguments("json"));
        let document: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code, 65);
        assert_eq!(document["valid"], false);
        assert_eq!(document["diagnostics"][0]["line"], 2);
        assert_eq!(
            document["diagnostics"][0]["help"],
            "did you mean `Service`?"
        );
        let (_, yaml, _) = validate(&arguments("yaml"));
        assert_eq!(serde_yaml::from_str::<Value>(&yaml).unwrap(), document);
    }

    #[test]
    fn what_cannot_be_read_and_what_is_not_there_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let absent = directory.path().join("absent.yaml");
        assert_eq!(validate(&[path]).0, 5);
        let (code, _, err) = validate(&[absent.to_str().unwrap()]);
        assert_eq!(code, 1);
        assert!(
            err.contains("absent.yaml") && err.contains("No such file"),
            "{err}"
        );
        fs::write(directory.path().join("terraform.json"), "{").unwrap();
        let (code, _, err) = validate(&[path]);
        assert_eq!(code, 1);
        assert!(
            err.contains("terraform.json is not the output of `terraform output -json`"),
            "{err}"
        );
    }
}
