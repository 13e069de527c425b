//! The loop: which services are looked at when, and never one of them twice at once.
//!
//! A service is due because its manifest changed, because something is under way, or because of the resync; a pass is
//! not told which. Services due at the same time are described together, ten per call.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::watch,
    task::{Id, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    aws::{Aws, Described, SERVICES_PER_CALL},
    backoff,
    daemon::{Board, board::Key, report::Reporter, watch::Reading},
    manifest::{self, Manifest, ManifestSet},
    reconcile::{self, Carried, Next, Passed},
    status,
};

/// How soon a service is looked at again while something is under way.
const FOLLOW: Duration = Duration::from_secs(2);
/// How many services are worked on at once.
const AT_ONCE: usize = 32;
/// How long running passes may take to end after the daemon was told to stop.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// How the loop behaves.
#[derive(Debug, Clone)]
pub struct Pace {
    /// The value of `--owner`.
    pub owner: String,
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
    services: BTreeMap<Key, Entry>,
    work: JoinSet<Done>,
    working_on: HashMap<Id, Vec<Key>>,
    turn: Turn,
}

#[derive(Debug)]
struct Entry {
    manifest: Arc<Manifest>,
    due: Instant,
    /// Work has been handed out; a change meanwhile makes `due` earlier and is seen to after it.
    is_busy: bool,
    carried: Carried,
    failures: u32,
}

/// One full turn over the fleet: from its first pass until each service has had one.
#[derive(Debug)]
struct Turn {
    began: Instant,
    waiting_for: std::collections::BTreeSet<Key>,
}

#[derive(Debug)]
enum Done {
    Described(Vec<(Key, Described, Timestamp)>),
    Passed(Box<(Key, Carried, Passed, Duration)>),
}

impl Fleet {
    /// A fleet with no services yet.
    pub fn new(aws: Aws, pace: Pace, board: Arc<Board>, reporter: Reporter) -> Self {
        let turn = Turn {
            began: Instant::now(),
            waiting_for: std::collections::BTreeSet::default(),
        };
        Self {
            aws,
            pace,
            board,
            reporter,
            set: None,
            services: BTreeMap::new(),
            work: JoinSet::new(),
            working_on: HashMap::new(),
            turn,
        }
    }

    /// Runs until `shutdown`, then lets the running passes end.
    pub async fn run(
        mut self,
        mut manifests: watch::Receiver<Option<Reading>>,
        shutdown: CancellationToken,
    ) {
        loop {
            let due = self.start_due();
            tokio::select! {
                () = shutdown.cancelled() => break,
                changed = manifests.changed() => match changed {
                    Ok(()) => {
                        let reading = manifests.borrow_and_update().clone();
                        self.take(reading);
                    }
                    Err(_) => break,
                },
                Some(done) = self.work.join_next_with_id() => self.finish(done),
                () = tokio::time::sleep_until(due) => {}
            }
        }
        let finished = tokio::time::timeout(STOP_WITHIN, async {
            while self.work.join_next().await.is_some() {}
        })
        .await;
        if finished.is_err() {
            tracing::warn!("calls to AWS were still running; the next daemon looks again");
        }
    }

    /// A new reading of the manifests: taken, or refused and said why. The last good ones stay.
    fn take(&mut self, reading: Option<Reading>) {
        let Some(reading) = reading else { return };
        let next = match reading {
            Ok(next) => next,
            Err(why) => return self.refuse(&why),
        };
        if let Err(refusal) = manifest::accept(self.set.as_ref(), &next) {
            return self.refuse(&refusal.to_string());
        }
        let next = next.with_last_good(self.set.as_ref());
        self.reporter.manifests(&next);
        self.board.set_manifests(None);
        self.follow_set(&next);
        self.set = Some(next);
    }

    fn refuse(&self, why: &str) {
        self.reporter.refused(why);
        self.board.set_manifests(Some(why.to_owned()));
    }

    fn follow_set(&mut self, next: &ManifestSet) {
        let now = Instant::now();
        for manifest in &next.manifests {
            let key = manifest.key();
            match self.services.get_mut(&key) {
                Some(entry) if *entry.manifest == *manifest => {}
                Some(entry) => {
                    entry.manifest = Arc::new(manifest.clone());
                    entry.failures = 0;
                    entry.due = now;
                }
                None => {
                    let entry = Entry {
                        manifest: Arc::new(manifest.clone()),
                        due: now,
                        is_busy: false,
                        carried: Carried::default(),
                        failures: 0,
                    };
                    self.services.insert(key, entry);
                }
            }
        }
        let acting: std::collections::BTreeSet<_> =
            next.manifests.iter().map(Manifest::key).collect();
        let gone: Vec<_> = self
            .services
            .keys()
            .filter(|key| !acting.contains(*key))
            .cloned()
            .collect();
        for key in gone {
            self.services.remove(&key);
            let is_broken = next.describes(&key, None);
            if let Some(before) = self.board.service(&key).filter(|_| !is_broken) {
                self.reporter
                    .told(&key, status::orphaned(&before, Timestamp::now()));
                self.reporter.orphaned(&key);
            }
        }
    }

    /// Hands out what is due, and says when the next is.
    fn start_due(&mut self) -> Instant {
        let now = Instant::now();
        let free =
            AT_ONCE.saturating_sub(self.services.values().filter(|entry| entry.is_busy).count());
        let mut due: BTreeMap<String, Vec<(Key, String)>> = BTreeMap::new();
        let waiting = self
            .services
            .iter_mut()
            .filter(|(_, entry)| !entry.is_busy && entry.due <= now);
        let mut depth = 0;
        for (index, (key, entry)) in waiting.enumerate() {
            if index >= free {
                depth += 1;
                continue;
            }
            entry.is_busy = true;
            entry.due = now + self.pace.resync;
            due.entry(entry.manifest.cluster.clone())
                .or_default()
                .push((key.clone(), entry.manifest.name.clone()));
        }
        self.reporter.queue_depth(depth);
        for (cluster, services) in due {
            for batch in services.chunks(SERVICES_PER_CALL) {
                self.start_describe(cluster.clone(), batch.to_vec());
            }
        }
        let next = self
            .services
            .values()
            .filter(|entry| !entry.is_busy)
            .map(|entry| entry.due)
            .min();
        // Nothing is due while everything is busy or there is nothing: an end of work or a change wakes the loop.
        next.filter(|_| depth == 0)
            .unwrap_or_else(|| now + self.pace.resync)
    }

    fn start_describe(&mut self, cluster: String, batch: Vec<(Key, String)>) {
        let aws = self.aws.clone();
        let keys: Vec<_> = batch.iter().map(|(key, _)| key.clone()).collect();
        let describe = async move {
            let names: Vec<_> = batch.iter().map(|(_, name)| name.clone()).collect();
            let (mut described, time) = aws.describe_services(&cluster, &names).await;
            let of = |(key, name): (Key, String)| {
                described
                    .remove(&name)
                    .map(|described| (key, described, time))
            };
            Done::Described(batch.into_iter().filter_map(of).collect())
        };
        let id = self.work.spawn(describe).id();
        self.working_on.insert(id, keys);
    }

    fn start_pass(&mut self, key: Key, described: Described, time: Timestamp) {
        let Some(entry) = self.services.get_mut(&key) else {
            return;
        };
        let (aws, owner, manifest) = (
            self.aws.clone(),
            self.pace.owner.clone(),
            Arc::clone(&entry.manifest),
        );
        let mut carried = std::mem::take(&mut entry.carried);
        let its_key = key.clone();
        let pass = async move {
            let began = Instant::now();
            let passed =
                reconcile::pass(&aws, &manifest, &owner, described, time, &mut carried).await;
            Done::Passed(Box::new((its_key, carried, passed, began.elapsed())))
        };
        let id = self.work.spawn(pass).id();
        self.working_on.insert(id, vec![key]);
    }

    fn finish(&mut self, done: Result<(Id, Done), tokio::task::JoinError>) {
        match done {
            Ok((id, Done::Described(batch))) => {
                self.working_on.remove(&id);
                self.board
                    .set_answers(batch.iter().any(|(_, described, _)| described.is_ok()));
                for (key, described, time) in batch {
                    self.start_pass(key, described, time);
                }
            }
            Ok((id, Done::Passed(done))) => {
                self.working_on.remove(&id);
                let (key, carried, passed, took) = *done;
                self.passed(key, carried, passed, took);
            }
            Err(error) => {
                // A panic is our bug; the service is looked at anew, with nothing remembered.
                tracing::error!(%error, "a pass broke off");
                for key in self.working_on.remove(&error.id()).unwrap_or_default() {
                    self.reporter.broke(&key);
                    if let Some(entry) = self.services.get_mut(&key) {
                        entry.is_busy = false;
                        entry.failures = entry.failures.saturating_add(1);
                        entry.due = Instant::now() + backoff::CAP;
                    }
                }
            }
        }
    }

    fn passed(&mut self, key: Key, carried: Carried, passed: Passed, took: Duration) {
        self.reporter.passed(&key, &passed, took);
        self.count_turn(&key);
        let Some(entry) = self.services.get_mut(&key) else {
            return;
        };
        if let Some(status) = &carried.status {
            self.reporter.told(&key, status.clone());
        }
        entry.carried = carried;
        entry.is_busy = false;
        let now = Instant::now();
        entry.failures = if passed.next == Next::Backoff {
            entry.failures.saturating_add(1)
        } else {
            0
        };
        let wait = match passed.next {
            Next::Resync => self.pace.resync,
            Next::Follow => FOLLOW.min(self.pace.resync),
            Next::Again => Duration::ZERO,
            Next::Backoff => backoff::delay(entry.failures, fastrand::f64()),
        };
        // A manifest that changed during the pass has made the service due already.
        entry.due = entry.due.min(now + wait);
    }

    fn count_turn(&mut self, key: &Key) {
        self.turn.waiting_for.remove(key);
        if self.turn.waiting_for.is_empty() {
            self.reporter.turn(self.turn.began.elapsed());
            self.turn = Turn {
                began: Instant::now(),
                waiting_for: self.services.keys().cloned().collect(),
            };
        }
    }
}
