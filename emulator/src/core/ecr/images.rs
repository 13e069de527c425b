//! Images: pushed and deleted.

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    CODE, Image, Repository,
    image_reads::{image_id, image_ids, image_view},
    manifest::Manifest,
};
use crate::core::{
    ApiError, Cloud, Reply,
    error::{fault, invalid, limit},
    input::Input,
};

const IMAGES: usize = 10_000;

impl Cloud {
    pub(super) fn put_image(&mut self, input: &Value, now: Timestamp) -> Result<Reply, ApiError> {
        let members = [
            "registryId",
            "repositoryName",
            "imageManifest",
            "imageManifestMediaType",
            "imageTag",
            "imageDigest",
        ];
        let input = Input::new(input, CODE, &members)?;
        let account = self.ids.account.clone();
        let text = input.need("imageManifest")?;
        let manifest = Manifest::parse(text, input.text("imageManifestMediaType")?)?;
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes())));
        if let Some(claimed) = input.text("imageDigest")?
            && claimed != digest
        {
            return Err(fault(
                "ImageDigestDoesNotMatchException",
                format!("The image's digest is {digest}, not {claimed}."),
            ));
        }
        let tag = input.text("imageTag")?;
        let (name, repository) = self.repository_mut(&input)?;
        repository.check_layers(name, &account, &manifest.layers)?;
        if repository.images.len() >= IMAGES {
            return Err(limit(
                "The emulator holds at most 10000 images per repository.",
            ));
        }
        repository.check_push(name, &account, tag, &digest)?;
        if let Some(tag) = tag {
            repository.tags.insert(tag.to_owned(), digest.clone());
        }
        let image = repository.images.entry(digest.clone()).or_insert(Image {
            manifest: text.to_owned(),
            media_type: manifest.media_type,
            content: manifest.content,
            size: manifest.size.saturating_add(text.len() as u64),
            pushed: now,
        });
        Ok(json!({ "image": image_view(&account, name, &digest, tag, image) }))
    }

    pub(super) fn batch_delete_image(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["registryId", "repositoryName", "imageIds"];
        let input = Input::new(input, CODE, &members)?;
        let ids = image_ids(&input)?;
        if ids.is_empty() {
            return Err(invalid("imageIds must have 1 to 100 elements."));
        }
        let (_, repository) = self.repository_mut(&input)?;
        let (mut deleted, mut failures) = (Vec::new(), Vec::new());
        for (tag, digest) in ids {
            match repository.delete_image(tag, digest) {
                Ok(ids) => deleted.extend(ids),
                Err((code, reason)) => failures.push(json!({
                    "imageId": image_id(tag, digest),
                    "failureCode": code,
                    "failureReason": reason,
                })),
            }
        }
        Ok(json!({ "imageIds": deleted, "failures": failures }))
    }
}

impl Repository {
    fn check_layers(&self, name: &str, account: &str, layers: &[String]) -> Result<(), ApiError> {
        let missing: Vec<&str> = layers
            .iter()
            .filter(|digest| !self.layers.contains(digest))
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(fault(
            "LayersNotFoundException",
            format!(
                "Layers with digests '[{}]' required for pushing image into repository with name '{name}' in the registry with id '{account}' do not exist",
                missing.join(", ")
            ),
        ))
    }

    /// Whether a manifest and a tag are new, and the tag may move.
    fn check_push(
        &self,
        name: &str,
        account: &str,
        tag: Option<&str>,
        digest: &str,
    ) -> Result<(), ApiError> {
        if let Some(tag) = tag {
            check_tag(tag)?;
        }
        let tagged = tag.and_then(|tag| self.tags.get(tag));
        let pushed = match (tag, tagged) {
            (Some(_), tagged) => tagged.is_some_and(|tagged| tagged == digest),
            (None, _) => self.images.contains_key(digest),
        };
        let and_tag = tag
            .map(|tag| format!(" and tag '{tag}'"))
            .unwrap_or_default();
        if pushed {
            return Err(fault(
                "ImageAlreadyExistsException",
                format!(
                    "Image with digest '{digest}'{and_tag} already exists in the repository with name '{name}' in registry with id '{account}'"
                ),
            ));
        }
        if let (Some(tag), Some(_), true) = (tag, tagged, self.immutable) {
            return Err(fault(
                "ImageTagAlreadyExistsException",
                format!(
                    "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the repository is immutable."
                ),
            ));
        }
        Ok(())
    }

    /// A tag goes alone, unless it is the image's last; a digest takes all its tags along. What went, or a failure's
    /// code and reason. Source: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html>
    fn delete_image(
        &mut self,
        tag: Option<&str>,
        digest: Option<&str>,
    ) -> Result<Vec<Value>, (&'static str, &'static str)> {
        if tag.is_none() && digest.is_none() {
            let reason = "Invalid request parameters: both tag and digest cannot be null";
            return Err(("MissingDigestAndTag", reason));
        }
        let found = self.digest(tag, digest).map(str::to_owned);
        let found = found.ok_or(("ImageNotFound", "Requested image not found"))?;
        if tag.is_some_and(|tag| self.tags.get(tag) != Some(&found)) {
            let reason = "Tag does not match digest";
            return Err(("ImageTagDoesNotMatchDigest", reason));
        }
        let all = tag.is_none() || self.tags_of(&found).len() == 1;
        let tags: Vec<String> = match tag {
            Some(tag) => vec![tag.to_owned()],
            None => self
                .tags_of(&found)
                .into_iter()
                .map(str::to_owned)
                .collect(),
        };
        for tag in &tags {
            self.tags.remove(tag);
        }
        if all {
            self.images.remove(&found);
        }
        if tags.is_empty() {
            return Ok(vec![image_id(None, Some(&found))]);
        }
        let ids = tags.iter().map(|tag| image_id(Some(tag), Some(&found)));
        Ok(ids.collect())
    }
}

fn check_tag(tag: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if tag.is_empty() || tag.len() > 300 || tag.starts_with(['-', '.']) || !tag.chars().all(allowed)
    {
        return Err(invalid(
            "Invalid parameter at 'imageTag' failed to satisfy constraint: 1 to 300 of A-Z a-z 0-9 - _ . and no - or . first",
        ));
    }
    Ok(())
}
