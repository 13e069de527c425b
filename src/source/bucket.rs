//! Manifests in S3: one listing a look, and only what has changed is fetched.

use std::{collections::HashMap, path::Path};

use bytes::Bytes;

use super::{Named, Source, Texts, directory};
use crate::{
    aws::{Aws, AwsError, Class, Entry, S3Url, is_plain},
    manifest::{self, FileError, MAX_BYTES, MAX_FILES, OUTPUTS, SourceFile, VALUES},
};

/// The most objects directly below the prefix, manifests or not.
pub(super) const MAX_OBJECTS: usize = 2 * MAX_FILES;

/// What was fetched, by name, with its ETag. It holds nothing that the last listing did not name.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    objects: HashMap<String, (String, Bytes)>,
    listed: Vec<Entry>,
}

impl Fetched {
    /// Looks once. A listing that is not whole, and an object that S3 fails to hand out, are no reading at all.
    pub(super) async fn texts(
        &mut self,
        aws: &Aws,
        prefix: &S3Url,
        source: &Source,
    ) -> Result<Texts, String> {
        let said = |error: AwsError| format!("{prefix}: {error}");
        let listed = aws.list_objects(prefix, MAX_OBJECTS).await.map_err(said)?;
        self.objects
            .retain(|name, _| listed.iter().any(|entry| entry.name == *name));
        let manifests: Vec<_> = listed
            .iter()
            .filter(|entry| manifest::is_manifest(&entry.name))
            .collect();
        if manifests.len() > MAX_FILES {
            return Err(format!("{prefix} has more than {MAX_FILES} manifests"));
        }
        let mut files = Vec::new();
        for entry in manifests {
            files.push(SourceFile {
                name: prefix.beside(&shown(&entry.name)).to_string(),
                text: self.text(aws, prefix, entry).await.map_err(said)?,
            });
        }
        let mut beside = async |name: &str, named: Option<&Path>| match named {
            Some(path) => directory::read(path).map(Some),
            None => {
                let Some(entry) = listed.iter().find(|entry| entry.name == name) else {
                    return Ok(None);
                };
                let name = prefix.beside(name).to_string();
                match self.text(aws, prefix, entry).await.map_err(said)? {
                    Ok(text) => Ok(Some(Named { name, text })),
                    Err(error) => Err(format!("{name} {error}")),
                }
            }
        };
        let texts = Texts {
            files,
            terraform: beside(OUTPUTS, source.terraform_outputs.as_deref()).await?,
            values: beside(VALUES, source.values.as_deref()).await?,
        };
        self.listed = listed;
        Ok(texts)
    }

    /// What the last listing named.
    pub(super) fn listed(&self) -> &[Entry] {
        &self.listed
    }

    /// The content of what was fetched last under this name.
    pub(super) fn get(&self, name: &str) -> Option<&Bytes> {
        self.objects.get(name).map(|(_, bytes)| bytes)
    }

    /// One object's text, or what is wrong with that object alone.
    async fn text(
        &mut self,
        aws: &Aws,
        prefix: &S3Url,
        entry: &Entry,
    ) -> Result<Result<String, FileError>, AwsError> {
        if !is_plain(&entry.name) {
            return Ok(Err(FileError::BadName));
        }
        if entry.size > MAX_BYTES as u64 {
            return Ok(Err(FileError::TooLarge { size: entry.size }));
        }
        let known = self.objects.get(&entry.name);
        let bytes = match known.filter(|(etag, _)| *etag == entry.etag) {
            Some((_, bytes)) => bytes.clone(),
            None => match aws.get_object(&prefix.beside(&entry.name), MAX_BYTES).await {
                Ok(Some(object)) => {
                    let kept = (object.etag, object.bytes.clone());
                    self.objects.insert(entry.name.clone(), kept);
                    object.bytes
                }
                Ok(None) => {
                    return Err(AwsError {
                        operation: "s3:GetObject".to_owned(),
                        class: Class::Transient,
                        code: "NoSuchKey".to_owned(),
                        message: format!("{} is listed, and is gone", entry.name),
                    });
                }
                Err(error) => match error.class {
                    Class::Throttled | Class::Transient | Class::Unreachable => return Err(error),
                    Class::Denied | Class::NotFound | Class::Invalid => {
                        return Ok(Err(FileError::Refused(error.to_string())));
                    }
                },
            },
        };
        Ok(manifest::text_of(bytes.to_vec()))
    }
}

/// A name as a terminal may show it.
pub(super) fn shown(name: &str) -> String {
    name.escape_debug().to_string()
}
