//! ECR: repositories and images. An image is the manifest of an executable on this machine.

mod images;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    ApiError, Call, Cloud, LocalImage, Reply,
    error::{fault, invalid, limit},
    input::Input,
    page::{Paging, with_token},
    time::seconds,
};

const CODE: &str = "InvalidParameterException";
const REPOSITORIES: usize = 1_000;
const PAGING: Paging = Paging {
    token: "nextToken",
    limit: "maxResults",
    default: 100,
    max: 1_000,
};

/// The registry's repositories by name.
#[derive(Debug, Default)]
pub(crate) struct Ecr {
    repositories: BTreeMap<String, Repository>,
}

#[derive(Debug)]
struct Repository {
    created: Timestamp,
    immutable: bool,
    images: BTreeMap<String, Image>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Image {
    manifest: String,
    content: LocalImage,
    pushed: Timestamp,
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
    pub(crate) fn find(
        &self,
        repository: &str,
        tag: Option<&str>,
        digest: Option<&str>,
    ) -> Option<(String, LocalImage)> {
        let repository = self.repositories.get(repository)?;
        let digest = repository.digest(tag, digest)?;
        let image = repository.images.get(digest)?;
        Some((digest.to_owned(), image.content.clone()))
    }

    fn repository(
        &self,
        account: &str,
        input: &Input<'_>,
    ) -> Result<(&str, &Repository), ApiError> {
        let name = input.need("repositoryName")?;
        self.repositories
            .get_key_value(name)
            .map(|(name, repository)| (name.as_str(), repository))
            .ok_or_else(|| missing_repository(account, name))
    }
}

impl Cloud {
    pub(super) fn ecr(&mut self, call: &Call, now: Timestamp) -> Result<Reply, ApiError> {
        match call.operation.as_str() {
            "CreateRepository" => self.create_repository(&call.input, now),
            "DescribeRepositories" => self.describe_repositories(&call.input),
            "PutImage" => self.put_image(&call.input, now),
            "DescribeImages" => self.describe_images(&call.input),
            "BatchGetImage" => self.batch_get_image(&call.input),
            "ListImages" => self.list_images(&call.input),
            other => Err(fault("UnknownOperationException", other)),
        }
    }

    fn create_repository(&mut self, input: &Value, now: Timestamp) -> Result<Reply, ApiError> {
        let members = [
            "registryId",
            "repositoryName",
            "tags",
            "imageTagMutability",
            "imageScanningConfiguration",
            "encryptionConfiguration",
        ];
        let input = Input::new(input, CODE, &members)?;
        input.refuse(&["tags", "encryptionConfiguration"])?;
        let name = input.need("repositoryName")?;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
        if !(2..=256).contains(&name.len())
            || !name.starts_with(|c: char| c.is_ascii_lowercase())
            || !name.chars().all(allowed)
        {
            return Err(invalid(format!(
                "Invalid parameter at 'repositoryName' failed to satisfy constraint: '{name}' must be 2 to 256 of a-z 0-9 - _ . / and begin with a letter"
            )));
        }
        let mutability = input
            .word("imageTagMutability", &["MUTABLE", "IMMUTABLE"])?
            .unwrap_or("MUTABLE");
        if self.ecr.repositories.contains_key(name) {
            return Err(fault(
                "RepositoryAlreadyExistsException",
                format!(
                    "The repository with name '{name}' already exists in the registry with id '{}'",
                    self.ids.account
                ),
            ));
        }
        if self.ecr.repositories.len() >= REPOSITORIES {
            return Err(limit("The emulator holds at most 1000 repositories."));
        }
        let repository = Repository {
            created: now,
            immutable: mutability == "IMMUTABLE",
            images: BTreeMap::new(),
            tags: BTreeMap::new(),
        };
        let view = self.repository_view(name, &repository);
        self.ecr.repositories.insert(name.to_owned(), repository);
        Ok(json!({ "repository": view }))
    }

    fn describe_repositories(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["registryId", "repositoryNames", "nextToken", "maxResults"];
        let input = Input::new(input, CODE, &members)?;
        let names = input.texts("repositoryNames")?;
        for name in &names {
            if !self.ecr.repositories.contains_key(*name) {
                return Err(missing_repository(&self.ids.account, name));
            }
        }
        let wanted = self
            .ecr
            .repositories
            .iter()
            .filter(|(name, _)| names.is_empty() || names.contains(&name.as_str()))
            .map(|(name, repository)| (name.clone(), self.repository_view(name, repository)));
        let (page, next) = PAGING.cut(&input, wanted)?;
        Ok(with_token(json!({ "repositories": page }), next))
    }

    fn repository_view(&self, name: &str, repository: &Repository) -> Value {
        json!({
            "repositoryArn": self.ids.arn("ecr", &format!("repository/{name}")),
            "registryId": self.ids.account,
            "repositoryName": name,
            "repositoryUri": format!("{}/{name}", self.registry()),
            "createdAt": seconds(repository.created),
            "imageTagMutability": if repository.immutable { "IMMUTABLE" } else { "MUTABLE" },
            "imageScanningConfiguration": { "scanOnPush": false },
            "encryptionConfiguration": { "encryptionType": "AES256" },
        })
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
