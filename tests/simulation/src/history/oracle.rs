//! How a history must end, by what the hand has left: the manifests, the images, and what it did in AWS. Nothing here
//! asks evenkeel, but for the phase that it tells, which is what is judged.
//!
//! Some ends nobody can tell from the history alone: whether a daemon that was started anew knows a manifest that is
//! broken now, which of several images by one tag was the first to be seen. Then nothing is expected but the rules.

use evenkeel::status::Phase;
use serde_json::{Value, json};

use super::stage::{Part, Place, Stage};
use crate::{
    daemon::OWNER,
    furniture::CLUSTER,
    history::Release,
    sight::{Sight, Subject},
    world::World,
};

/// So many changes of one field by others within an hour are one too many to be set right again.
const CONTESTED: usize = 3;
/// So many services that differ at once are no chance.
const BRAKED: usize = 3;

/// What a service must come to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// Nobody can tell.
    Anything,
    /// To be told in one of these phases.
    Told(Vec<Phase>),
    /// To be as its manifest says, in every field.
    AsDescribed,
    /// That, or held, as something that works has failed for what others did.
    AsDescribedOrHeld,
}

/// What is not as it must be.
#[must_use]
pub fn against(world: &World, stage: &Stage) -> Vec<String> {
    let wrong = stage.parts.iter().filter_map(|part| {
        let name = &part.manifest.name;
        let sight = world.service(name);
        let (expected, told) = (expected(stage, part, &sight), world.told(name));
        let phase = told.as_ref().map(|told| told.phase);
        let is_as_described = match &expected {
            Expected::Anything => return None,
            Expected::Told(phases) if phases.is_empty() && phase.is_none() => return None,
            Expected::Told(phases) if phase.is_some_and(|phase| phases.contains(&phase)) => {
                return None;
            }
            Expected::AsDescribedOrHeld if phase == Some(Phase::Held) => return None,
            Expected::AsDescribed | Expected::AsDescribedOrHeld => phase == Some(Phase::Synced),
            Expected::Told(_) => false,
        };
        let differences = if is_as_described {
            differences(world, part, &sight)
        } else {
            Vec::new()
        };
        if is_as_described && differences.is_empty() {
            return None;
        }
        let message = told.map(|told| told.message);
        Some(format!(
            "{name} is {phase:?} ({message:?}), and not {expected:?}: {differences:?}"
        ))
    });
    wrong.collect()
}

fn expected(stage: &Stage, part: &Part, sight: &Sight) -> Expected {
    let manifest = &part.manifest;
    if stage.is_empty || stage.parts.iter().all(|part| part.place == Place::Nowhere) {
        return Expected::Anything;
    }
    let owner = tag(sight, "evenkeel:owner");
    let is_ours = owner == Some(&format!("{OWNER}/{CLUSTER}/{}", manifest.name));
    match part.place {
        Place::Broken => return Expected::Anything,
        // Deleted by hand, it may still be listed for a while.
        Place::Nowhere if sight.service.is_null() || sight.service["status"] != "ACTIVE" => {
            return Expected::Anything;
        }
        Place::Nowhere if is_ours => return Expected::Told(vec![Phase::Orphaned]),
        Place::Nowhere => return Expected::Anything,
        Place::Own | Place::Other => {}
    }
    if manifest.suspend {
        return Expected::Told(vec![Phase::Suspended]);
    }
    let is_contested = part.meddled.values().any(|times| *times >= CONTESTED);
    if is_contested
        || stage.meddled().len() >= BRAKED
        || !manifest.enforce && !part.meddled.is_empty()
    {
        return Expected::Anything;
    }
    if !sight.service.is_null() && !is_ours && !manifest.adopt {
        return Expected::Told(vec![Phase::Degraded, Phase::Held]);
    }
    let Some(pushed) = part.pushed.get(&manifest.tag) else {
        // There is no such image; what failed before may be what is told first.
        return Expected::Told(vec![Phase::Degraded, Phase::Held]);
    };
    let is_balanced = manifest.target_group.is_some();
    let works = |release: &Release| match release {
        Release::Good => true,
        // Nobody asks them.
        Release::Unhealthy => !is_balanced,
        Release::Crashes | Release::NeverStarts => false,
    };
    match (pushed.iter().all(works), pushed.iter().any(works)) {
        (true, _) if has_failed(sight) => Expected::AsDescribedOrHeld,
        (true, _) => Expected::AsDescribed,
        (false, true) => Expected::Anything,
        (false, false) => Expected::Told(vec![Phase::Held]),
    }
}

/// Whether a deployment has failed.
fn has_failed(sight: &Sight) -> bool {
    sight.deployments.iter().any(|deployment| {
        let status = deployment["status"].as_str().unwrap_or_default();
        status.starts_with("ROLLBACK_")
            || deployment["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    })
}

/// What AWS has otherwise than the manifest says, in words.
fn differences(world: &World, part: &Part, sight: &Sight) -> Vec<String> {
    let (manifest, service) = (&part.manifest, &sight.service);
    let live = &service["taskDefinition"];
    let mut revisions = sight.revisions.iter();
    let revision = revisions.find(|one| one["taskDefinition"] == *live);
    let definition = revision.map_or(&Value::Null, |revision| &revision["definition"]);
    let container = &definition["containerDefinitions"][0];
    let environment = container["environment"].as_array().cloned();
    let described: Vec<_> = manifest
        .environment
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let network = &service["networkConfiguration"]["awsvpcConfiguration"];
    let log_group = Subject::LogGroup(format!("/ecs/{}", manifest.name));
    let log_group = world.cloud.look(&log_group).log_group;
    let breaker = &service["deploymentConfiguration"]["deploymentCircuitBreaker"];
    let grace = service["healthCheckGracePeriodSeconds"].as_u64();
    let balancers = service["loadBalancers"].as_array().map_or(0, Vec::len);
    let owner = format!("{OWNER}/{CLUSTER}/{}", manifest.name);
    let running = &service["runningCount"];
    let digest = expected_digest(world, part);
    let image = container["image"].as_str().unwrap_or_default();
    let holds = [
        (
            "the count",
            manifest
                .count
                .is_none_or(|count| service["desiredCount"] == count),
        ),
        ("the running tasks", running == &service["desiredCount"]),
        (
            "the security group",
            network["securityGroups"] == json!([manifest.security_group]),
        ),
        (
            "the grace period",
            u64::from(manifest.grace.unwrap_or_default()) == grace.unwrap_or_default(),
        ),
        (
            "the target group",
            balancers == usize::from(manifest.target_group.is_some()),
        ),
        ("the circuit breaker", breaker["enable"] == manifest.breaker),
        (
            "the environment",
            environment.unwrap_or_default() == described,
        ),
        (
            "the image",
            digest.is_none_or(|digest| image.ends_with(&digest)),
        ),
        (
            "the retention",
            log_group["retentionInDays"] == json!(manifest.retention),
        ),
        ("the owner", tag(sight, "evenkeel:owner") == Some(&owner)),
        (
            "the label",
            tag(sight, "team") == manifest.labels.get("team").map(String::as_str),
        ),
    ];
    let wrong = holds.iter().filter(|(_, holds)| !holds);
    wrong.map(|(what, _)| (*what).to_owned()).collect()
}

/// The digest that must run, where it can be told: the only one of its tag, or the last one of a tag that is followed.
fn expected_digest(world: &World, part: &Part) -> Option<String> {
    let manifest = &part.manifest;
    let is_only = part.pushed.get(&manifest.tag)?.len() == 1;
    let image = (manifest.name.clone(), manifest.tag.clone());
    let (_, digest) = world.images.get(&image)?;
    (is_only || manifest.track).then(|| digest.clone())
}

fn tag<'a>(sight: &'a Sight, key: &str) -> Option<&'a str> {
    let tags = sight.service["tags"].as_array()?;
    let tag = tags.iter().find(|tag| tag["key"] == key)?;
    tag["value"].as_str()
}
