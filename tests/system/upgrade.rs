//! The next version of Evenkeel has another normal form. What matches still matches, what is held is still held, and
//! nothing is written.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_ecs::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, retry::RetryConfig,
};
use evenkeel::{
    aws::{Aws, Clients},
    desired::Settings,
    manifest::{Manifest, Options},
    metrics::Metrics,
    normal::{Form, RULES, Rule},
    plan::{self, Cause, Lessons},
    reconcile::{self, Carried, Next, Permit},
    source::{Place, Reader, Source},
    status::{Phase, ServiceStatus},
};
use serde_json::json;

use crate::{documents::Pair, world::World};

/// Who signs the next version's calls.
const NEXT: &str = "evenkeel-next";

/// The next version's rules: lists that had keys or an order have none any more, and one more default is known, which
/// the manifest of these tests writes and AWS returns.
fn next() -> Form {
    let unordered = [
        "service.loadBalancers",
        "service.placementStrategy",
        "taskDefinition.containerDefinitions.*.command",
        "taskDefinition.containerDefinitions.*.environment",
        "taskDefinition.containerDefinitions.*.mountPoints",
        "taskDefinition.containerDefinitions.*.portMappings",
    ];
    let kept = RULES
        .iter()
        .copied()
        .filter(|(path, _)| !unordered.contains(path));
    let changed = unordered.map(|path| (path, Rule::Unordered));
    let added = (
        "taskDefinition.containerDefinitions.*.stopTimeout",
        Rule::Default(|| json!(30)),
    );
    Form::new(kept.chain(changed).chain([added]))
}

fn settings(form: Form) -> Settings {
    Settings {
        owner: "evenkeel".to_owned(),
        form,
    }
}

#[test]
fn every_document_matches_by_the_next_form_too() {
    let (current, next) = (Form::current(), next());
    let mut others = 0;
    for mut pair in Pair::all() {
        let definition = pair.desired.definition.as_ref().unwrap();
        others += u32::from(current.definition(definition) != next.definition(definition));
        pair.desired.form = next.clone();
        let plan = plan::plan(&pair.desired, &pair.observed(), &Lessons::default());
        assert!(plan.is_empty(), "{}: {:?}", pair.name, plan.differences);
    }
    assert!(others > 10, "the next form is hardly another: {others}");
}

/// Such a form would deploy every service. It is drift and no edit, by which the brake knows it.
#[test]
fn a_default_that_the_next_form_forgets_is_drift_everywhere() {
    let essential = "taskDefinition.containerDefinitions.*.essential";
    let rules = RULES.iter().copied();
    let forgetful = Form::new(rules.filter(|(path, _)| *path != essential));
    for mut pair in Pair::all() {
        let definition = pair.desired.definition.as_ref().unwrap();
        let is_written = json!(definition).to_string().contains("\"essential\"");
        pair.desired.form = forgetful.clone();
        let plan = plan::plan(&pair.desired, &pair.observed(), &Lessons::default());
        if !is_written {
            assert_eq!(plan.cause, Some(Cause::Drift), "{}", pair.name);
            assert!(plan.starts_deployment(), "{}", pair.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_of_the_normal_form_writes_nothing() {
    let world = World::start().await;
    world
        .until("in sync", |status| status.phase == Phase::Synced)
        .await;
    let synced = passes(&world, next()).await;
    assert_eq!(synced.phase, Phase::Synced, "{synced:#?}");

    world.set_tag("crashes");
    let held = world
        .until("held", |status| {
            status.phase == Phase::Held && status.rollout.is_none()
        })
        .await;
    let still_held = passes(&world, next()).await;
    assert_eq!(still_held.phase, Phase::Held, "{still_held:#?}");
    assert_eq!(still_held.held, held.held);

    let mut calls = world.journal().await;
    calls.retain(|call| call.caller == NEXT);
    assert!(!calls.is_empty(), "the next version has not looked");
    calls.retain(|call| call.write);
    assert!(calls.is_empty(), "{calls:#?}");
}

/// A daemon's first passes by this form, and what it tells then.
async fn passes(world: &World, form: Form) -> ServiceStatus {
    let aws = Aws::new(clients(world), Metrics::new().unwrap());
    let manifest = manifest(world).await;
    let settings = settings(form);
    let mut carried = Carried::default();
    for _ in 0..3 {
        let names = std::slice::from_ref(&manifest.name);
        let (mut described, time) = aws.describe_services(&manifest.cluster, names).await;
        let described = described.remove(&manifest.name).unwrap();
        let passed = reconcile::pass(
            &aws,
            &manifest,
            &settings,
            described,
            time,
            &mut carried,
            |_| Permit::Granted,
        )
        .await;
        assert_eq!(passed.next, Next::Resync, "{passed:#?}");
    }
    carried.status.unwrap()
}

async fn manifest(world: &World) -> Arc<Manifest> {
    let source = Source {
        place: Place::Directory(world.manifest().parent().unwrap().to_owned()),
        terraform_outputs: Some(world.state().join("terraform.json")),
        values: None,
        options: Options::default(),
    };
    let aws = Aws::new(clients(world), Metrics::new().unwrap());
    let mut set = Reader::new(source, aws).read().await.unwrap();
    assert_eq!(set.manifests.len(), 1, "{:?}", set.diagnostics);
    Arc::new(set.manifests.remove(0))
}

fn clients(world: &World) -> Clients {
    let credentials = Credentials::new(NEXT, "not-a-secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(&world.endpoints.aws)
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::standard())
        .build();
    Clients::new(&config)
}
