//! Images: described, fetched, listed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{CODE, Image, cut};
use crate::core::{
    ApiError, Cloud, Reply,
    error::{fault, invalid},
    input::Input,
    page::with_token,
    time::seconds,
};

/// `filter.tagStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TagStatus {
    Tagged,
    Untagged,
    Any,
}

impl TagStatus {
    fn read(input: &Input<'_>) -> Result<Self, ApiError> {
        let filter = input.object("filter", &["tagStatus"])?;
        let word = filter.map(|f| f.word("tagStatus", &["TAGGED", "UNTAGGED", "ANY"]));
        Ok(match word.transpose()?.flatten() {
            Some("TAGGED") => Self::Tagged,
            Some("UNTAGGED") => Self::Untagged,
            Some(_) | None => Self::Any,
        })
    }
}

impl Cloud {
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
        let (name, repository) = self.repository(&input)?;
        let status = TagStatus::read(&input)?;
        let ids = image_ids(&input)?;
        if !ids.is_empty()
            && (input.value("maxResults").is_some() || input.value("nextToken").is_some())
        {
            return Err(invalid(
                "Invalid parameter: maxResults and nextToken cannot be given together with imageIds.",
            ));
        }
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
                && match status {
                    TagStatus::Tagged => has_tags,
                    TagStatus::Untagged => !has_tags,
                    TagStatus::Any => true,
                }
        });
        let details = all.map(|(digest, image)| {
            let tags = repository.tags_of(digest);
            let mut detail = json!({
                "registryId": self.ids.account,
                "repositoryName": name,
                "imageDigest": digest,
                "imageTags": tags,
                "imageSizeInBytes": image.size,
                "imagePushedAt": seconds(image.pushed),
                "imageManifestMediaType": image.media_type,
                "imageStatus": "ACTIVE",
            });
            if tags.is_empty()
                && let Some(map) = detail.as_object_mut()
            {
                map.shift_remove("imageTags");
            }
            (digest.clone(), detail)
        });
        let (page, next) = cut(&input, details)?;
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
        let (name, repository) = self.repository(&input)?;
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
        let members = [
            "registryId",
            "repositoryName",
            "nextToken",
            "maxResults",
            "filter",
        ];
        let input = Input::new(input, CODE, &members)?;
        let (_, repository) = self.repository(&input)?;
        let wanted = TagStatus::read(&input)?;
        let tagged = repository.tags.iter().map(|(tag, digest)| {
            let id = json!({ "imageDigest": digest, "imageTag": tag });
            (format!("{digest} {tag}"), id)
        });
        let untagged = repository
            .images
            .keys()
            .filter(|digest| repository.tags_of(digest).is_empty())
            .map(|digest| (digest.clone(), json!({ "imageDigest": digest })));
        let ids: BTreeMap<String, Value> = tagged
            .filter(|_| wanted != TagStatus::Untagged)
            .chain(untagged.filter(|_| wanted != TagStatus::Tagged))
            .collect();
        let (page, next) = cut(&input, ids)?;
        Ok(with_token(json!({ "imageIds": page }), next))
    }
}

pub(super) type ImageId<'a> = (Option<&'a str>, Option<&'a str>);

pub(super) fn image_ids<'a>(input: &Input<'a>) -> Result<Vec<ImageId<'a>>, ApiError> {
    let ids = input.objects("imageIds", &["imageTag", "imageDigest"])?;
    if ids.len() > 100 {
        return Err(invalid("At most 100 imageIds can be given."));
    }
    ids.iter()
        .map(|id| Ok((id.text("imageTag")?, id.text("imageDigest")?)))
        .collect()
}

pub(super) fn image_id(tag: Option<&str>, digest: Option<&str>) -> Value {
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

pub(super) fn image_view(
    account: &str,
    name: &str,
    digest: &str,
    tag: Option<&str>,
    image: &Image,
) -> Value {
    json!({
        "registryId": account,
        "repositoryName": name,
        "imageId": image_id(tag, Some(digest)),
        "imageManifest": image.manifest,
        "imageManifestMediaType": image.media_type,
    })
}
