//! Telling: the board, the metrics and the log say the same, in the same words.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    aws::Clock,
    daemon::{Board, board::Key, problem},
    diff::Difference,
    event::{Event, Kind},
    manifest::ManifestSet,
    metrics::{DriftKind, Metrics},
    reconcile::{Next, Passed},
    status::{self, Phase, ServiceStatus},
};

/// The longest text that is logged, in bytes.
const LOGGED: usize = 2 * 1024;
/// How many services without a manifest are remembered.
const ORPHANS_KEPT: usize = 200;

/// Another daemon acts now, and tells of the services.
pub(super) fn stand_down(board: &Board, metrics: &Metrics, set: Option<&ManifestSet>) {
    let acting = set.into_iter().flat_map(|set| &set.manifests);
    let acting = acting.map(|manifest| manifest.key());
    for key in board.keys().into_iter().chain(acting) {
        metrics.services.forget(&key);
    }
    board.clear();
    metrics.manifest_errors.set(0);
    metrics.queue_depth.set(0);
    metrics.longest_running.set(0.0);
    metrics.brake.set(0);
}

/// Tells everyone who wants to know.
#[derive(Debug)]
pub struct Reporter {
    board: Arc<Board>,
    metrics: Metrics,
    clock: Clock,
    /// What the last reading of the manifests said, which is not said again.
    said: BTreeSet<String>,
    /// The services whose manifests are in force.
    acting: BTreeSet<Key>,
}

impl Reporter {
    /// Tells this board and these metrics, with this clock's time.
    pub fn new(board: Arc<Board>, metrics: Metrics, clock: Clock) -> Self {
        Self {
            board,
            metrics,
            clock,
            said: BTreeSet::new(),
            acting: BTreeSet::new(),
        }
    }

    /// A set of manifests is in force. What it changes in what is told shows at once.
    pub(super) fn manifests(&mut self, set: &ManifestSet) {
        self.say(set);
        let (now, before) = (self.clock.now(), self.board.problems());
        let told = self.told_now();
        let problems = problem::problems(set, &before, now);
        for (key, problem) in &problems {
            let known = before.get(key);
            if known.is_none_or(|known| known.message != problem.message) {
                self.note(event(key, now, Kind::Blocked, problem.message.clone()));
            }
        }
        self.board.set_problems(problems);
        let acting = set
            .manifests
            .iter()
            .map(|manifest| manifest.key())
            .collect();
        let before_acting = std::mem::replace(&mut self.acting, acting);
        self.sort_out(set, now);
        let mut keys = self.board.keys();
        keys.extend(told.keys().cloned().chain(before_acting));
        for key in &keys {
            self.publish(key, told.get(key));
            if !self.acting.contains(key) {
                self.tidy(key);
            }
        }
    }

    /// Says what was read and what is wrong with it, each message once.
    fn say(&mut self, set: &ManifestSet) {
        let errors: Vec<_> = set
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.is_error())
            .map(ToString::to_string)
            .collect();
        self.metrics
            .manifest_errors
            .set(i64::try_from(errors.len()).unwrap_or(i64::MAX));
        tracing::info!(
            manifests = set.manifests.len(), files = set.files, errors = errors.len(), digest = %set.digest,
            "manifests read"
        );
        let mut said = BTreeSet::new();
        for diagnostic in &set.diagnostics {
            let message = diagnostic.to_string();
            match (self.said.contains(&message), diagnostic.is_error()) {
                (true, _) => {}
                (false, true) => {
                    tracing::error!(manifest = %diagnostic.file, "{}", short(&message))
                }
                (false, false) => {
                    tracing::warn!(manifest = %diagnostic.file, "{}", short(&message))
                }
            }
            said.insert(message);
        }
        self.said = said;
        self.board.set_manifest_errors(errors);
    }

    /// Services come, go, and come back.
    fn sort_out(&self, set: &ManifestSet, now: Timestamp) {
        for key in &self.acting {
            self.metrics.services.declare(key);
        }
        let mut orphans = Vec::new();
        for key in self.board.keys() {
            let Some(status) = self.board.status(&key) else {
                continue;
            };
            let is_orphan = status.phase == Phase::Orphaned;
            if self.acting.contains(&key) {
                if is_orphan {
                    let why = "its manifest is back; AWS has not been asked yet".to_owned();
                    let status = status::unknown(key.clone(), why, Some(&status), now);
                    self.board.set_status(key, status);
                }
            } else if is_orphan {
                orphans.push((status.since, key));
            } else if set.describes(&key, None) {
                // A broken file names it: what was known of it last is still worth telling.
            } else if status.image.is_some() {
                self.board
                    .set_status(key.clone(), status::orphaned(&status, now));
                let message = "its manifest is gone; the service runs on as it is".to_owned();
                self.note(event(&key, now, Kind::Orphaned, message));
                orphans.push((now, key));
            } else {
                // It was never seen to run, so there is nothing to be left alone.
                self.board.remove_status(&key);
            }
        }
        orphans.sort();
        for (_, key) in orphans.iter().rev().skip(ORPHANS_KEPT) {
            self.board.remove_status(key);
        }
    }

    /// What a look for services without a manifest found in a cluster: every one that there is.
    pub(super) fn orphans(&mut self, cluster: &str, found: Vec<ServiceStatus>) {
        let found: BTreeMap<_, _> = found
            .into_iter()
            .map(|status| ((status.cluster.clone(), status.name.clone()), status))
            .collect();
        for key in self.board.keys() {
            let is_orphan = self
                .board
                .status(&key)
                .is_some_and(|status| status.phase == Phase::Orphaned);
            if is_orphan && key.0 == cluster && !found.contains_key(&key) {
                self.board.remove_status(&key);
                self.tidy(&key);
            }
        }
        for (key, status) in found.into_iter().take(ORPHANS_KEPT) {
            if self.acting.contains(&key) {
                continue;
            }
            if let Some(known) = self.board.service(&key) {
                if known.phase == Phase::Orphaned {
                    let since = known.since;
                    self.told(&key, ServiceStatus { since, ..status });
                }
                continue;
            }
            self.note(event(
                &key,
                status.since,
                Kind::Orphaned,
                status.message.clone(),
            ));
            self.told(&key, status);
        }
    }

    /// The clusters in which a service has no manifest, as far as is known.
    pub(super) fn clusters_of_orphans(&self) -> BTreeSet<String> {
        let told = self.board.services().into_iter();
        told.filter(|status| status.phase == Phase::Orphaned)
            .map(|status| status.cluster)
            .collect()
    }

    fn told_now(&self) -> BTreeMap<Key, ServiceStatus> {
        let key = |status: &ServiceStatus| (status.cluster.clone(), status.name.clone());
        let services = self.board.services().into_iter();
        services.map(|status| (key(&status), status)).collect()
    }

    /// A set of manifests was not taken.
    pub(super) fn refused(&self, why: &str) {
        self.metrics.manifest_errors.set(1);
        tracing::error!("{}", short(why));
        self.board.set_manifest_errors(vec![why.to_owned()]);
        // What was wrong with single files was said of the reading before; they may be gone.
        self.board.set_problems(BTreeMap::new());
    }

    /// A pass ended.
    pub(super) fn passed(&self, key: &Key, passed: &Passed, took: Duration) {
        let result = match passed.next {
            Next::Resync | Next::Follow | Next::At(_) => "success",
            Next::Again => "requeue",
            Next::Backoff => "error",
        };
        self.metrics.reconcile.with_label_values(&[result]).inc();
        self.metrics.reconcile_duration.observe(took.as_secs_f64());
        for (outcome, seconds) in &passed.ended {
            self.metrics.services.rolled_out(key, *outcome);
            self.metrics
                .rollout_duration
                .with_label_values(&[outcome.name()])
                .observe(*seconds);
        }
        for event in &passed.events {
            for kind in drift_kinds(event) {
                self.metrics.services.drifted(key, kind);
            }
            self.note(event.clone());
        }
    }

    /// A service that nothing is told of has no series.
    pub(super) fn tidy(&self, key: &Key) {
        if self.board.service(key).is_none() {
            self.metrics.services.forget(key);
        }
    }

    /// A pass broke off.
    pub(super) fn broke(&self, key: &Key) {
        self.metrics.reconcile.with_label_values(&["error"]).inc();
        let before = self.board.status(key);
        let why = "a pass broke off: this is a bug of evenkeel; see its log".to_owned();
        let status = status::unknown(key.clone(), why, before.as_deref(), self.clock.now());
        self.told(key, status);
    }

    /// What a pass says of a service.
    pub(super) fn told(&self, key: &Key, status: impl Into<Arc<ServiceStatus>>) {
        let before = self.board.service(key);
        self.board.set_status(key.clone(), status);
        self.publish(key, before.as_deref());
        let told = self.board.service(key);
        if told.is_some_and(|told| told.phase == Phase::Synced) {
            self.metrics.services.succeeded(key, self.clock.now());
        }
    }

    /// Brings the log and the metrics to what the board tells of a service now. `before` is what it told until now.
    fn publish(&self, key: &Key, before: Option<&ServiceStatus>) {
        let Some(status) = self.board.service(key) else {
            return;
        };
        if before
            .is_none_or(|before| before.phase != status.phase || before.message != status.message)
        {
            let message = if status.message.is_empty() {
                "as the manifest says"
            } else {
                &status.message
            };
            tracing::info!(service = %status.name, cluster = %status.cluster, phase = %status.phase, "{}", short(message));
        }
        self.metrics.services.show(&status);
    }

    /// How many services wait, and how long the longest pass has been running.
    pub(super) fn queue(&self, depth: usize, longest_running: Duration) {
        self.metrics
            .queue_depth
            .set(i64::try_from(depth).unwrap_or(i64::MAX));
        self.metrics
            .longest_running
            .set(longest_running.as_secs_f64());
    }

    /// Whether deployments are withheld because too many would start at once.
    pub(super) fn brake(&self, is_engaged: bool) {
        self.metrics.brake.set(i64::from(is_engaged));
    }

    pub(super) fn turn(&self, took: Duration) {
        self.metrics.resync.set(took.as_secs_f64());
    }

    fn note(&self, event: Event) {
        let changes = serde_json::to_string(&event.changes).unwrap_or_default();
        let changes = short(&changes).into_owned();
        match event.kind {
            Kind::Error | Kind::RolledBack | Kind::Held | Kind::Blocked => tracing::warn!(
                service = %event.service, cluster = %event.cluster, event = event.kind.name(), changes, "{}", short(&event.message)
            ),
            Kind::Created
            | Kind::Applied
            | Kind::Drift
            | Kind::Redeployed
            | Kind::RolloutStarted
            | Kind::RolloutCompleted
            | Kind::Recovered
            | Kind::Orphaned => tracing::info!(
                service = %event.service, cluster = %event.cluster, event = event.kind.name(), changes, "{}", short(&event.message)
            ),
        }
        self.board.add_event(event);
    }
}

/// As much of a text as is logged.
fn short(text: &str) -> Cow<'_, str> {
    if text.len() <= LOGGED {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(LOGGED - '…'.len_utf8());
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
}

fn event((cluster, service): &Key, time: Timestamp, kind: Kind, message: String) -> Event {
    Event {
        time,
        service: service.clone(),
        cluster: cluster.clone(),
        kind,
        message,
        changes: Vec::new(),
    }
}

fn drift_kinds(event: &Event) -> BTreeSet<DriftKind> {
    let kind = |difference: &Difference| match difference {
        image if image.is_in_definition() && image.pointer.ends_with("/image") => DriftKind::Image,
        definition if definition.is_in_definition() => DriftKind::TaskDefinition,
        _ => DriftKind::Service,
    };
    match event.kind {
        Kind::Drift => event.changes.iter().map(kind).collect(),
        Kind::Redeployed => BTreeSet::from([DriftKind::TargetHealth]),
        Kind::Created
        | Kind::Applied
        | Kind::RolloutStarted
        | Kind::RolloutCompleted
        | Kind::RolledBack
        | Kind::Held
        | Kind::Blocked
        | Kind::Error
        | Kind::Recovered
        | Kind::Orphaned => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests;
