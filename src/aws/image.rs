//! What a manifest's image means: a digest, once, and then the same until the manifest changes.

use crate::{
    aws::{Ahead, Aws, AwsError, Memory, Operation},
    document,
    manifest::{self, Manifest},
    observed::{Image, LiveService, Pinned, Revision},
    tags,
};

impl Aws {
    /// The image's reference: pinned by the service's own tags while the manifest is the one that was matched, asked of
    /// ECR when it is another or when the tag is tracked, as written for other registries.
    pub(super) async fn image(
        &self,
        manifest: &Manifest,
        service: Option<&LiveService>,
        definition: Option<&Revision>,
        memory: &mut Memory,
        ahead: &mut Ahead,
    ) -> Result<Image, AwsError> {
        let Some(image) = &manifest.image else {
            return Ok(Image::NotUsed);
        };
        let Some(registry) = ecr_account(&image.repository) else {
            return Ok(Image::Resolved {
                reference: format!("{}:{}", image.repository, image.tag),
                digest: None,
            });
        };
        let live_tags = service.map(LiveService::tags).unwrap_or_default();
        let matched = live_tags
            .get(tags::IMAGE)
            .filter(|_| live_tags.get(tags::APPLIED) == Some(&manifest.digest))
            .map(|digest| pinned(&image.repository, digest));
        if !image.track {
            if let Some(matched) = matched {
                return Ok(resolved(matched));
            }
            if let Some((digest, known)) = &memory.image
                && *digest == manifest.digest
            {
                return Ok(known.clone());
            }
        }
        let mut found = match ahead.image.take() {
            Some(found) => found?,
            None => self.resolve_tag(image, registry).await?,
        };
        match &mut found {
            Image::Resolved { .. } => {
                memory.image = Some((manifest.digest.clone(), found.clone()));
            }
            Image::Missing { pinned, .. } => {
                *pinned = match (matched, definition.and_then(|live| run_by(live, image))) {
                    (None, Some(running)) => self.if_there(image, running).await?,
                    (matched, _) => matched,
                }
            }
            Image::NotUsed => {}
        }
        Ok(found)
    }

    /// What the tag of a manifest's image means at present; `None` where nobody can be asked.
    pub(super) async fn image_of_tag(
        &self,
        manifest: &Manifest,
    ) -> Option<Result<Image, AwsError>> {
        let image = manifest.image.as_ref()?;
        let registry = ecr_account(&image.repository)?;
        Some(self.resolve_tag(image, registry).await)
    }

    /// What ECR still has, though its tag is gone.
    async fn if_there(
        &self,
        image: &manifest::Image,
        pinned: Pinned,
    ) -> Result<Option<Pinned>, AwsError> {
        let found = self.ecr_image(&image.repository, &pinned.digest).await?;
        Ok(found.map(|_| pinned))
    }

    async fn resolve_tag(
        &self,
        image: &manifest::Image,
        registry: &str,
    ) -> Result<Image, AwsError> {
        let name = image
            .repository
            .split_once('/')
            .map_or(image.repository.as_str(), |(_, name)| name);
        let id = aws_sdk_ecr::types::ImageIdentifier::builder()
            .image_tag(&image.tag)
            .build();
        let request = self
            .clients
            .ecr
            .describe_images()
            .registry_id(registry)
            .repository_name(name)
            .image_ids(id);
        match self.call(Operation::DESCRIBE_IMAGES, request.send()).await {
            Ok(found) => match found
                .image_details()
                .first()
                .and_then(|detail| detail.image_digest())
            {
                Some(digest) => Ok(resolved(pinned(&image.repository, digest))),
                None => Ok(missing(image, "ECR names no digest for it")),
            },
            Err(error) if error.code == "ImageNotFoundException" => Ok(missing(
                image,
                "the repository has no such tag; push it or correct spec.image.tag",
            )),
            Err(error) if error.code == "RepositoryNotFoundException" => Ok(missing(
                image,
                "there is no such repository; create it or correct spec.image.repository",
            )),
            Err(error) => Err(error),
        }
    }
}

/// What the service runs by this very tag: the manifest was edited, and the tag was not.
fn run_by(live: &Revision, image: &manifest::Image) -> Option<Pinned> {
    if live.tags.get(tags::IMAGE_TAG) != Some(&image.tag) {
        return None;
    }
    document::objects(&live.document, "containerDefinitions")
        .filter_map(|container| document::text(container, "image").split_once('@'))
        .find(|(repository, _)| *repository == image.repository)
        .map(|(repository, digest)| pinned(repository, digest))
}

fn pinned(repository: &str, digest: &str) -> Pinned {
    Pinned {
        reference: format!("{repository}@{digest}"),
        digest: digest.to_owned(),
    }
}

fn resolved(pinned: Pinned) -> Image {
    Image::Resolved {
        reference: pinned.reference,
        digest: Some(pinned.digest),
    }
}

fn missing(image: &manifest::Image, why: &str) -> Image {
    Image::Missing {
        problem: format!("image {}:{}: {why}", image.repository, image.tag),
        pinned: None,
    }
}

/// The account of a repository of ECR: `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME`.
pub(super) fn ecr_account(repository: &str) -> Option<&str> {
    let (host, _) = repository.split_once('/')?;
    let (account, rest) = host.split_once(".dkr.ecr.")?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (is_account && rest.contains(".amazonaws.com")).then_some(account)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn what_runs_stands_for_a_tag_only_by_its_name_and_repository() {
        let repository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/api";
        let live = |image: String| Revision {
            document: json!({"containerDefinitions": [{"image": "nginx"}, {"image": image}]})
                .as_object()
                .unwrap()
                .clone(),
            tags: BTreeMap::from([(tags::IMAGE_TAG.to_owned(), "1.0.0".to_owned())]),
        };
        let image = |tag: &str| manifest::Image {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            track: false,
        };
        let ours = live(format!("{repository}@sha256:1"));
        let running = run_by(&ours, &image("1.0.0")).unwrap();
        assert_eq!(running, pinned(repository, "sha256:1"));
        assert_eq!(run_by(&ours, &image("2.0.0")), None);
        let other = live(format!("{repository}-other@sha256:1"));
        assert_eq!(run_by(&other, &image("1.0.0")), None);
    }
}
