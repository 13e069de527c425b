//! How a run has ended: what there is, without what differs from run to run: names that AWS makes up, and times.

use std::collections::BTreeMap;

use emulator::core::Service;
use evenkeel::status::Phase;
use serde_json::{Value, json};

use crate::{
    checker::content,
    furniture::CLUSTER,
    scenario::Expected,
    sight::{Sight, Subject},
    world::World,
};

/// How it has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// Every service of the cluster as AWS has it, by name.
    pub services: BTreeMap<String, Value>,
    /// What the daemon tells of each.
    pub phases: BTreeMap<String, Phase>,
    /// Which tag each runs, how many tasks.
    pub runs: BTreeMap<String, (String, u32)>,
}

impl End {
    /// How a world is now.
    pub fn of(world: &World) -> Self {
        let input = json!({ "cluster": CLUSTER, "maxResults": 100 });
        let listed = world.call(Service::Ecs, "ListServices", input);
        let arns = listed["serviceArns"].as_array().into_iter().flatten();
        let names = arns.filter_map(|arn| arn.as_str()?.rsplit('/').next().map(str::to_owned));
        let mut end = Self {
            services: BTreeMap::new(),
            phases: BTreeMap::new(),
            runs: BTreeMap::new(),
        };
        for name in names {
            let sight = world.service(&name);
            let log_group = world
                .cloud
                .look(&Subject::LogGroup(format!("/ecs/{name}")))
                .log_group;
            end.runs.insert(name.clone(), runs(world, &sight));
            end.services
                .insert(name.clone(), lasting(&sight, &log_group));
        }
        let told = world.board().services().into_iter();
        end.phases = told.map(|status| (status.name, status.phase)).collect();
        end
    }

    /// What is not as it should be.
    #[must_use]
    pub fn against(&self, expected: &[(&str, Expected)]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, expected) in expected {
            let is = (
                self.phases.get(*name).copied(),
                self.runs.get(*name).cloned(),
            );
            let should = (
                Some(expected.phase),
                Some((expected.tag.to_owned(), expected.tasks)),
            );
            if is != should {
                wrong.push(format!("{name} is {is:?} and should be {should:?}"));
            }
        }
        wrong
    }
}

fn definition(sight: &Sight) -> &Value {
    let arn = &sight.service["taskDefinition"];
    let revision = sight
        .revisions
        .iter()
        .find(|one| one["taskDefinition"] == *arn);
    revision.map_or(&Value::Null, |revision| &revision["definition"])
}

/// The tag by its digest; how many tasks run.
fn runs(world: &World, sight: &Sight) -> (String, u32) {
    let image = definition(sight).pointer("/containerDefinitions/0/image");
    let image = image.and_then(Value::as_str).unwrap_or_default();
    let mut images = world.images.iter();
    let known =
        images.find(|(_, (_, digest))| !digest.is_empty() && image.ends_with(digest.as_str()));
    let tag = known.map_or(image, |((_, tag), _)| tag);
    let running = sight.service["runningCount"].as_u64();
    (
        tag.to_owned(),
        running
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or_default(),
    )
}

fn lasting(sight: &Sight, log_group: &Value) -> Value {
    let service = &sight.service;
    let mut tags = BTreeMap::new();
    for tag in service["tags"].as_array().into_iter().flatten() {
        let key = tag["key"].as_str().unwrap_or_default();
        // They name deployments and times.
        let is_passing = ["evenkeel:forgiven", "evenkeel:redeployed"].contains(&key);
        tags.insert(
            key,
            if is_passing {
                Value::Null
            } else {
                tag["value"].clone()
            },
        );
    }
    let members = [
        "status",
        "desiredCount",
        "runningCount",
        "pendingCount",
        "launchType",
        "loadBalancers",
        "networkConfiguration",
        "deploymentConfiguration",
        "healthCheckGracePeriodSeconds",
        "propagateTags",
        "enableExecuteCommand",
    ];
    let members: BTreeMap<_, _> = members
        .iter()
        .map(|name| (*name, &service[*name]))
        .collect();
    let deployments = service["deployments"].as_array().into_iter().flatten();
    let rollouts: Vec<_> = deployments
        .map(|one| [&one["status"], &one["rolloutState"]])
        .collect();
    json!({
        "service": members,
        "tags": tags,
        "rollouts": rollouts,
        "definition": content(definition(sight)),
        "logGroup": { "retention": log_group["retentionInDays"], "tags": log_group["tags"] },
    })
}
