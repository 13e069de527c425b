//! A daemon's passes over one service, with bytes for AWS's answers.
//!
//! The SDK's HTTP client is replaced; the rest of the way is the daemon's own: the SDK's deserialization, looking, deciding,
//! acting and telling. Time is virtual.

mod client;
mod mutation;

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use evenkeel::{
    aws::{Ahead, Aws},
    desired::Settings,
    manifest::{self, Manifest, Options, References},
    metrics::Metrics,
    normal::Form,
    reconcile::{self, Carried, Look, Permit},
};
use tokio::{
    runtime::{Builder, Runtime},
    time::advance,
};

pub use client::Answers;
pub use mutation::mutate;

/// The manifest of the service that is looked at. The seeds are answers about it.
const MANIFEST: &str = include_str!("../seeds/manifest/service.yaml");

/// The one that it names.
const TARGET_GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/shop/0a1b2c3d4e5f6071";

static SERVICE: LazyLock<Arc<Manifest>> = LazyLock::new(|| {
    let references = References::new(Some("{}"), []).unwrap();
    let (mut manifests, problems) =
        manifest::parse_file("service.yaml", MANIFEST, &references, Options::default());
    assert!(problems.is_empty(), "{problems:?}");
    Arc::new(manifests.remove(0))
});

static RUNTIME: LazyLock<Mutex<Runtime>> = LazyLock::new(|| {
    let mut runtime = Builder::new_current_thread();
    Mutex::new(runtime.enable_time().start_paused(true).build().unwrap())
});

static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics::new().unwrap());

/// From one pass to the next.
const APART: Duration = Duration::from_secs(1_800);

/// Passes over the service, as long as AWS gives these answers: the first as after an edit, the others as by the resync.
/// What a look that failed leads to may not be a write.
pub fn passes(answers: Answers) {
    const PASSES: u32 = 3;
    client::answer_with(answers);
    let aws = Aws::new(client::CLIENTS.clone(), METRICS.clone());
    let settings = Settings {
        owner: "evenkeel".to_owned(),
        form: Form::current(),
    };
    RUNTIME.lock().unwrap().block_on(async {
        let mut carried = Carried::default();
        for pass in 0..PASSES {
            client::set_time(pass * APART);
            let names = std::slice::from_ref(&SERVICE.name);
            let (mut described, time) = aws.describe_services(&SERVICE.cluster, names).await;
            let look = Look {
                described: described.remove(&SERVICE.name).unwrap(),
                time,
                ahead: match pass {
                    0 => aws.look_ahead(&SERVICE).await,
                    _ => Ahead::default(),
                },
            };
            let has_failed = look.described.is_err();
            let writes = client::writes();
            let permit = |_| Permit::Granted;
            let _ = reconcile::pass(&aws, &SERVICE, &settings, look, &mut carried, permit).await;
            assert!(
                !has_failed || client::writes() == writes,
                "a look failed, and something was written"
            );
            // What people are told can be written down.
            serde_json::to_string(&carried.status).unwrap();
            advance(APART).await;
        }
        let _ = aws.target_group(TARGET_GROUP).await;
    });
}
