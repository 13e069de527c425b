//! The next version of Evenkeel has another normal form. What matches still matches, what is held is still held, and
//! nothing is written.

use std::sync::Arc;

use crate::{next_form::next, world::World};
use aws_config::SdkConfig;
use aws_sdk_ecs::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, retry::RetryConfig,
};
use evenkeel::{
    aws::{Ahead, Aws, Clients},
    desired::Settings,
    manifest::{Manifest, Options},
    metrics::Metrics,
    normal::Form,
    reconcile::{self, Carried, Look, Next, Permit},
    source::{Place, Reader, Source},
    status::{Phase, ServiceStatus},
};

/// Who signs the next version's calls.
const NEXT: &str = "evenkeel-next";

fn settings(form: Form) -> Settings {
    Settings {
        owner: "evenkeel".to_owned(),
        form,
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
async fn passes(world: &World, form: Form) -> Arc<ServiceStatus> {
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
            Look {
                described,
                time,
                ahead: Ahead::default(),
            },
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
    set.manifests.remove(0)
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
