//! The loop: which services are looked at when, and never one of them twice at once.
//!
//! A service is due because its manifest changed, because something is under way, or because of the resync; a pass is
//! not told which. Services due at the same time are described together, ten per call.

mod census;
mod describe;
mod set;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::{Id, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::describe::Looked;
use crate::{
    aws::{Aws, AwsError},
    daemon::{
        Board,
        board::Key,
        brake::Brake,
        queue::{Batch, Queue},
        report::Reporter,
    },
    desired::Settings,
    manifest::{Manifest, ManifestSet},
    reconcile::{self, Carried, Look, Next, Passed, Permit},
    source::Reading,
    status::ServiceStatus,
};

/// How long running passes may take to end after the daemon was told to stop.
const STOP_WITHIN: Duration = Duration::from_millis(3_500);
/// How old the gauges of the queue may become.
const GAUGES: Duration = Duration::from_secs(1);

/// How the loop behaves.
#[derive(Debug, Clone)]
pub struct Pace {
    /// What is the same for every service.
    pub settings: Settings,
    /// How often every service is looked at.
    pub resync: Duration,
}

/// Every service, and what is going on with it.
#[derive(Debug)]
pub struct Fleet {
    aws: Aws,
    pace: Pace,
    board: Arc<Board>,
    reporter: Reporter,
    set: Option<ManifestSet>,
    /// What only the set in force describes, because the one that was read last may not replace it.
    undescribed: BTreeSet<Key>,
    /// Boxed: a map of what is so large is half empty.
    services: BTreeMap<Key, Box<Service>>,
    queue: Queue,
    brake: Arc<Mutex<Brake>>,
    /// When services without a manifest are looked for again, once a turn over the fleet has ended.
    next_census: Instant,
    /// When the gauges of the queue are told again.
    gauges_at: Instant,
    work: JoinSet<Done>,
    working_on: HashMap<Id, Vec<Key>>,
}

/// What a fleet leaves behind.
#[derive(Debug)]
pub struct Ended {
    /// The manifests that were in force.
    pub set: Option<ManifestSet>,
    /// Whether every pass came to its end, and so no write is under way.
    pub is_clean: bool,
}

#[derive(Debug)]
struct Service {
    manifest: Arc<Manifest>,
    carried: Carried,
    /// Its manifest has changed while it was worked on: what follows is waited for.
    hurry: CancellationToken,
}

#[derive(Debug)]
enum Done {
    Described(Vec<Looked>),
    Passed(Box<(Key, Carried, Passed, Duration)>),
    /// The services of a cluster that have our owner tag and no manifest.
    Counted(String, Result<Vec<ServiceStatus>, AwsError>),
}

impl Fleet {
    /// A fleet with no services yet. `before` are the manifests that were in force in an earlier term.
    pub fn new(
        aws: Aws,
        pace: Pace,
        board: Arc<Board>,
        reporter: Reporter,
        before: Option<ManifestSet>,
    ) -> Self {
        Self {
            aws,
            queue: Queue::new(pace.resync),
            brake: Arc::new(Mutex::new(Brake::new(pace.resync))),
            next_census: Instant::now(),
            gauges_at: Instant::now(),
            pace,
            board,
            reporter,
            set: before,
            undescribed: BTreeSet::new(),
            services: BTreeMap::new(),
            work: JoinSet::new(),
            working_on: HashMap::new(),
        }
    }

    /// Runs until `shutdown`, then lets the running passes end.
    pub async fn run(
        mut self,
        mut manifests: watch::Receiver<Option<Reading>>,
        shutdown: CancellationToken,
    ) -> Ended {
        // In force from the start: what is read now may not replace it.
        if let Some(set) = self.set.clone() {
            self.reporter.manifests(&set);
            self.follow_set(&set);
        }
        if manifests.has_changed().unwrap_or(false) {
            let reading = manifests.borrow_and_update().clone();
            self.take(reading);
        }
        loop {
            let wake = self.start_due();
            tokio::select! {
                // In this order, rather than by chance: a seed tells the whole story.
                biased;
                () = shutdown.cancelled() => break,
                Ok(()) = manifests.changed() => {
                    let reading = manifests.borrow_and_update().clone();
                    self.take(reading);
                }
                Some(done) = self.work.join_next_with_id() => self.finish(done),
                () = tokio::time::sleep_until(wake) => {}
            }
        }
        let finished = tokio::time::timeout(STOP_WITHIN, async {
            while self.work.join_next().await.is_some() {}
        })
        .await;
        if finished.is_err() {
            tracing::warn!("calls to AWS were still running; the next daemon looks again");
        }
        Ended {
            set: self.set,
            is_clean: finished.is_ok(),
        }
    }

    /// Hands out what is due, and says when to look again.
    fn start_due(&mut self) -> Instant {
        let now = Instant::now();
        for Batch { urgency, keys } in self.queue.take(now) {
            self.start_describe(urgency, &keys);
        }
        if let Some(took) = self.queue.turn_ended(now) {
            self.reporter.turn(took);
            self.look_for_orphans(now);
        }
        if self.gauges_at <= now {
            self.gauges_at = now + GAUGES;
            self.reporter
                .queue(self.queue.depth(now), self.queue.longest_running(now));
        }
        let wake = self.queue.wake();
        wake.map_or(self.gauges_at, |wake| wake.min(self.gauges_at))
    }

    fn start_pass(&mut self, looked: Looked) {
        let Looked {
            key,
            described,
            time,
            urgency,
            ahead,
        } = looked;
        let Some(service) = self.services.get_mut(&key) else {
            self.end(&key, Next::Resync);
            return;
        };
        let hurry = CancellationToken::new();
        service.hurry = hurry.clone();
        let (aws, settings, manifest) = (
            self.aws.at(urgency, hurry.clone()),
            self.pace.settings.clone(),
            Arc::clone(&service.manifest),
        );
        let mut carried = std::mem::take(&mut service.carried);
        let its_key = key.clone();
        let brake = Arc::clone(&self.brake);
        let is_described = !self.undescribed.contains(&key);
        let pass = async move {
            let began = Instant::now();
            let permit = |wants| {
                let answer = locked(&brake).ask(&its_key, wants && is_described, Instant::now());
                if is_described {
                    answer
                } else {
                    Permit::Undescribed
                }
            };
            let passed = reconcile::pass(
                &aws,
                &manifest,
                &settings,
                Look {
                    described,
                    time,
                    ahead,
                },
                &mut carried,
                permit,
            )
            .await;
            Done::Passed(Box::new((its_key, carried, passed, began.elapsed())))
        };
        let id = self.work.spawn(pass).id();
        self.working_on.insert(id, vec![key]);
    }

    fn finish(&mut self, done: Result<(Id, Done), tokio::task::JoinError>) {
        match done {
            Ok((id, Done::Described(batch))) => {
                let mut untold = self.working_on.remove(&id).unwrap_or_default();
                if let Some((cluster, _)) =
                    untold.first().filter(|(cluster, _)| self.names(cluster))
                {
                    let answers = batch.iter().any(|looked| looked.described.is_ok());
                    self.board.set_answers(cluster, answers);
                    let is_denied = batch.iter().any(Looked::is_denied);
                    let (random, now) = (fastrand::f64(), Instant::now());
                    self.queue.answered(cluster, is_denied, random, now);
                }
                for looked in batch {
                    untold.retain(|other| *other != looked.key);
                    self.start_pass(looked);
                }
                for key in untold {
                    self.brake().failed(&key, Instant::now());
                    self.end(&key, Next::Backoff);
                }
            }
            Ok((id, Done::Passed(done))) => {
                self.working_on.remove(&id);
                let (key, carried, passed, took) = *done;
                self.passed(&key, carried, &passed, took);
            }
            Ok((_, Done::Counted(cluster, Ok(found)))) => self.reporter.orphans(&cluster, found),
            Ok((_, Done::Counted(cluster, Err(error))))
                if error.code == "ClusterNotFoundException" =>
            {
                self.reporter.orphans(&cluster, Vec::new());
            }
            Ok((_, Done::Counted(cluster, Err(error)))) => {
                tracing::warn!(cluster, %error, "services without a manifest were not looked for");
            }
            Err(error) => {
                // A panic is our bug; the service is looked at anew, with nothing remembered.
                tracing::error!(%error, "a pass broke off");
                for key in self.working_on.remove(&error.id()).unwrap_or_default() {
                    if self.services.contains_key(&key) {
                        self.reporter.broke(&key);
                    }
                    // Nobody may wait for what it wants.
                    self.brake().failed(&key, Instant::now());
                    self.queue.broke(&key, Instant::now());
                }
            }
        }
    }

    fn passed(&mut self, key: &Key, carried: Carried, passed: &Passed, took: Duration) {
        self.reporter.passed(key, passed, took);
        let now = Instant::now();
        let (awaited, is_engaged) = {
            let mut brake = self.brake();
            if passed.next == Next::Backoff {
                brake.failed(key, now);
            }
            (brake.awaited(), brake.is_engaged())
        };
        self.queue.hurry(&awaited, now);
        self.reporter.brake(is_engaged);
        // Nothing more is told of a service whose manifest went meanwhile.
        if let Some(service) = self.services.get_mut(key) {
            if let Some(status) = &carried.status {
                self.reporter.told(key, Arc::clone(status));
            }
            service.carried = carried;
        } else {
            self.reporter.tidy(key);
        }
        self.end(key, passed.next);
    }

    fn brake(&self) -> MutexGuard<'_, Brake> {
        locked(&self.brake)
    }

    fn names(&self, cluster: &str) -> bool {
        let first = (cluster.to_owned(), String::new());
        let next = self.services.range(first..).next();
        next.is_some_and(|((named, _), _)| named == cluster)
    }

    fn end(&mut self, key: &Key, next: Next) {
        self.queue.ended(key, next, fastrand::f64(), Instant::now());
    }
}

fn locked(brake: &Mutex<Brake>) -> MutexGuard<'_, Brake> {
    brake.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
