//! An image reference taken apart, so that the tag becomes the line to edit.

use crate::{
    document::{self, Document},
    manifest,
    observed::{LiveService, Revision},
};

/// The container whose image is the service's: the one behind the load balancer, or else the first that is essential.
pub fn main_container<'a>(service: &LiveService, definition: &'a Revision) -> Option<&'a Document> {
    let containers = || document::objects(&definition.document, "containerDefinitions");
    let balanced = document::objects(&service.0, "loadBalancers")
        .next()
        .map(|balancer| document::text(balancer, "containerName"));
    let is_essential = |container: &&Document| {
        container
            .get("essential")
            .and_then(serde_json::Value::as_bool)
            .unwrap_or(true)
    };
    containers()
        .find(|container| Some(document::text(container, "name")) == balanced)
        .or_else(|| containers().find(is_essential))
        .or_else(|| containers().next())
}

/// `REPOSITORY[:TAG][@DIGEST]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Without tag and digest.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// `sha256:…`.
    pub digest: Option<String>,
}

/// What is known of an image beside its reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registry {
    /// ECR, where this digest has these tags.
    Ecr {
        /// The digest's tags.
        tags: Vec<String>,
        /// The tag that the definition's own tag names, if it has one.
        known: Option<String>,
    },
    /// Any other, whose references are used as they are written.
    Other,
}

impl Reference {
    /// Takes a reference apart.
    pub fn split(text: &str) -> Self {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text, None),
        };
        // A colon before a slash is a port's.
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag.to_owned())),
            Some(_) | None => (name, None),
        };
        Self {
            repository: repository.to_owned(),
            tag,
            digest,
        }
    }

    /// `spec.image`, when it would come to exactly this reference: in ECR a tag comes to a digest, elsewhere to itself.
    /// `None` when the reference has to be written out in the definition.
    pub fn as_image(&self, registry: &Registry) -> Option<manifest::Image> {
        let tag = match (registry, &self.tag, &self.digest) {
            (Registry::Ecr { tags, known }, None, Some(_)) => known
                .as_ref()
                .filter(|known| tags.contains(known))
                .or_else(|| best(tags)),
            (Registry::Other, Some(tag), None) => Some(tag),
            (Registry::Ecr { .. } | Registry::Other, _, _) => None,
        };
        Some(manifest::Image {
            repository: self.repository.clone(),
            tag: tag?.clone(),
            track: false,
        })
    }
}

/// A version rather than a word, and any word rather than `latest`, which says the least.
fn best(tags: &[String]) -> Option<&String> {
    let rank = |tag: &&String| {
        let begins_a_version = tag
            .trim_start_matches('v')
            .starts_with(|c: char| c.is_ascii_digit());
        (*tag != "latest", begins_a_version, (*tag).clone())
    };
    tags.iter().max_by_key(rank)
}
