//! One run: a seed, a clock, AWS, the hand and the daemons.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use evenkeel::{
    aws::S3Url, daemon::Board, metrics::Metrics, normal::Form, source::Reading,
    status::ServiceStatus,
};
use tokio::{runtime::Builder, sync::watch, time::sleep};

use crate::{
    clock::Clock,
    cloud::Cloud,
    daemon::{Daemon, Setting},
    furniture::CLUSTER,
    journal::What,
    manifest::{File, Files},
    sight::{Sight, Subject},
    wire::{Fuse, Life, Side},
};

/// How often a condition is looked at while it is waited for.
const LOOK: Duration = Duration::from_secs(1);

/// Everything of one run.
#[derive(Debug)]
pub struct World {
    /// All that is random comes from here.
    pub seed: u64,
    /// The time.
    pub clock: Clock,
    /// AWS.
    pub cloud: Cloud,
    /// How often a daemon looks at every service.
    pub resync: Duration,
    /// The time that daemons take it to be.
    pub daemons_clock: Clock,
    /// The lease that daemons share, where there is one.
    pub lease: Option<S3Url>,
    /// What daemons take for the normal form of documents.
    pub form: Form,
    pub(crate) files: Files,
    /// ARNs of target groups, by name.
    pub groups: BTreeMap<String, String>,
    /// Executables and digests of images, by repository and tag.
    pub images: BTreeMap<(String, String), (String, String)>,
    /// Where daemons read the manifests.
    pub manifests: watch::Sender<Option<Reading>>,
    daemons: Daemons,
}

/// Every daemon of the run, the last one last.
type Daemons = Arc<Mutex<Vec<Daemon>>>;

impl World {
    /// Runs a story in a world of its own, on a thread of its own, and returns what it came to. Should it fail, the seed
    /// is printed.
    ///
    /// # Panics
    /// When the story does.
    pub fn run<T: Send>(seed: u64, story: impl AsyncFnOnce(&mut Self) -> T + Send) -> T {
        let run = || {
            fastrand::seed(seed);
            let runtime = Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build();
            #[expect(clippy::expect_used, reason = "without a runtime there is no run")]
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async {
                let mut world = Self::new(seed);
                world.furnish();
                story(&mut world).await
            })
        };
        let ended = std::thread::scope(|scope| scope.spawn(run).join());
        ended.unwrap_or_else(|panic| {
            #[expect(clippy::print_stderr, reason = "what a person needs to see it again")]
            {
                eprintln!("the seed of this run is {seed}");
            }
            std::panic::resume_unwind(panic)
        })
    }

    fn new(seed: u64) -> Self {
        let clock = Clock::start();
        Self {
            seed,
            clock,
            cloud: Cloud::new(seed, clock),
            resync: Duration::from_secs(30),
            daemons_clock: clock,
            lease: None,
            form: Form::current(),
            files: Files::new(),
            groups: BTreeMap::new(),
            images: BTreeMap::new(),
            manifests: watch::Sender::new(None),
            daemons: Daemons::default(),
        }
    }

    /// Starts a daemon.
    pub fn start(&self) {
        self.start_with(Life::default());
    }

    /// Starts a daemon with this life.
    pub fn start_with(&self, life: Life) {
        start(&self.daemons, self.setting(), life);
    }

    /// Keeps a daemon running: whenever one has ended, the next one is started a moment later. The n-th ends by the n-th
    /// fuse.
    pub fn keep_running(&self, fuses: Vec<Fuse>, moment: Duration) {
        let (daemons, setting) = (Arc::clone(&self.daemons), self.setting());
        let mut fuses = fuses.into_iter();
        let mut life = Life::with(fuses.next());
        start(&daemons, setting.clone(), life.clone());
        tokio::spawn(async move {
            loop {
                life.ended().await;
                sleep(moment).await;
                life = Life::with(fuses.next());
                start(&daemons, setting.clone(), life.clone());
            }
        });
    }

    /// Tells the last daemon to stop, as SIGTERM does.
    pub fn terminate(&self) {
        if let Some(daemon) = lock(&self.daemons).last() {
            daemon.terminate();
        }
    }

    /// Ends the last daemon at one of its next calls, the very next being 0.
    pub fn kill_at(&self, call: usize, side: Side) {
        if let Some(daemon) = lock(&self.daemons).last() {
            daemon.life.end_at(call, side);
        }
    }

    /// Ends the last daemon at once.
    pub fn kill(&self) {
        if let Some(daemon) = lock(&self.daemons).last() {
            daemon.life.end();
        }
    }

    /// Lets the last daemon live, whatever call it was to end at.
    pub fn spare(&self) {
        if let Some(daemon) = lock(&self.daemons).last() {
            daemon.life.spare();
        }
    }

    /// The manifests as they are.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// ARNs of target groups, by name.
    #[must_use]
    pub fn groups(&self) -> &BTreeMap<String, String> {
        &self.groups
    }

    /// Executables and digests of images, by repository and tag.
    #[must_use]
    pub fn images(&self) -> &BTreeMap<(String, String), (String, String)> {
        &self.images
    }

    /// How many calls the last daemon has made.
    #[must_use]
    pub fn calls(&self) -> usize {
        lock(&self.daemons)
            .last()
            .map_or(0, |daemon| daemon.life.calls())
    }

    /// What the last daemon counts.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let last = lock(&self.daemons)
            .last()
            .map(|daemon| daemon.metrics.clone());
        #[expect(clippy::expect_used, reason = "as the documentation says")]
        last.expect("a daemon")
    }

    /// What the last daemon tells of all services.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        lock(&self.daemons)
            .last()
            .map(|daemon| Arc::clone(&daemon.board))
            .unwrap_or_default()
    }

    /// What the last daemon tells of a service.
    #[must_use]
    pub fn told(&self, service: &str) -> Option<ServiceStatus> {
        let key = (CLUSTER.to_owned(), service.to_owned());
        self.board().service(&key).map(Arc::unwrap_or_clone)
    }

    /// A service as AWS has it.
    #[must_use]
    pub fn service(&self, name: &str) -> Sight {
        self.cloud.look(&Subject::Service(name.to_owned()))
    }

    /// Lets time pass.
    pub async fn pass(&self, time: Duration) {
        sleep(time).await;
    }

    /// Lets time pass until something holds.
    ///
    /// # Panics
    /// When it does not within the limit.
    pub async fn until(&self, limit: Duration, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = self.clock.now() + limit;
        while !holds(self) {
            assert!(
                self.clock.now() < end,
                "not {what} within {limit:?}: {:#?}\n{:#?}",
                self.board().services(),
                self.board().events(),
            );
            self.pass(LOOK).await;
        }
    }

    /// Lets time pass in which nobody touches anything and, as everything is at rest, the daemon has nothing to do.
    pub async fn rest(&self, time: Duration) {
        for service in self.described() {
            let sight = self.service(&service);
            self.cloud.note(What::Seen(service, Box::new(sight)));
        }
        self.cloud.note(What::Rest(time));
        self.pass(time).await;
    }

    fn described(&self) -> Vec<String> {
        let manifests = self.files.values().filter_map(|file| match file {
            File::Manifest(manifest) => Some(manifest.name.clone()),
            File::Broken(_) => None,
        });
        manifests.collect()
    }

    fn setting(&self) -> Setting {
        Setting {
            cloud: self.cloud.clone(),
            clock: self.daemons_clock,
            manifests: self.manifests.subscribe(),
            resync: self.resync,
            lease: self.lease.clone(),
            form: self.form.clone(),
        }
    }
}

fn start(daemons: &Daemons, setting: Setting, life: Life) {
    let mut daemons = lock(daemons);
    let number = daemons.len();
    daemons.push(Daemon::start(number, setting, life));
}

fn lock(daemons: &Daemons) -> std::sync::MutexGuard<'_, Vec<Daemon>> {
    daemons.lock().unwrap_or_else(PoisonError::into_inner)
}
