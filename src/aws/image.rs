//! What a manifest's image means: a digest, once, and then the same until the manifest changes.

use crate::{
    aws::{Aws, AwsError, Memory, Operation},
    manifest::{self, Manifest},
    observed::{Image, LiveService, Pinned},
    tags,
};

impl Aws {
    /// The image's reference: pinned by the service's own tags while the manifest is the one that was matched, asked of
    /// ECR when it is another or when the tag is tracked, as written for other registries.
    pub(super) async fn image(
        &self,
        manifest: &Manifest,
        service: Option<&LiveService>,
        memory: &mut Memory,
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
        let mut found = self.resolve_tag(image, registry).await?;
        match &mut found {
            Image::Resolved { .. } => {
                memory.image = Some((manifest.digest.clone(), found.clone()));
            }
            Image::Missing { pinned, .. } => *pinned = matched,
            Image::NotUsed => {}
        }
        Ok(found)
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
