//! What a manifest asks for, once its image is known.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;

use crate::{
    document::Document,
    manifest::Manifest,
    normal::{Form, Normal},
    observed::Image,
    tags,
};

/// What a manifest does not say, and every manifest of one daemon or command shares.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who answers for the services: the value of `--owner`.
    pub owner: String,
    /// What documents are compared by.
    pub form: Form,
}

/// One service as it should be.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The manifest it came from.
    pub manifest: Arc<Manifest>,
    /// The value of the owner tag, `OWNER/CLUSTER/NAME`.
    pub owner: String,
    /// What it is compared by.
    pub form: Form,
    /// The shape of CreateService, without names, definition, count and tags.
    pub service: Document,
    /// The shape of RegisterTaskDefinition; `None` while the image cannot be resolved.
    pub definition: Option<Document>,
    /// The image's digest, when it is known.
    pub image_digest: Option<String>,
}

impl Desired {
    /// What `manifest` asks for, given what its image means at present.
    pub fn new(manifest: Arc<Manifest>, settings: &Settings, image: &Image) -> Self {
        let (cluster, name) = manifest.key();
        let mut service = manifest.service.open();
        if !manifest.labels.is_empty() {
            service
                .entry("propagateTags")
                .or_insert_with(|| json!("SERVICE"));
        }
        let (definition, image_digest) = match image {
            Image::NotUsed => (Some(manifest.task_definition_with("")), None),
            Image::Resolved { reference, digest } => (
                Some(manifest.task_definition_with(reference)),
                digest.clone(),
            ),
            Image::Missing {
                pinned: Some(pinned),
                ..
            } => (
                Some(manifest.task_definition_with(&pinned.reference)),
                Some(pinned.digest.clone()),
            ),
            Image::Missing { pinned: None, .. } => (None, None),
        };
        Self {
            owner: format!("{}/{cluster}/{name}", settings.owner),
            form: settings.form.clone(),
            service,
            definition,
            image_digest,
            manifest,
        }
    }

    /// The normal form of the service.
    pub fn normal_service(&self) -> Normal {
        self.form.service(&self.service)
    }

    /// The normal form of the definition.
    pub fn normal_definition(&self) -> Option<Normal> {
        self.definition
            .as_ref()
            .map(|definition| self.form.definition(definition))
    }

    /// The tags of a service that matches.
    pub fn service_tags(&self) -> BTreeMap<String, String> {
        let mut wanted = self.manifest.labels.clone();
        wanted.insert(tags::OWNER.to_owned(), self.owner.clone());
        wanted.insert(tags::APPLIED.to_owned(), self.manifest.digest.clone());
        if let Some(digest) = &self.image_digest {
            wanted.insert(tags::IMAGE.to_owned(), digest.clone());
        }
        if !self.manifest.labels.is_empty() {
            let keys: Vec<_> = self.manifest.labels.keys().map(String::as_str).collect();
            wanted.insert(tags::LABELS.to_owned(), keys.join(" "));
        }
        wanted
    }

    /// The tags of a revision that we register.
    pub fn definition_tags(&self) -> BTreeMap<String, String> {
        let mut wanted = BTreeMap::from([(tags::OWNER.to_owned(), self.owner.clone())]);
        if let Some(image) = &self.manifest.image {
            wanted.insert(tags::IMAGE_TAG.to_owned(), image.tag.clone());
        }
        wanted
    }
}
