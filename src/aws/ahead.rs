//! What the plan of an edit will most likely need, asked while the service is described: the time from an edit to its
//! write is the time of the calls that wait for each other.

use crate::{
    aws::{Aws, AwsError},
    document::Document,
    manifest::Manifest,
    observed::Image,
};

/// What was asked ahead; `None` where it was not.
#[derive(Debug, Default)]
pub struct Ahead {
    /// What the manifest's tag means.
    pub(super) image: Option<Result<Image, AwsError>>,
    /// The newest revisions of its family, by ARN.
    pub(super) revisions: Option<Result<Vec<String>, AwsError>>,
    /// The newest deployments, as listed.
    pub(super) deployments: Option<Result<Vec<Document>, AwsError>>,
}

impl Ahead {
    /// Whether anything was, as for an edit.
    pub(super) fn is_asked(&self) -> bool {
        self.deployments.is_some()
    }
}

impl Aws {
    /// Asks ahead for an edited manifest.
    pub async fn look_ahead(&self, manifest: &Manifest) -> Ahead {
        let (image, revisions, deployments) = tokio::join!(
            self.image_of_tag(manifest),
            self.list_revisions(manifest),
            self.list_deployments(&manifest.cluster, &manifest.name),
        );
        Ahead {
            image,
            revisions: Some(revisions),
            deployments: Some(deployments),
        }
    }
}
