//! Many services, as an earlier daemon would have left them, and their manifests.

#![expect(
    clippy::expect_used,
    reason = "a fleet that cannot be laid ends the run, as the documentation says"
)]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    daemon::OWNER,
    furniture::CLUSTER,
    manifest::{Manifest, TargetHealth},
    tasks::Script,
    world::World,
};
use emulator::core::Service;
use evenkeel::{
    desired::{Desired, Settings},
    manifest::{self, ManifestSet, Options, References, SourceFile, parse_set},
    normal::Form,
    observed::{Image, LogGroup, Observed},
    plan::{self, Lessons, REGISTERED, Write},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Until every task that is started at once is healthy.
const SETTLES: Duration = Duration::from_secs(300);

/// How many services have a target group: as many as AWS allows in a region before one asks for more.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
const MOST_GROUPS: usize = 3_000;
/// What their manifests say of that.
const HEALTH: TargetHealth = TargetHealth {
    minimum: 1,
    grace: Duration::from_secs(120),
    redeploy: true,
};
/// How many repositories they have their images in.
const REPOSITORIES: usize = 100;
/// How many of them share a load balancer; it may have 100 rules, and a region 50 balancers.
const GROUPS_OF_BALANCER: usize = 60;

/// Every service, at rest.
#[derive(Debug)]
pub struct Fleet {
    /// How many clusters there are.
    pub clusters: usize,
    manifests: Vec<Manifest>,
    /// What the daemon was last given; nothing before that, so that all that it holds has been given to it.
    set: ManifestSet,
}

impl Fleet {
    /// Makes all that the manifests name and the services that they describe, and waits until these are at rest. From then
    /// on only a tally is kept: the journal of a large fleet would be larger than the fleet.
    ///
    /// # Panics
    /// When AWS refuses anything.
    pub async fn lay(world: &mut World, services: usize, clusters: usize) -> Self {
        Self::lay_with(world, services, clusters, MOST_GROUPS).await
    }

    /// The same, with so many target groups at most.
    ///
    /// # Panics
    /// When AWS refuses anything.
    pub async fn lay_with(
        world: &mut World,
        services: usize,
        clusters: usize,
        groups: usize,
    ) -> Self {
        world.cloud.take_tally();
        let cluster = |number: usize| match number {
            0 => CLUSTER.to_owned(),
            _ => format!("{CLUSTER}-{number}"),
        };
        for number in 1..clusters {
            world.cluster(&cluster(number));
        }
        let is_balanced = |number: &usize| *number < groups;
        let manifests = (0..services).map(|number| Manifest {
            cluster: cluster(number % clusters),
            target_group: Some(name(number)).filter(|_| is_balanced(&number)),
            target_health: Some(HEALTH).filter(|_| is_balanced(&number)),
            repository: repository(number),
            ..Manifest::new(&name(number), "1")
        });
        let manifests: Vec<_> = manifests.collect();
        for number in 0..services.min(REPOSITORIES) {
            world.repository(&repository(number), "1", Script::GOOD);
            world.push(&repository(number), "2", Script::GOOD);
        }
        let groups: Vec<_> = (0..services).filter(is_balanced).map(name).collect();
        for (number, groups) in groups.chunks(GROUPS_OF_BALANCER).enumerate() {
            world.target_groups(&format!("balancer-{number}"), groups);
        }
        let set = parse(world, &manifests);
        for manifest in &set.manifests {
            create(world, manifest);
        }
        world.pass(SETTLES).await;
        Self {
            clusters,
            manifests,
            set: ManifestSet::default(),
        }
    }

    /// How many services there are.
    #[must_use]
    pub fn services(&self) -> usize {
        self.manifests.len()
    }

    /// Hands the manifests to the daemon.
    ///
    /// # Panics
    /// When one is invalid.
    pub fn publish(&mut self, world: &World) {
        if self.set.manifests.is_empty() {
            self.set = parse(world, &self.manifests);
        }
        world.manifests.send_replace(Some(Ok(self.set.clone())));
    }

    /// Edits the manifest of one service.
    ///
    /// # Panics
    /// When there is no such service.
    pub fn edit_one(&mut self, world: &World, which: usize, value: usize) {
        let manifest = &mut self.manifests[which];
        let variable = ("VALUE".to_owned(), value.to_string());
        manifest.environment = BTreeMap::from([variable]);
        let one = parse(world, std::slice::from_ref(manifest))
            .manifests
            .remove(0);
        let found = self
            .set
            .manifests
            .iter_mut()
            .find(|other| other.name == one.name);
        // One that has not been given yet is edited before it is.
        if let Some(found) = found {
            *found = one;
        }
    }

    /// Edits every manifest: the next image.
    ///
    /// # Panics
    /// When one is invalid.
    pub fn edit_all(&mut self, world: &World) {
        for manifest in &mut self.manifests {
            manifest.tag = "2".to_owned();
        }
        self.set = parse(world, &self.manifests);
    }
}

fn repository(number: usize) -> String {
    format!("repository-{}", number % REPOSITORIES)
}

fn name(number: usize) -> String {
    format!("service-{number:05}")
}

fn parse(world: &World, manifests: &[Manifest]) -> ManifestSet {
    let files = manifests.iter().map(|manifest| {
        let arn = world.groups.get(&manifest.name).map(String::as_str);
        let (name, text) = (format!("{}.yaml", manifest.name), Ok(manifest.text(arn)));
        SourceFile { name, text }
    });
    let references = References::new(Some("{}"), []).expect("no references");
    let set = parse_set(files.collect(), &references, Options::default());
    assert!(set.diagnostics.is_empty(), "{:?}", set.diagnostics);
    set
}

/// Carries out the plan for a service that is not there, past every quota.
fn create(world: &World, manifest: &manifest::Manifest) {
    let settings = Settings {
        owner: OWNER.to_owned(),
        form: Form::current(),
    };
    let wanted = manifest.image.as_ref().expect("an image");
    let name = wanted.repository.rsplit('/').next().unwrap_or_default();
    let (_, digest) = &world.images[&(name.to_owned(), wanted.tag.clone())];
    let repository = &wanted.repository;
    let image = Image::Resolved {
        reference: format!("{repository}@{digest}"),
        digest: Some(digest.clone()),
    };
    let desired = Desired::new(Arc::new(manifest.clone()), &settings, &image);
    let observed = Observed {
        service: None,
        definition: None,
        revisions: Vec::new(),
        history: Vec::new(),
        log_group: LogGroup::Missing,
        image,
        targets: None,
        progress: None,
        unhealthy_since: None,
        rival: None,
        aws_time: Timestamp::UNIX_EPOCH,
    };
    let mut registered = Value::Null;
    for step in plan::plan(&desired, &observed, &Lessons::default()).steps {
        let mut input = Value::Object(step.input.clone());
        if input["taskDefinition"] == REGISTERED {
            input["taskDefinition"].clone_from(&registered);
        }
        let service = if step.operation.is_of_log_group() {
            Service::Logs
        } else {
            Service::Ecs
        };
        let reply = world.call(service, step.operation.name(), input);
        if step.operation == Write::RegisterTaskDefinition {
            registered = reply["taskDefinition"]["taskDefinitionArn"].clone();
        }
    }
    assert_ne!(
        registered,
        json!(null),
        "{} needs a definition",
        manifest.name
    );
}
