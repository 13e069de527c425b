//! The loop with the real SDK, whose HTTP client leads to a wire of ours. Time is virtual.

mod ours;

use std::{
    future::{pending, ready},
    sync::{Mutex, MutexGuard},
};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;

use self::ours::Ours;
use super::*;
use crate::{
    aws::{Clients, Fence},
    daemon::samples::{manifest, set},
    metrics::Metrics,
    normal::Form,
    status::{Phase, ServiceStatus},
};

/// Each cluster answers in its own way.
#[derive(Debug, Clone, Default)]
struct Wire {
    /// How many calls there were, by cluster.
    calls: Arc<Mutex<BTreeMap<String, usize>>>,
    /// Held by every call that runs.
    running: Arc<()>,
    /// The one cluster that has services.
    ours: Arc<Mutex<Ours>>,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let input: serde_json::Value =
            serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let target = request.headers().get("x-amz-target").unwrap();
        let operation = target.rsplit('.').next().unwrap();
        // Tags and definitions are of no cluster.
        let cluster = input["cluster"].as_str().unwrap_or(ours::CLUSTER);
        if operation == "DescribeServices" {
            *self.calls().entry(cluster.to_owned()).or_default() += 1;
        }
        match cluster {
            "panics" => panic!("on purpose"),
            "hangs" => {
                let running = Arc::clone(&self.running);
                HttpConnectorFuture::new(async move {
                    let _running = running;
                    pending().await
                })
            }
            ours::CLUSTER => {
                let answer = self.ours().answer(operation, &input);
                let (status, body) = (StatusCode::try_from(200).unwrap(), answer.to_string());
                let answer = HttpResponse::new(status, SdkBody::from(body));
                HttpConnectorFuture::new(ready(Ok(answer)))
            }
            _ => {
                let body = SdkBody::from(r#"{"__type": "ClusterNotFoundException"}"#);
                let status = StatusCode::try_from(400).unwrap();
                HttpConnectorFuture::new(ready(Ok(HttpResponse::new(status, body))))
            }
        }
    }
}

impl Wire {
    fn calls(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.calls.lock().unwrap()
    }

    fn calls_to(&self, cluster: &str) -> usize {
        self.calls().get(cluster).copied().unwrap_or_default()
    }

    fn ours(&self) -> MutexGuard<'_, Ours> {
        self.ours.lock().unwrap()
    }

    fn clients(&self) -> Clients {
        let wire = SharedHttpConnector::new(self.clone());
        let credentials = aws_sdk_ecs::config::Credentials::new("test", "test", None, None, "test");
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .region(aws_sdk_ecs::config::Region::from_static("us-east-1"))
            .credentials_provider(aws_sdk_ecs::config::SharedCredentialsProvider::new(
                credentials,
            ))
            .http_client(http_client_fn(move |_, _| wire.clone()))
            .build();
        Clients::new(&config)
    }
}

struct World {
    wire: Wire,
    fence: Fence,
    board: Arc<Board>,
    manifests: watch::Sender<Option<Reading>>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<Ended>,
}

impl World {
    fn start() -> Self {
        Self::start_with(None, None)
    }

    /// With these manifests in force from an earlier term, and this read since.
    fn start_with(before: Option<ManifestSet>, reading: Option<Reading>) -> Self {
        let (wire, board) = (Wire::default(), Arc::<Board>::default());
        let metrics = Metrics::new().unwrap();
        let pace = Pace {
            settings: Settings {
                owner: "test".to_owned(),
                form: Form::current(),
            },
            resync: Duration::from_secs(30),
        };
        let fence = Fence::open();
        let aws = Aws::new(wire.clients(), metrics.clone()).behind(fence.clone());
        let reporter = Reporter::new(Arc::clone(&board), metrics, aws.clock().clone());
        let fleet = Fleet::new(aws, pace, Arc::clone(&board), reporter, before);
        let (manifests, mut readings) = watch::channel(reading);
        readings.mark_changed();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(fleet.run(readings, shutdown.clone()));
        Self {
            wire,
            fence,
            board,
            manifests,
            shutdown,
            task,
        }
    }

    /// Services `api` in these clusters, and no others.
    fn describe(&self, clusters: &[&str]) {
        let files: Vec<_> = clusters
            .iter()
            .map(|cluster| (format!("{cluster}.yaml"), manifest("api", cluster)))
            .collect();
        let files: Vec<_> = files
            .iter()
            .map(|(f, t)| (f.as_str(), t.as_str()))
            .collect();
        self.manifests.send_replace(Some(Ok(set(&files))));
    }

    fn told(&self, cluster: &str) -> Option<Arc<ServiceStatus>> {
        self.board.service(&(cluster.to_owned(), "api".to_owned()))
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(600);
        while !holds(self) {
            assert!(Instant::now() < deadline, "not {what}: {:?}", self.wire);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_one_service_leaves_the_others_going() {
    let world = World::start();
    world.describe(&["panics", "other"]);
    let both = |world: &World| {
        ["panics", "other"]
            .iter()
            .all(|c| world.wire.calls_to(c) >= 3)
    };
    world.until("asked again and again", both).await;
    let told = world.told("panics").unwrap();
    assert_eq!(told.phase, Phase::Unknown);
    assert!(told.message.contains("bug of evenkeel"), "{}", told.message);
    let other = world.told("other").unwrap();
    assert!(
        other.message.contains("ClusterNotFound"),
        "{}",
        other.message
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_in_force_in_an_earlier_term_stays_whatever_is_read_in_this_one() {
    let before = || Some(set(&[("api.yaml", manifest("api", "prod").as_str())]));
    for reading in [Err("S3 is away".to_owned()), Ok(set(&[]))] {
        let world = World::start_with(before(), Some(reading));
        let asked = |world: &World| world.wire.calls_to("prod") >= 2;
        world.until("asked for", asked).await;
        assert!(world.told("prod").is_some());
        assert!(world.board.not_ready().is_some(), "it says why");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_goes_and_comes_back_is_asked_for_once_at_a_time() {
    let world = World::start();
    world.describe(&["hangs", "other"]);
    let asked = |world: &World| world.wire.calls_to("hangs") == 1;
    world.until("asked", asked).await;
    for clusters in [&["other"][..], &["hangs", "other"]] {
        world.describe(clusters);
        // Both within the deadline of the one attempt.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(asked(&world), "{:?}", world.wire);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_does_not_keep_the_loop_from_ending() {
    let world = World::start();
    world.describe(&["hangs"]);
    world
        .until("asked", |world| world.wire.calls_to("hangs") == 1)
        .await;
    let idle = Arc::strong_count(&world.wire.running) - 1;
    let began = Instant::now();
    world.shutdown.cancel();
    let World { wire, task, .. } = world;
    task.await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    while Arc::strong_count(&wire.running) > idle {
        assert!(Instant::now() < deadline, "the call was not aborted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A world in which these services run and have been seen to.
async fn running(names: &[&str]) -> World {
    let world = World::start();
    world.wire.ours().services = names.iter().map(|name| (*name).to_owned()).collect();
    let files: Vec<_> = names
        .iter()
        .map(|name| (format!("{name}.yaml"), manifest(name, ours::CLUSTER)))
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(file, text)| (file.as_str(), text.as_str()))
        .collect();
    world.manifests.send_replace(Some(Ok(set(&files))));
    let have_run = |world: &World| {
        let services = world.board.services();
        services.len() == names.len() && services.iter().all(|one| one.tasks.running == 1)
    };
    world.until("running", have_run).await;
    world
}

#[tokio::test(start_paused = true)]
async fn many_services_that_are_gone_at_once_are_not_created_again() {
    let world = running(&["a", "b", "c", "d"]).await;
    world.wire.ours().services.clear();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(world.wire.ours().created, [] as [String; 0]);
    for status in world.board.services() {
        assert_eq!(status.phase, Phase::Degraded, "{status:?}");
        assert!(status.message.contains("4 of 4 services"), "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_gone_is_created_again() {
    let world = running(&["a", "b", "c", "d"]).await;
    world.wire.ours().services.remove("c");
    let is_created = |world: &World| world.wire.ours().created == ["c"];
    world.until("created", is_created).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_lease_it_looks_and_does_not_write() {
    let world = running(&["a", "b", "c", "d"]).await;
    world.fence.close();
    world.wire.ours().services.remove("c");
    let before = world.wire.calls_to(ours::CLUSTER);
    let looks_on = |world: &World| world.wire.calls_to(ours::CLUSTER) > before + 10;
    world.until("looked at", looks_on).await;
    assert_eq!(world.wire.ours().created, [] as [String; 0]);
    world
        .fence
        .open_until(Instant::now() + Duration::from_secs(600));
    let is_created = |world: &World| world.wire.ours().created == ["c"];
    world.until("created", is_created).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_in_force_only_for_want_of_another_set_creates_nothing() {
    let world = running(&["a", "b"]).await;
    world.manifests.send_replace(Some(Ok(set(&[]))));
    world.wire.ours().services.remove("a");
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(world.wire.ours().created, [] as [String; 0]);
    let key = |name: &str| (ours::CLUSTER.to_owned(), name.to_owned());
    let gone = world.board.service(&key("a")).unwrap();
    assert_eq!(gone.phase, Phase::Degraded);
    assert!(gone.message.contains("its manifest is gone"), "{gone:?}");

    let (a, b) = (manifest("a", ours::CLUSTER), manifest("b", ours::CLUSTER));
    let back = set(&[("a.yaml", &a), ("b.yaml", &b)]);
    world.manifests.send_replace(Some(Ok(back)));
    let is_created = |world: &World| world.wire.ours().created == ["a"];
    world.until("created", is_created).await;
}

#[tokio::test(start_paused = true)]
async fn an_orphan_that_is_deleted_is_forgotten_also_where_no_other_service_is() {
    let world = running(&["a"]).await;
    let elsewhere = manifest("api", "other");
    let a = manifest("a", ours::CLUSTER);
    let both = set(&[("a.yaml", &a), ("api.yaml", &elsewhere)]);
    world.manifests.send_replace(Some(Ok(both)));
    world
        .until("both", |world| world.board.services().len() == 2)
        .await;
    world
        .manifests
        .send_replace(Some(Ok(set(&[("api.yaml", &elsewhere)]))));
    let is_orphan = |world: &World| {
        let services = world.board.services();
        services.iter().any(|one| one.phase == Phase::Orphaned)
    };
    world.until("an orphan", is_orphan).await;
    world.wire.ours().services.clear();
    world.until("forgotten", |world| !is_orphan(world)).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_service_whose_passes_break_off() {
    let world = running(&["a"]).await;
    let (a, panics) = (manifest("a", ours::CLUSTER), manifest("api", "panics"));
    let both = set(&[("a.yaml", &a), ("api.yaml", &panics)]);
    world.manifests.send_replace(Some(Ok(both)));
    world
        .until("broken off", |world| world.told("panics").is_some())
        .await;
    world.wire.ours().services.clear();
    let is_created = |world: &World| world.wire.ours().created == ["a"];
    world.until("created", is_created).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_only_said_to_be_missing_is_not_created() {
    let world = running(&["a", "b"]).await;
    world.wire.ours().hidden.insert("b".to_owned());
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(world.wire.ours().created, [] as [String; 0]);
    let told = world
        .board
        .service(&(ours::CLUSTER.to_owned(), "b".to_owned()))
        .unwrap();
    assert_eq!(told.phase, Phase::Unknown, "{told:?}");
    assert!(told.message.contains("ListServices has it"), "{told:?}");
}
