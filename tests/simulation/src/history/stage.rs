//! What a history's deeds are in a world: its services, and what the hand has made of them.

use std::collections::{BTreeMap, BTreeSet};

use emulator::core::Service;
use serde_json::{Value, json};

use super::{Blow, Calls, Deed, Edit, Fault, Kind, Meddling, Release, Tag, Wrong};
use crate::{
    furniture::{ACCOUNT, CLUSTER, REGION},
    manifest::{File, Files, Manifest, TargetHealth},
    tasks::Script,
    world::World,
};

const NAMES: [&str; 4] = ["api", "web", "jobs", "mail"];

/// Every service of a history, as the hand has left it.
#[derive(Debug)]
pub struct Stage {
    /// The services.
    pub parts: Vec<Part>,
    /// Whether all files are gone.
    pub is_empty: bool,
}

/// A service.
#[derive(Debug)]
pub struct Part {
    /// What its manifest says, or last said.
    pub manifest: Manifest,
    /// Where that stands.
    pub place: Place,
    /// What has been pushed by each tag.
    pub pushed: BTreeMap<String, Vec<Release>>,
    /// Which of its fields others have changed, and how often.
    pub meddled: BTreeMap<String, usize>,
    kind: Kind,
}

/// Where a manifest stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the service's own file.
    Own,
    /// In a file by another name.
    Other,
    /// Nowhere: its file has been cut off.
    Broken,
    /// Nowhere: its file has been removed.
    Nowhere,
}

/// Something that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cue {
    /// This is done.
    Do(Deed),
    /// The health checks of a service pass again.
    Well(usize),
    /// Nothing goes wrong any more.
    NoFaults,
}

impl Stage {
    /// Makes what the services need, and describes them.
    pub fn set(world: &mut World, kinds: &[Kind]) -> Self {
        let parts = NAMES.iter().zip(kinds).map(|(name, kind)| {
            world.repository(name, "1", Script::GOOD);
            if *kind != Kind::Plain {
                world.target_group(name);
            }
            Part {
                manifest: kind.manifest(name),
                place: Place::Own,
                pushed: [("1".to_owned(), vec![Release::Good])].into(),
                meddled: BTreeMap::new(),
                kind: *kind,
            }
        });
        let stage = Self {
            parts: parts.collect(),
            is_empty: false,
        };
        world.set_manifests(stage.files());
        stage
    }

    /// Does what is due.
    pub fn carry_out(&mut self, world: &mut World, cue: &Cue) {
        match cue {
            Cue::NoFaults => world.clear_faults(),
            Cue::Well(service) => world.set_ill(&self.part(*service).manifest.name, false),
            Cue::Do(Deed::Edit(service, edit)) => {
                self.part(*service).edit(*edit);
                self.is_empty = false;
                world.set_manifests(self.files());
            }
            Cue::Do(Deed::Empty) => {
                self.is_empty = true;
                world.set_manifests(Files::new());
            }
            Cue::Do(Deed::Push(service, tag, release)) => {
                let (part, tag) = (self.part(*service), tag.to_string());
                world.push(&part.manifest.name, &tag, release.script());
                part.pushed.entry(tag).or_default().push(*release);
            }
            Cue::Do(Deed::Meddle(service, meddling)) => {
                self.part(*service).meddle(world, *meddling);
            }
            Cue::Do(Deed::Faults(faults, _)) => {
                let rules: Vec<_> = faults.iter().map(Fault::rule).collect();
                world.set_faults(&json!({ "rules": rules }));
            }
            Cue::Do(Deed::Daemon(Blow::Kill)) => world.kill(),
            Cue::Do(Deed::Daemon(Blow::Terminate)) => world.terminate(),
            Cue::Do(Deed::Daemon(Blow::KillAt(call, side))) => world.kill_at(*call, *side),
        }
    }

    /// The services that others have done something to.
    #[must_use]
    pub fn meddled(&self) -> BTreeSet<&str> {
        let meddled = self.parts.iter().filter(|part| !part.meddled.is_empty());
        meddled.map(|part| part.manifest.name.as_str()).collect()
    }

    fn part(&mut self, service: usize) -> &mut Part {
        let place = service % self.parts.len();
        &mut self.parts[place]
    }

    fn files(&self) -> Files {
        self.parts.iter().filter_map(Part::file).collect()
    }
}

impl Kind {
    fn manifest(self, name: &str) -> Manifest {
        let plain = Manifest {
            timeout: std::time::Duration::from_secs(120),
            ..Manifest::new(name, "1")
        };
        match self {
            Self::Plain => plain,
            Self::Balanced | Self::Watched => Manifest {
                count: Some(2),
                target_group: Some(name.to_owned()),
                target_health: self.target_health(),
                ..plain
            },
        }
    }

    fn target_health(self) -> Option<TargetHealth> {
        (self == Self::Watched).then_some(TargetHealth {
            minimum: 2,
            grace: std::time::Duration::from_secs(60),
            redeploy: true,
        })
    }
}

impl Part {
    fn edit(&mut self, edit: Edit) {
        let (kind, was) = (self.kind, self.place);
        let manifest = &mut self.manifest;
        self.place = if was == Place::Other { was } else { Place::Own };
        match edit {
            Edit::Tag(tag) => manifest.tag = tag.to_string(),
            Edit::Track(track) => manifest.track = track,
            Edit::Count(count) => manifest.count = count,
            Edit::Environment(value) => {
                manifest.environment = [("VALUE".to_owned(), value.to_string())].into();
            }
            Edit::Group(group) => manifest.security_group = format!("sg-{group}"),
            Edit::Grace(grace) => {
                // Without a load balancer there is none.
                manifest.grace = grace.filter(|_| manifest.target_group.is_some());
            }
            Edit::Retention(days) => manifest.retention = Some(days),
            Edit::Label(label) => {
                let label = label.map(|value| ("team".to_owned(), value.to_string()));
                manifest.labels = label.into_iter().collect();
            }
            Edit::Balanced(is_balanced) => {
                let is_balanced = is_balanced && kind != Kind::Plain;
                manifest.target_group = is_balanced.then(|| manifest.name.clone());
                manifest.target_health = kind.target_health().filter(|_| is_balanced);
                manifest.grace = manifest.grace.filter(|_| is_balanced);
            }
            Edit::Breaker(breaker) => manifest.breaker = breaker,
            Edit::Suspend(suspend) => manifest.suspend = suspend,
            Edit::Adopt(adopt) => manifest.adopt = adopt,
            Edit::Enforce(enforce) => manifest.enforce = enforce,
            Edit::Break => self.place = Place::Broken,
            Edit::Remove => self.place = Place::Nowhere,
            Edit::Move => {
                self.place = if was == Place::Other {
                    Place::Own
                } else {
                    Place::Other
                };
            }
        }
    }

    fn file(&self) -> Option<(String, File)> {
        let (name, file) = self.manifest.clone().file();
        match self.place {
            Place::Own => Some((name, file)),
            Place::Other => Some((format!("other-{name}"), file)),
            Place::Broken => {
                let text = "apiVersion: evenkeel/v1\nkind: Service\nmetadata: {name: ";
                Some((name, File::Broken(text.to_owned())))
            }
            Place::Nowhere => None,
        }
    }

    /// AWS may refuse any of it: there may be no service, or nothing to stop.
    fn meddle(&mut self, world: &World, meddling: Meddling) {
        let name = self.manifest.name.clone();
        let ecs = |operation: &str, mut input: Value| {
            if operation != "UntagResource" && !operation.contains("TaskDefinition") {
                input["cluster"] = json!(CLUSTER);
            }
            world.cloud.call(Service::Ecs, operation, input)
        };
        let update = |mut members: Value| {
            members["service"] = json!(name);
            ecs("UpdateService", members)
        };
        let sight = world.service(&name);
        match meddling {
            Meddling::Count(count) => drop(update(json!({ "desiredCount": count }))),
            Meddling::Network => {
                let subnets = ["subnet-a", "subnet-b"];
                let of_vpc = json!({ "subnets": subnets, "securityGroups": ["sg-other"] });
                let network = json!({ "awsvpcConfiguration": of_vpc });
                drop(update(json!({ "networkConfiguration": network })));
            }
            Meddling::Settings => {
                let breaker =
                    json!({ "enable": !self.manifest.breaker, "rollback": !self.manifest.breaker });
                let deployment = json!({ "deploymentCircuitBreaker": breaker });
                drop(update(json!({ "deploymentConfiguration": deployment })));
            }
            Meddling::Definition => {
                let definition = of_another_hand(&name);
                drop(ecs("RegisterTaskDefinition", definition));
                drop(update(
                    json!({ "taskDefinition": format!("by-hand-{name}") }),
                ));
            }
            Meddling::Redeploy => drop(update(json!({ "forceNewDeployment": true }))),
            Meddling::Untag(tag) => {
                let arn = &sight.service["serviceArn"];
                let keys = tag.map_or(Tag::ALL.to_vec(), |tag| vec![tag]);
                let keys: Vec<_> = keys.into_iter().map(Tag::key).collect();
                drop(ecs(
                    "UntagResource",
                    json!({ "resourceArn": arn, "tagKeys": keys }),
                ));
            }
            Meddling::StopTask => {
                let listed = ecs("ListTasks", json!({ "serviceName": name }));
                let task = &listed.unwrap_or_default()["taskArns"][0];
                drop(ecs("StopTask", json!({ "task": task })));
            }
            Meddling::KillTasks => world.kill_tasks(&name),
            Meddling::Deregister => self.deregister(world),
            Meddling::Ill(_) => world.set_ill(&name, true),
            Meddling::Retention => {
                let input = json!({ "logGroupName": format!("/ecs/{name}"), "retentionInDays": 3 });
                drop(world.cloud.call(Service::Logs, "PutRetentionPolicy", input));
            }
            Meddling::DropDefinition => {
                let definition = &sight.service["taskDefinition"];
                let input = json!({ "taskDefinition": definition });
                drop(ecs("DeregisterTaskDefinition", input));
            }
            Meddling::Retry if !sight.service.is_null() => world.retry(&name),
            Meddling::Retry => {}
            Meddling::Delete => {
                drop(ecs(
                    "DeleteService",
                    json!({ "service": name, "force": true }),
                ));
            }
        }
        let field = format!("{meddling:?}");
        let field = field.split('(').next().unwrap_or_default().to_owned();
        *self.meddled.entry(field).or_default() += 1;
    }

    fn deregister(&self, world: &World) {
        let Some(arn) = world.groups.get(&self.manifest.name) else {
            return;
        };
        let group = json!({ "TargetGroupArn": arn });
        let health = world.call(Service::Elbv2, "DescribeTargetHealth", group);
        let described = health["TargetHealthDescriptions"].as_array();
        let targets = described.into_iter().flatten().map(
            |one| json!({ "Id": one["Target"]["Id"], "Port": one["Target"]["Port"].to_string() }),
        );
        let targets: Vec<_> = targets.collect();
        if !targets.is_empty() {
            let input = json!({ "TargetGroupArn": arn, "Targets": targets });
            drop(world.cloud.call(Service::Elbv2, "DeregisterTargets", input));
        }
    }
}

fn of_another_hand(name: &str) -> Value {
    json!({
        "family": format!("by-hand-{name}"), "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
        "executionRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/execution"),
        "containerDefinitions": [{
            "name": "main", "image": format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}:1"),
            "portMappings": [{ "containerPort": 80 }],
        }],
    })
}

impl Release {
    fn script(self) -> Script {
        match self {
            Self::Good => Script::GOOD,
            Self::Crashes => Script::CRASHES,
            Self::Unhealthy => Script::UNHEALTHY,
            Self::NeverStarts => Script::NeverStarts,
        }
    }
}

impl Tag {
    const ALL: [Self; 4] = [Self::Owner, Self::Applied, Self::Image, Self::Labels];

    fn key(self) -> &'static str {
        match self {
            Self::Owner => "evenkeel:owner",
            Self::Applied => "evenkeel:applied",
            Self::Image => "evenkeel:image",
            Self::Labels => "evenkeel:labels",
        }
    }
}

impl Fault {
    fn rule(&self) -> Value {
        let effect = match self.what {
            Wrong::Throttle => json!("throttle"),
            Wrong::ServerError => json!({ "serverError": { "status": 503 } }),
            Wrong::Delay(seconds) => json!({ "delay": { "seconds": seconds } }),
            Wrong::Hang => json!("hang"),
            Wrong::RequestLost => json!("requestLost"),
            Wrong::ReplyLost => json!("replyLost"),
            Wrong::Stale(seconds) => json!({ "stale": { "seconds": seconds } }),
            Wrong::Partial => json!({ "partial": {} }),
            Wrong::PageLost => json!("pageLost"),
            Wrong::Denied => json!("accessDenied"),
            Wrong::Expired => json!("expiredCredentials"),
        };
        let operation = match self.of {
            Calls::All => "*",
            Calls::Describes => "Describe*",
            Calls::Lists => "List*",
            Calls::Updates => "UpdateService",
            Calls::Creates => "Create*",
            Calls::Registers => "Register*",
            Calls::Tags => "*Tag*",
        };
        let share = f64::from(self.percent) / 100.0;
        json!({ "operation": operation, "probability": share, "effect": effect })
    }
}
