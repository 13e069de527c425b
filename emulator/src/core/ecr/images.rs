//! Images: pushed, described, fetched, listed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{CODE, Image, PAGING, missing_repository};
use crate::core::{
    ApiError, Cloud, LocalImage, Reply,
    error::{fault, invalid, limit},
    input::Input,
    page::with_token,
    time::seconds,
};

const IMAGES: usize = 10_000;
const MANIFEST_BYTES: usize = 64 * 1024;

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
        let manifest = input.need("imageManifest")?;
        let content = parse(manifest, input.text("imageManifestMediaType")?)?;
        let digest = format!(
            "sha256:{}",
            hex::encode(Sha256::digest(manifest.as_bytes()))
        );
        if let Some(claimed) = input.text("imageDigest")?
            && claimed != digest
        {
            return Err(fault(
                "ImageDigestDoesNotMatchException",
                format!("The image's digest is {digest}, not {claimed}."),
            ));
        }
        let tag = input.text("imageTag")?;
        let name = input.need("repositoryName")?;
        let repository = self
            .ecr
            .repositories
            .get_mut(name)
            .ok_or_else(|| missing_repository(&account, name))?;
        if repository.images.len() >= IMAGES {
            return Err(limit(
                "The emulator holds at most 10000 images per repository.",
            ));
        }
        if let Some(tag) = tag {
            check_tag(tag)?;
            match repository.tags.get(tag) {
                Some(tagged) if *tagged == digest => {
                    return Err(fault(
                        "ImageAlreadyExistsException",
                        format!(
                            "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{name}' in registry with id '{account}'"
                        ),
                    ));
                }
                Some(_) if repository.immutable => {
                    return Err(fault(
                        "ImageTagAlreadyExistsException",
                        format!(
                            "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the repository is immutable."
                        ),
                    ));
                }
                Some(_) | None => {
                    repository.tags.insert(tag.to_owned(), digest.clone());
                }
            }
        }
        repository.images.entry(digest.clone()).or_insert(Image {
            manifest: manifest.to_owned(),
            content,
            pushed: now,
        });
        let image = repository.images.get(&digest);
        Ok(json!({ "image": image.map(|image| image_view(&account, name, &digest, tag, image)) }))
    }

    pub(super) fn describe_images(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "registryId",
            "repositoryName",
            "imageIds",
            "nextToken",
            "maxResults",
            "filter",
        ];
        let input = Input::new(input, CODE, &members)?;
        let (name, repository) = self.ecr.repository(&self.ids.account, &input)?;
        let status = input.object("filter", &["tagStatus"])?;
        let tagged = match &status {
            Some(filter) => filter.word("tagStatus", &["TAGGED", "UNTAGGED", "ANY"])?,
            None => None,
        };
        let ids = image_ids(&input)?;
        let mut wanted = BTreeSet::new();
        for (tag, digest) in &ids {
            let found = repository.digest(*tag, *digest).ok_or_else(|| {
                fault(
                    "ImageNotFoundException",
                    format!(
                        "The image with imageId {} does not exist within the repository with name '{name}' in the registry with id '{}'",
                        image_id_text(*tag, *digest),
                        self.ids.account
                    ),
                )
            })?;
            wanted.insert(found);
        }
        let all = repository.images.iter().filter(|(digest, _)| {
            let has_tags = !repository.tags_of(digest).is_empty();
            (ids.is_empty() || wanted.contains(digest.as_str()))
                && match tagged {
                    Some("TAGGED") => has_tags,
                    Some("UNTAGGED") => !has_tags,
                    Some(_) | None => true,
                }
        });
        let details = all.map(|(digest, image)| {
            let tags = repository.tags_of(digest);
            let mut detail = json!({
                "registryId": self.ids.account,
                "repositoryName": name,
                "imageDigest": digest,
                "imageTags": tags,
                "imageSizeInBytes": image.manifest.len(),
                "imagePushedAt": seconds(image.pushed),
                "imageManifestMediaType": LocalImage::MEDIA_TYPE,
                "imageStatus": "ACTIVE",
            });
            if tags.is_empty()
                && let Some(map) = detail.as_object_mut()
            {
                map.shift_remove("imageTags");
            }
            (digest.clone(), detail)
        });
        let (page, next) = PAGING.cut(&input, details)?;
        Ok(with_token(json!({ "imageDetails": page }), next))
    }

    pub(super) fn batch_get_image(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "registryId",
            "repositoryName",
            "imageIds",
            "acceptedMediaTypes",
        ];
        let input = Input::new(input, CODE, &members)?;
        let (name, repository) = self.ecr.repository(&self.ids.account, &input)?;
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for (tag, digest) in image_ids(&input)? {
            let found = repository
                .digest(tag, digest)
                .and_then(|digest| repository.images.get_key_value(digest));
            match found {
                Some((digest, image)) => {
                    images.push(image_view(&self.ids.account, name, digest, tag, image));
                }
                None => failures.push(json!({
                    "imageId": image_id(tag, digest),
                    "failureCode": "ImageNotFound",
                    "failureReason": "Requested image not found",
                })),
            }
        }
        Ok(json!({ "images": images, "failures": failures }))
    }

    pub(super) fn list_images(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["registryId", "repositoryName", "nextToken", "maxResults"];
        let input = Input::new(input, CODE, &members)?;
        let (_, repository) = self.ecr.repository(&self.ids.account, &input)?;
        let tagged = repository.tags.iter().map(|(tag, digest)| {
            let id = json!({ "imageDigest": digest, "imageTag": tag });
            (format!("{digest} {tag}"), id)
        });
        let untagged = repository
            .images
            .keys()
            .filter(|digest| repository.tags_of(digest).is_empty())
            .map(|digest| (digest.clone(), json!({ "imageDigest": digest })));
        let ids: BTreeMap<String, Value> = tagged.chain(untagged).collect();
        let (page, next) = PAGING.cut(&input, ids)?;
        Ok(with_token(json!({ "imageIds": page }), next))
    }
}

type ImageId<'a> = (Option<&'a str>, Option<&'a str>);

fn image_ids<'a>(input: &Input<'a>) -> Result<Vec<ImageId<'a>>, ApiError> {
    let ids = input.objects("imageIds", &["imageTag", "imageDigest"])?;
    if ids.len() > 100 {
        return Err(invalid("At most 100 imageIds can be given."));
    }
    ids.iter()
        .map(|id| Ok((id.text("imageTag")?, id.text("imageDigest")?)))
        .collect()
}

fn image_id(tag: Option<&str>, digest: Option<&str>) -> Value {
    let mut id = serde_json::Map::new();
    for (key, value) in [("imageDigest", digest), ("imageTag", tag)] {
        if let Some(value) = value {
            id.insert(key.to_owned(), Value::from(value));
        }
    }
    Value::Object(id)
}

fn image_id_text(tag: Option<&str>, digest: Option<&str>) -> String {
    format!(
        "{{imageDigest:'{}', imageTag:'{}'}}",
        digest.unwrap_or("null"),
        tag.unwrap_or("null")
    )
}

fn image_view(account: &str, name: &str, digest: &str, tag: Option<&str>, image: &Image) -> Value {
    json!({
        "registryId": account,
        "repositoryName": name,
        "imageId": image_id(tag, Some(digest)),
        "imageManifest": image.manifest,
        "imageManifestMediaType": LocalImage::MEDIA_TYPE,
    })
}

/// The manifest's content, when it is one that can be run here.
fn parse(manifest: &str, media_type: Option<&str>) -> Result<LocalImage, ApiError> {
    let bad = |what: String| {
        invalid(format!(
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: {what}"
        ))
    };
    if manifest.len() > MANIFEST_BYTES {
        return Err(bad(format!("at most {MANIFEST_BYTES} bytes")));
    }
    // The parser's own message would quote the text, which may hold an environment with secrets.
    let content: LocalImage = serde_json::from_str(manifest)
        .map_err(|error| bad(format!("not a local image (line {})", error.line())))?;
    let expected = LocalImage::MEDIA_TYPE;
    if content.media_type != expected || media_type.is_some_and(|given| given != expected) {
        return Err(bad(format!(
            "the emulator runs only images of media type {expected}"
        )));
    }
    if content.schema_version != 2 {
        return Err(bad("schemaVersion must be 2".to_owned()));
    }
    let digest = content.executable.strip_prefix("sha256:");
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if !digest.is_some_and(|digest| digest.len() == 64 && digest.chars().all(hex)) {
        return Err(bad("executable must be sha256:<64 hex digits>".to_owned()));
    }
    Ok(content)
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
