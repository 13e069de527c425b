//! Putting manifests where a daemon reads them.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use serde::Serialize;
use similar::TextDiff;

use super::{
    Named, Place, Source, Texts,
    bucket::{Fetched, MAX_OBJECTS, shown},
};
use crate::{
    aws::{Aws, AwsError, OnlyIf, Put, S3Url},
    manifest::{self, FileError, Options, SourceFile, VALUES},
};

/// How many lines are shown around a changed one.
const AROUND: usize = 1;

/// What a prefix in S3 holds at the moment.
#[derive(Debug)]
pub struct Published {
    prefix: S3Url,
    fetched: Fetched,
    files: Vec<SourceFile>,
    /// Terraform's outputs beside the manifests.
    pub terraform: Option<Named>,
    /// The values file beside them.
    pub values: Option<Named>,
}

/// What pushing does to one object.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// The file's name, below the prefix.
    pub name: String,
    /// What happens to it.
    pub change: Pushed,
    /// The lines that change, as a unified diff.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub diff: String,
    /// The ETag of what is there now.
    #[serde(skip)]
    etag: Option<String>,
    /// The new content; `None` where there is none.
    #[serde(skip)]
    content: Option<String>,
}

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pushed {
    /// It is not there yet.
    New,
    /// It is there with another content.
    Changed,
    /// It is there as it is.
    Unchanged,
    /// It is there and nowhere else, and stays.
    Kept,
    /// It is there and nowhere else, and goes.
    Deleted,
}

impl fmt::Display for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Kept => "kept",
            Self::Deleted => "deleted",
        })
    }
}

impl Published {
    /// Reads it.
    ///
    /// # Errors
    /// When it cannot be read as a whole.
    pub async fn read(aws: &Aws, prefix: &S3Url) -> Result<Self, String> {
        let source = Source {
            place: Place::Bucket(prefix.clone()),
            terraform_outputs: None,
            values: None,
            options: Options::default(),
        };
        let mut fetched = Fetched::default();
        let texts = fetched.texts(aws, prefix, &source).await?;
        Ok(Self {
            prefix: prefix.clone(),
            fetched,
            files: texts.files,
            terraform: texts.terraform,
            values: texts.values,
        })
    }

    /// What is there now, with these outputs for its references.
    pub fn now(&self, terraform: Option<&Named>) -> Texts {
        let copy = |file: &SourceFile| SourceFile {
            name: file.name.clone(),
            text: match &file.text {
                Ok(text) => Ok(text.clone()),
                Err(error) => Err(FileError::Refused(error.to_string())),
            },
        };
        Texts {
            files: self.files.iter().map(copy).collect(),
            terraform: terraform.cloned(),
            values: self.values.clone(),
        }
    }

    /// What pushing these files changes: what is written first, values before the manifests that need them, then what
    /// goes. What is there and not among the files goes only with `delete`.
    pub fn changes(&self, files: &BTreeMap<String, String>, delete: bool) -> Vec<Change> {
        let mut changes: Vec<_> = files
            .iter()
            .map(|(name, text)| self.change(name, text))
            .collect();
        let is_ours = |name: &str| manifest::is_manifest(name) || name == VALUES;
        for entry in self.fetched.listed() {
            if is_ours(&entry.name) && !files.contains_key(&entry.name) {
                changes.push(Change {
                    change: if delete {
                        Pushed::Deleted
                    } else {
                        Pushed::Kept
                    },
                    name: entry.name.clone(),
                    diff: String::new(),
                    etag: Some(entry.etag.clone()),
                    content: None,
                });
            }
        }
        changes.sort_by_key(|one| (one.content.is_none(), one.name != VALUES, one.name.clone()));
        changes
    }

    fn change(&self, name: &str, text: &str) -> Change {
        let mut listed = self.fetched.listed().iter();
        let entry = listed.find(|entry| entry.name == name);
        // What is too large to be fetched is there all the same.
        let before = self.fetched.get(name);
        let before = before.map(|bytes| String::from_utf8_lossy(bytes));
        let change = match (entry, &before) {
            (None, _) => Pushed::New,
            (Some(_), Some(before)) if before == text => Pushed::Unchanged,
            (Some(_), _) => Pushed::Changed,
        };
        let diff = match (&before, change) {
            (Some(before), Pushed::Changed) => {
                let diff = TextDiff::from_lines(before.as_ref(), text);
                diff.unified_diff().context_radius(AROUND).to_string()
            }
            _ => String::new(),
        };
        Change {
            name: name.to_owned(),
            change,
            diff,
            etag: entry.map(|entry| entry.etag.clone()),
            content: Some(text.to_owned()),
        }
    }

    /// The files that pushing leaves as they are there.
    pub fn kept(&self, changes: &[Change]) -> Vec<SourceFile> {
        let kept = changes.iter().filter(|one| one.change == Pushed::Kept);
        let kept: Vec<_> = kept
            .map(|one| self.prefix.beside(&shown(&one.name)).to_string())
            .collect();
        let mut files = self.now(None).files;
        files.retain(|file| kept.contains(&file.name));
        files
    }

    /// Carries out one change. `false` when somebody else has changed the object since it was read.
    ///
    /// # Errors
    /// As S3 says.
    pub async fn carry_out(&self, aws: &Aws, change: &Change) -> Result<bool, AwsError> {
        let url = self.prefix.beside(&change.name);
        let only_if = match &change.etag {
            Some(etag) => OnlyIf::Is(etag),
            None => OnlyIf::Absent,
        };
        match (change.change, &change.content) {
            (Pushed::Deleted, _) => {
                // By a listing: what is there may be of any size.
                let listed = aws.list_objects(&self.prefix, MAX_OBJECTS).await?;
                let there = listed.iter().find(|entry| entry.name == change.name);
                match there {
                    Some(entry) if Some(&entry.etag) != change.etag.as_ref() => Ok(false),
                    Some(_) => aws.delete_object(&url).await.map(|()| true),
                    None => Ok(true),
                }
            }
            (Pushed::New | Pushed::Changed, Some(text)) => {
                let bytes = Bytes::from(text.clone());
                let put = aws.put_object(&url, "application/yaml", bytes, only_if);
                Ok(put.await? != Put::Refused)
            }
            (Pushed::Unchanged | Pushed::Kept | Pushed::New | Pushed::Changed, _) => Ok(true),
        }
    }
}
