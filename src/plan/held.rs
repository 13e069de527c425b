//! Remembering what failed. The memory is ECS's own history of service deployments.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    desired::Desired,
    diff::{Difference, differences, is_ignored},
    document::{self, Document},
    observed::{LiveService, Observed, Outcome, PastDeployment, Revision},
    plan::revisions::definition_differences,
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

/// Members that a service's first revision omits though the service has them.
const OMITTED_BY_FIRST: &[&str] = &["loadBalancers", "serviceRegistries"];

/// A deployment that failed, and whose like is not tried again until the manifest changes or someone says `retry`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hold {
    /// The failed service deployment's ARN.
    pub deployment: String,
    /// The image that it ran, as a person would name it; empty when the definition is not what failed.
    pub image: String,
    /// The image's digest, when it is known.
    pub digest: String,
    /// The service's fields that were changed with it, by their paths.
    pub fields: Vec<String>,
    /// Why it failed.
    pub reason: String,
    /// When it failed.
    pub since: Option<Timestamp>,
}

impl Hold {
    /// What is held, in a few words.
    pub fn what(&self) -> String {
        let image = document::short_name(&self.image);
        match (image, self.fields.join(", ")) {
            ("", fields) => fields,
            (image, fields) if fields.is_empty() => image.to_owned(),
            (image, fields) => format!("{image} with {fields}"),
        }
    }
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
        .find(|past| aims_at(past, desired, observed.definition.as_ref()))
        .filter(|newest| newest.outcome == Outcome::Failed)
}

/// Whether someone has said that this failed deployment may be tried again.
pub(super) fn is_forgiven(past: &PastDeployment, service: &LiveService) -> bool {
    service.tags().get(tags::FORGIVEN) == Some(&past.arn)
}

/// What is told of it. `left` is what still differs: when that is nothing but fields of the service, it is these that
/// failed, and the definition may run with others.
pub(super) fn describe(past: &PastDeployment, desired: &Desired, left: &[Difference]) -> Hold {
    let containers = past
        .definition
        .iter()
        .flat_map(|d| document::objects(&d.document, "containerDefinitions"));
    let images: Vec<_> = containers
        .map(|container| document::text(container, "image"))
        .collect();
    let ours = desired
        .manifest
        .image
        .as_ref()
        .map(|image| image.repository.as_str());
    let image = images
        .iter()
        .find(|image| ours.is_some_and(|ours| image.starts_with(ours)))
        .or(images.first());
    let (repository, digest) = image.map_or(("", ""), |image| {
        image.split_once('@').unwrap_or((image, ""))
    });
    let tag = past
        .definition
        .as_ref()
        .and_then(|definition| definition.tags.get(tags::IMAGE_TAG));
    let fields: Vec<_> = left
        .iter()
        .filter(|one| one.root() == "service" && CARRIED.contains(&one.member()))
        .map(|one| one.path.clone())
        .collect();
    let (image, digest) = if !fields.is_empty() && !left.iter().any(Difference::is_in_definition) {
        (String::new(), "")
    } else {
        let image = tag.map_or_else(
            || repository.to_owned(),
            |tag| format!("{repository}:{tag}"),
        );
        (image, digest)
    };
    Hold {
        deployment: past.arn.clone(),
        image,
        digest: digest.to_owned(),
        fields,
        reason: past
            .failure
            .as_ref()
            .map_or_else(|| past.reason.clone(), |failure| failure.summary()),
        since: past.finished_at.or(past.created_at),
    }
}

/// Where what is desired has no definition, because its image is not known, that of the service stays.
fn aims_at(past: &PastDeployment, desired: &Desired, live: Option<&Revision>) -> bool {
    let Some(definition) = &past.definition else {
        return false;
    };
    let mut found = match (&desired.definition, live) {
        (Some(_), _) => definition_differences(desired, &definition.document),
        (None, Some(live)) => {
            let normal = |one: &Revision| desired.form.definition(&one.document);
            differences(
                &desired.form,
                "taskDefinition",
                &normal(live),
                &normal(definition),
            )
        }
        (None, None) => return false,
    };

    let mut wanted = carried(&desired.service);
    // A revision says which version LATEST was.
    if wanted
        .get("platformVersion")
        .and_then(|version| version.as_str())
        == Some("LATEST")
    {
        wanted.remove("platformVersion");
    }
    let aimed = carried(&shape::of_service(&past.revision, &wanted));
    wanted.retain(|member, _| {
        !OMITTED_BY_FIRST.contains(&member.as_str()) || aimed.contains_key(member)
    });
    found.extend(differences(
        &desired.form,
        "service",
        &desired.form.service(&wanted),
        &desired.form.service(&aimed),
    ));
    found
        .iter()
        .all(|difference| is_ignored(difference, &desired.manifest.drift.ignore))
}

fn carried(service: &Document) -> Document {
    let mut part = service.clone();
    part.retain(|member, _| CARRIED.contains(&member.as_str()));
    part
}
