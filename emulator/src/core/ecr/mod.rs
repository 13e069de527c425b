//! ECR: repositories and images. An image is the manifest of an executable on this machine; images of layers can be
//! pushed too, but nothing here can run them.

mod authorization;
mod image_reads;
mod images;
mod layers;
mod manifest;
mod repositories;
mod repository_tags;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    ApiError, Call, Cloud, LocalImage, Reply,
    error::{fault, invalid},
    input::Input,
    page::{Page, Paging},
};
use layers::Layers;

const CODE: &str = "InvalidParameterException";
const PAGING: Paging = Paging {
    token: "nextToken",
    limit: "maxResults",
    default: 100,
    max: 1_000,
};

/// The registry's repositories by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ecr {
    repositories: BTreeMap<String, Repository>,
}

#[derive(Debug, Clone)]
struct Repository {
    created: Timestamp,
    immutable: bool,
    scan_on_push: bool,
    /// Of the repository itself.
    labels: BTreeMap<String, String>,
    /// By digest.
    images: BTreeMap<String, Image>,
    /// Digests by tag.
    tags: BTreeMap<String, String>,
    layers: Layers,
}

#[derive(Debug, Clone)]
struct Image {
    manifest: String,
    media_type: String,
    content: Content,
    /// In bytes.
    size: u64,
    pushed: Timestamp,
}

/// What an image is made of.
#[derive(Debug, Clone)]
enum Content {
    Executable(LocalImage),
    /// Of a container's layers.
    Layers,
}

/// What a reference to an image leads to.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// Its digest and itself.
    Runnable(String, LocalImage),
    /// It is there, but not for this machine.
    Foreign,
    Missing,
}

impl Repository {
    /// The digest that an `imageId` or the end of a reference names.
    fn digest(&self, tag: Option<&str>, digest: Option<&str>) -> Option<&str> {
        match (tag, digest) {
            (_, Some(digest)) => self.images.get_key_value(digest).map(|(key, _)| key),
            (Some(tag), None) => self.tags.get(tag),
            (None, None) => None,
        }
        .map(String::as_str)
    }

    fn tags_of(&self, digest: &str) -> BTreeSet<&str> {
        self.tags
            .iter()
            .filter(|(_, tagged)| *tagged == digest)
            .map(|(tag, _)| tag.as_str())
            .collect()
    }
}

impl Ecr {
    /// The image that a path, a tag and a digest name.
    pub(crate) fn find(&self, repository: &str, tag: Option<&str>, digest: Option<&str>) -> Found {
        let found = self.repositories.get(repository).and_then(|repository| {
            let digest = repository.digest(tag, digest)?;
            Some((digest, &repository.images.get(digest)?.content))
        });
        match found {
            Some((digest, Content::Executable(image))) => {
                Found::Runnable(digest.to_owned(), image.clone())
            }
            Some((_, Content::Layers)) => Found::Foreign,
            None => Found::Missing,
        }
    }
}

impl Cloud {
    pub(super) fn ecr(&mut self, call: &Call, now: Timestamp) -> Result<Reply, ApiError> {
        let input = &call.input;
        match call.operation.as_str() {
            "CreateRepository" => self.create_repository(input, now),
            "DescribeRepositories" => self.describe_repositories(input),
            "DeleteRepository" => self.delete_repository(input),
            "PutImageTagMutability" => self.put_image_tag_mutability(input),
            "TagResource" => self.tag_repository(input),
            "UntagResource" => self.untag_repository(input),
            "ListTagsForResource" => self.list_repository_tags(input),
            "GetAuthorizationToken" => self.authorization_token(input, now),
            "BatchCheckLayerAvailability" => self.batch_check_layers(input),
            "InitiateLayerUpload" => self.initiate_layer_upload(input),
            "UploadLayerPart" => self.upload_layer_part(input),
            "CompleteLayerUpload" => self.complete_layer_upload(input),
            "PutImage" => self.put_image(input, now),
            "DescribeImages" => self.describe_images(input),
            "BatchGetImage" => self.batch_get_image(input),
            "BatchDeleteImage" => self.batch_delete_image(input),
            "ListImages" => self.list_images(input),
            other => Err(fault("UnknownOperationException", other)),
        }
    }

    /// The repository that an input names, with its name.
    fn repository(&self, input: &Input<'_>) -> Result<(&str, &Repository), ApiError> {
        let name = self.known_name(input)?;
        let found = self.ecr.repositories.get_key_value(name);
        found
            .map(|(name, repository)| (name.as_str(), repository))
            .ok_or_else(|| missing_repository(&self.ids.account, name))
    }

    fn repository_mut<'a>(
        &mut self,
        input: &Input<'a>,
    ) -> Result<(&'a str, &mut Repository), ApiError> {
        let name = self.known_name(input)?;
        let found = self.ecr.repositories.get_mut(name);
        found
            .map(|repository| (name, repository))
            .ok_or_else(|| missing_repository(&self.ids.account, name))
    }

    /// The input's `repositoryName`, of this registry.
    fn known_name<'a>(&self, input: &Input<'a>) -> Result<&'a str, ApiError> {
        let name = input.need("repositoryName")?;
        match input.text("registryId")? {
            Some(other) if other != self.ids.account => Err(missing_repository(other, name)),
            Some(_) | None => Ok(name),
        }
    }

    /// The registry's host.
    pub(crate) fn registry(&self) -> String {
        format!(
            "{}.dkr.ecr.{}.amazonaws.com",
            self.ids.account, self.ids.region
        )
    }
}

fn missing_repository(account: &str, name: &str) -> ApiError {
    fault(
        "RepositoryNotFoundException",
        format!(
            "The repository with name '{name}' does not exist in the registry with id '{account}'"
        ),
    )
}

/// A page of a list; `maxResults` out of its bounds is an error in ECR's words.
fn cut<T>(
    input: &Input<'_>,
    items: impl IntoIterator<Item = (String, T)>,
) -> Result<Page<T>, ApiError> {
    let bound = match input.int(PAGING.limit)? {
        Some(limit) if limit < 1 => "greater than or equal to 1",
        Some(limit) if limit > 1_000 => "less than or equal to 1000",
        Some(_) | None => return PAGING.cut(input, items),
    };
    Err(invalid(format!(
        "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value {bound}'"
    )))
}
