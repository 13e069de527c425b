//! Where manifests come from: a directory, or a prefix in S3. Either is read as a whole, with Terraform's outputs and the
//! values file beside it.
//!
//! ```text
//! directory ─┐
//!            ├─→ Texts ─ parse ─→ Reading ─ watch ─→ the daemon, whenever it has changed
//! S3 prefix ─┘
//! ```

mod bucket;
mod directory;
mod push;
mod watch;

use std::{
    convert::Infallible,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

pub use push::{Change, Published, Pushed};
pub use watch::watch;

use crate::{
    aws::{Aws, S3Url, S3UrlError},
    manifest::{self, ManifestSet, Options, References, SourceFile, Values},
};

/// Where manifests are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Files directly in it.
    Directory(PathBuf),
    /// Objects directly below it.
    Bucket(S3Url),
}

impl FromStr for Place {
    type Err = S3UrlError;

    fn from_str(text: &str) -> Result<Self, S3UrlError> {
        if text.starts_with("s3:") {
            return text.parse().map(Self::Bucket);
        }
        let Ok::<_, Infallible>(path) = text.parse();
        Ok(Self::Directory(path))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::Bucket(url) => url.fmt(f),
        }
    }
}

/// Manifests, and what they refer to.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where the manifests are.
    pub place: Place,
    /// The file with `terraform output -json`, instead of the one beside the manifests.
    pub terraform_outputs: Option<PathBuf>,
    /// The values file, instead of the one beside the manifests.
    pub values: Option<PathBuf>,
    /// How strictly they are read.
    pub options: Options,
}

/// What one reading gave: the set, or why there is none, for people. A bad file is not such a reason: it is in the set.
pub type Reading = Result<ManifestSet, String>;

/// A text, and what messages call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// A path or URL.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// What was read.
#[derive(Debug)]
pub struct Texts {
    /// The manifests, by name.
    pub files: Vec<SourceFile>,
    /// Terraform's outputs, if there are any.
    pub terraform: Option<Named>,
    /// The values file, if there is one.
    pub values: Option<Named>,
}

impl Texts {
    /// The set that these texts are. Without outputs or values every reference to one is unknown, rather than left as it
    /// is: what acts must be whole.
    ///
    /// # Errors
    /// Terraform's outputs or the values file are not what they should be.
    pub fn parse(self, options: Options) -> Reading {
        let references = self.references(Some("{}"))?;
        Ok(manifest::parse_set(self.files, &references, options))
    }

    /// What manifests may refer to. `no_outputs` stands in for outputs that are not there.
    ///
    /// # Errors
    /// As for [`Texts::parse`].
    pub fn references(&self, no_outputs: Option<&str>) -> Result<References, String> {
        let outputs = self.terraform.as_ref();
        let text = outputs.map(|outputs| outputs.text.as_str()).or(no_outputs);
        let references = References::new(text, readable(std::env::vars_os())).map_err(|error| {
            let name = outputs.map_or("", |outputs| outputs.name.as_str());
            format!("{name} is {error}")
        })?;
        match &self.values {
            None => Ok(references),
            Some(Named { name, text }) => match Values::parse(name, text) {
                Ok(values) => Ok(references.with_values(values)),
                Err(diagnostics) => {
                    let lines: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
                    Err(lines.join("; "))
                }
            },
        }
    }
}

/// Reads a source, again and again. Of a bucket it remembers what it has fetched.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    aws: Aws,
    fetched: bucket::Fetched,
}

impl Reader {
    /// Nothing is read yet.
    pub fn new(source: Source, aws: Aws) -> Self {
        Self {
            source,
            aws,
            fetched: bucket::Fetched::default(),
        }
    }

    /// Reads once, and parses.
    ///
    /// # Errors
    /// Why the set as a whole cannot be read.
    pub async fn read(&mut self) -> Reading {
        self.texts().await?.parse(self.source.options)
    }

    /// Reads once.
    ///
    /// # Errors
    /// Why the set as a whole cannot be read.
    pub async fn texts(&mut self) -> Result<Texts, String> {
        let source = self.source.clone();
        match &self.source.place {
            Place::Directory(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || directory::texts(&path, &source));
                let read = read.await;
                read.unwrap_or_else(|error| Err(format!("reading the manifests failed: {error}")))
            }
            Place::Bucket(url) => self.fetched.texts(&self.aws, url, &source).await,
        }
    }
}

/// What manifests in a directory refer to, where no other files are named: those beside them.
///
/// # Errors
/// When the outputs or values cannot be read.
pub fn beside(
    directory: &Path,
    terraform_outputs: Option<&Path>,
    values: Option<&Path>,
) -> Result<Texts, String> {
    directory::beside(directory, terraform_outputs, values)
}

impl Source {
    /// The texts of files that were read elsewhere, with what this source's manifests may refer to.
    ///
    /// # Errors
    /// When the outputs or values cannot be read.
    pub async fn beside(&self, aws: &Aws, files: Vec<SourceFile>) -> Result<Texts, String> {
        // A place that is not there has nothing beside it, and need not be there for files that are named.
        let texts = match &self.place {
            Place::Directory(path) => beside(
                path,
                self.terraform_outputs.as_deref(),
                self.values.as_deref(),
            )?,
            Place::Bucket(url) => bucket::Fetched::default().texts(aws, url, self).await?,
        };
        Ok(Texts { files, ..texts })
    }
}

/// The variables that are text; manifests can name no others.
fn readable(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (String, String)> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_variable_that_is_not_text_is_passed_over() {
        let broken = OsString::from_vec(vec![b'a', 0xff]);
        let variables = [
            ("GOOD".into(), "value".into()),
            ("BROKEN".into(), broken.clone()),
            (broken, "value".into()),
        ];
        let readable: Vec<_> = readable(variables.into_iter()).collect();
        assert_eq!(readable, [("GOOD".to_owned(), "value".to_owned())]);
    }

    #[test]
    fn a_place_is_a_directory_or_a_prefix() {
        for text in ["manifests", "/a/b", "s3-manifests"] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place, Place::Directory(text.into()));
        }
        let place: Place = "s3://bucket/manifests".parse().unwrap();
        assert_eq!(place.to_string(), "s3://bucket/manifests");
        assert!("s3://bucket".parse::<Place>().is_err());
    }
}
