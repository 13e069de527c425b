//! Repositories: made, described, changed, deleted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CODE, Repository, cut, layers::Layers, missing_repository, repository_tags::read_tags,
};
use crate::core::{
    ApiError, Cloud, Reply,
    error::{fault, invalid, limit},
    input::Input,
    page::with_token,
    time::seconds,
};

const REPOSITORIES: usize = 1_000;
/// Source: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
const PATTERN: &str = "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";

impl Cloud {
    pub(super) fn create_repository(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let members = [
            "registryId",
            "repositoryName",
            "tags",
            "imageTagMutability",
            "imageScanningConfiguration",
            "encryptionConfiguration",
        ];
        let input = Input::new(input, CODE, &members)?;
        let labels = read_tags(&input)?;
        check_encryption(&input)?;
        let name = input.need("repositoryName")?;
        if !is_name(name) {
            return Err(invalid(format!(
                "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '{PATTERN}''"
            )));
        }
        let members = ["scanOnPush"];
        let scan = input.object("imageScanningConfiguration", &members)?;
        let scan = scan
            .map(|scan| scan.flag("scanOnPush"))
            .transpose()?
            .flatten();
        let immutable = is_immutable(&input)?.unwrap_or(false);
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
            immutable,
            scan_on_push: scan.unwrap_or(false),
            labels,
            images: BTreeMap::new(),
            tags: BTreeMap::new(),
            layers: Layers::default(),
        };
        let view = self.repository_view(name, &repository);
        self.ecr.repositories.insert(name.to_owned(), repository);
        Ok(json!({ "repository": view }))
    }

    pub(super) fn describe_repositories(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["registryId", "repositoryNames", "nextToken", "maxResults"];
        let input = Input::new(input, CODE, &members)?;
        let names = input.texts("repositoryNames")?;
        if names.len() > 100 {
            return Err(invalid("At most 100 repositoryNames can be given."));
        }
        if !names.is_empty()
            && (input.value("maxResults").is_some() || input.value("nextToken").is_some())
        {
            return Err(invalid(
                "Invalid parameter: maxResults and nextToken cannot be given together with repositoryNames.",
            ));
        }
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
        let (page, next) = cut(&input, wanted)?;
        Ok(with_token(json!({ "repositories": page }), next))
    }

    fn repository_view(&self, name: &str, repository: &Repository) -> Value {
        json!({
            "repositoryArn": self.ids.arn("ecr", &format!("repository/{name}")),
            "registryId": self.ids.account,
            "repositoryName": name,
            "repositoryUri": format!("{}/{name}", self.registry()),
            "createdAt": seconds(repository.created),
            "imageTagMutability": word(repository.immutable),
            "imageScanningConfiguration": { "scanOnPush": repository.scan_on_push },
            "encryptionConfiguration": { "encryptionType": "AES256" },
        })
    }

    pub(super) fn delete_repository(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["registryId", "repositoryName", "force"])?;
        let (name, repository) = self.repository(&input)?;
        if !repository.images.is_empty() && !input.flag("force")?.unwrap_or(false) {
            return Err(fault(
                "RepositoryNotEmptyException",
                format!(
                    "The repository with name '{name}' in registry with id '{}' cannot be deleted because it still contains images",
                    self.ids.account
                ),
            ));
        }
        let view = self.repository_view(name, repository);
        let name = name.to_owned();
        self.ecr.repositories.remove(&name);
        Ok(json!({ "repository": view }))
    }

    pub(super) fn put_image_tag_mutability(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["registryId", "repositoryName", "imageTagMutability"];
        let input = Input::new(input, CODE, &members)?;
        let immutable = is_immutable(&input)?
            .ok_or_else(|| invalid("imageTagMutability should not be null or empty."))?;
        let account = self.ids.account.clone();
        let (name, repository) = self.repository_mut(&input)?;
        repository.immutable = immutable;
        Ok(json!({
            "registryId": account,
            "repositoryName": name,
            "imageTagMutability": word(immutable),
        }))
    }
}

fn word(immutable: bool) -> &'static str {
    if immutable { "IMMUTABLE" } else { "MUTABLE" }
}

fn is_immutable(input: &Input<'_>) -> Result<Option<bool>, ApiError> {
    let word = input.word("imageTagMutability", &["MUTABLE", "IMMUTABLE"])?;
    Ok(word.map(|word| word == "IMMUTABLE"))
}

fn check_encryption(input: &Input<'_>) -> Result<(), ApiError> {
    let members = ["encryptionType", "kmsKey"];
    if let Some(encryption) = input.object("encryptionConfiguration", &members)? {
        encryption.refuse(&["kmsKey"])?;
        encryption.word("encryptionType", &["AES256"])?;
    }
    Ok(())
}

/// Words of letters and digits, joined by single `.`, `_`, `__`, hyphens or slashes.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let joined = |join: &str| {
            matches!(join, "" | "." | "_" | "__") || join.bytes().all(|byte| byte == b'-')
        };
        part.chars().all(allowed)
            && ends(part.chars().next())
            && ends(part.chars().next_back())
            && part.split(|c: char| c.is_ascii_alphanumeric()).all(joined)
    };
    (2..=256).contains(&name.len()) && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_as_documented() {
        for good in ["api", "1api", "shop/api", "a.b_c__d--e", "a/b/c"] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "a", "", "Api", "-api", "api-", "a..b", "a___b", "a//b", "a._b", "é1",
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
