//! Remembering what failed. The memory is ECS's own history of service deployments.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    desired::Desired,
    diff::differences,
    document::Document,
    normal,
    observed::{LiveService, Observed, Outcome, PastDeployment},
    shape, tags,
};

/// The members of a service that a service revision carries (API_ServiceRevision), and so all that can be compared.
const CARRIED: &[&str] = &[
    "capacityProviderStrategy",
    "launchType",
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// A deployment that failed, and whose like is not tried again until the manifest changes or someone says `retry`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hold {
    /// The failed service deployment's ARN.
    pub deployment: String,
    /// The image that it ran, as a person would name it.
    pub image: String,
    /// The image's digest, when it is known.
    pub digest: String,
    /// Why it failed.
    pub reason: String,
    /// When it failed.
    pub since: Option<Timestamp>,
}

/// The newest deployment that aimed at exactly what is desired, if it failed. One that was replaced before its end says
/// nothing; one that succeeded or still runs makes older failures count no more.
pub(super) fn failed_before<'a>(
    desired: &Desired,
    observed: &'a Observed,
) -> Option<&'a PastDeployment> {
    observed
        .history
        .iter()
        .filter(|past| past.outcome != Outcome::Superseded)
        .find(|past| aims_at(past, desired))
        .filter(|newest| newest.outcome == Outcome::Failed)
}

/// Whether someone has said that this failed deployment may be tried again.
pub(super) fn is_forgiven(past: &PastDeployment, service: &LiveService) -> bool {
    service.tags().get(tags::FORGIVEN) == Some(&past.arn)
}

fn aims_at(past: &PastDeployment, desired: &Desired) -> bool {
    let Some(definition) = &past.definition else {
        return false;
    };
    if desired.normal_definition()
        != Some(normal::definition(&shape::of_definition(
            &definition.document,
        )))
    {
        return false;
    }
    let mut wanted = carried(&desired.service);
    // A revision says which version LATEST was.
    if wanted
        .get("platformVersion")
        .and_then(|version| version.as_str())
        == Some("LATEST")
    {
        wanted.remove("platformVersion");
    }
    let aimed = carried(&shape::of_service(&past.revision));
    differences(
        "service",
        &normal::service(&wanted),
        &normal::service(&aimed),
    )
    .is_empty()
}

fn carried(service: &Document) -> Document {
    let mut part = service.clone();
    part.retain(|member, _| CARRIED.contains(&member.as_str()));
    part
}

/// What is told of it.
pub(super) fn describe(past: &PastDeployment) -> Hold {
    let containers = past
        .definition
        .iter()
        .flat_map(|d| crate::document::objects(&d.document, "containerDefinitions"));
    let image = containers
        .map(|container| crate::document::text(container, "image"))
        .next()
        .unwrap_or_default();
    let (repository, digest) = image.split_once('@').unwrap_or((image, ""));
    let tag = past
        .definition
        .as_ref()
        .and_then(|definition| definition.tags.get(tags::IMAGE_TAG));
    Hold {
        deployment: past.arn.clone(),
        image: tag.map_or_else(
            || repository.to_owned(),
            |tag| format!("{repository}:{tag}"),
        ),
        digest: digest.to_owned(),
        reason: past
            .failure
            .as_ref()
            .map_or_else(|| past.reason.clone(), |failure| failure.summary()),
        since: past.finished_at.or(past.created_at),
    }
}
