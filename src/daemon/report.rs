//! Telling: the board, the metrics and the log say the same, in the same words.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    daemon::{Board, board::Key},
    event::{Event, Kind},
    manifest::{Diagnostic, ManifestSet},
    metrics::{DRIFT_KINDS, Metrics, ROLLOUT_OUTCOMES},
    reconcile::{Next, Passed},
    status::{Phase, ServiceStatus},
};

/// Tells everyone who wants to know.
#[derive(Debug, Clone)]
pub struct Reporter {
    board: Arc<Board>,
    metrics: Metrics,
    /// What is wrong with the manifest of a service, which its last good version hides.
    problems: Arc<Mutex<BTreeMap<Key, String>>>,
}

impl Reporter {
    /// Tells this board and these metrics.
    pub fn new(board: Arc<Board>, metrics: Metrics) -> Self {
        metrics.leader.set(1);
        Self {
            board,
            metrics,
            problems: Arc::default(),
        }
    }

    /// A set of manifests is in force.
    pub(super) fn manifests(&self, set: &ManifestSet) {
        let errors: Vec<_> = set
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.is_error())
            .collect();
        self.metrics
            .manifest_errors
            .set(i64::try_from(errors.len()).unwrap_or(i64::MAX));
        tracing::info!(
            manifests = set.manifests.len(), files = set.files, errors = errors.len(), digest = %set.digest,
            "manifests read"
        );
        for diagnostic in &set.diagnostics {
            if diagnostic.is_error() {
                tracing::error!(manifest = %diagnostic.file, "{diagnostic}");
            } else {
                tracing::warn!(manifest = %diagnostic.file, "{diagnostic}");
            }
        }
        self.board
            .set_manifest_errors(errors.iter().map(ToString::to_string).collect());
        let problems = problems(set, &errors);
        let now = Timestamp::now();
        for (key, problem) in &problems {
            let is_acting = set.manifests.iter().any(|manifest| manifest.key() == *key);
            let known = self.board.service(key);
            self.note(Event {
                time: now,
                service: key.1.clone(),
                cluster: key.0.clone(),
                kind: Kind::Blocked,
                message: problem.clone(),
                changes: Vec::new(),
            });
            if !is_acting {
                let before = known.as_ref();
                self.told(
                    key,
                    ServiceStatus {
                        phase: Phase::Degraded,
                        ..crate::status::unknown(key.clone(), problem.clone(), before, now)
                    },
                );
            }
        }
        *self.problems.lock().unwrap_or_else(PoisonError::into_inner) = problems;
        for key in set.manifests.iter().map(crate::manifest::Manifest::key) {
            self.declare(&key);
        }
    }

    /// A set of manifests was not taken.
    pub(super) fn refused(&self, why: &str) {
        self.metrics.manifest_errors.set(1);
        tracing::error!("{why}");
        self.board.set_manifest_errors(vec![why.to_owned()]);
    }

    /// A pass ended.
    pub(super) fn passed(&self, key: &Key, passed: &Passed, took: Duration) {
        let result = match passed.next {
            Next::Resync | Next::Follow => "success",
            Next::Again => "requeue",
            Next::Backoff => "error",
        };
        self.metrics.reconcile.with_label_values(&[result]).inc();
        self.metrics.reconcile_duration.observe(took.as_secs_f64());
        let (cluster, service) = (key.0.as_str(), key.1.as_str());
        for (outcome, seconds) in &passed.ended {
            self.metrics
                .rollouts
                .with_label_values(&[cluster, service, outcome])
                .inc();
            self.metrics
                .rollout_duration
                .with_label_values(&[outcome])
                .observe(*seconds);
        }
        for event in &passed.events {
            if event.kind == Kind::Drift {
                for kind in drift_kinds(event) {
                    self.metrics
                        .drift
                        .with_label_values(&[cluster, service, kind])
                        .inc();
                }
            }
            self.note(event.clone());
        }
    }

    /// A pass broke off.
    pub(super) fn broke(&self, key: &Key) {
        self.metrics.reconcile.with_label_values(&["error"]).inc();
        if let Some(before) = self.board.service(key) {
            let why = "a pass broke off: this is a bug of evenkeel; see its log".to_owned();
            self.told(
                key,
                crate::status::unknown(key.clone(), why, Some(&before), Timestamp::now()),
            );
        }
    }

    /// What is to be told of a service now.
    pub(super) fn told(&self, key: &Key, mut status: ServiceStatus) {
        if let Some(problem) = self
            .problems
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            && !status.message.contains(problem.as_str())
        {
            status.message = format!("{problem}; the last good manifest stays in force");
            if status.phase == Phase::Synced {
                status.phase = Phase::Degraded;
            }
        }
        let labels = [key.0.as_str(), key.1.as_str()];
        for phase in Phase::ALL {
            let value = i64::from(phase == status.phase);
            self.metrics
                .phase
                .with_label_values(&[labels[0], labels[1], phase.name()])
                .set(value);
        }
        self.metrics
            .desired_tasks
            .with_label_values(&labels)
            .set(status.tasks.desired.into());
        self.metrics
            .running_tasks
            .with_label_values(&labels)
            .set(status.tasks.running.into());
        if let Some(targets) = status.targets {
            self.metrics
                .healthy_targets
                .with_label_values(&labels)
                .set(targets.healthy.into());
        }
        if status.phase == Phase::Synced {
            let now = Timestamp::now().as_duration().as_secs_f64();
            self.metrics
                .last_success
                .with_label_values(&labels)
                .set(now);
        }
        let before = self.board.service(key);
        if before
            .is_none_or(|before| before.phase != status.phase || before.message != status.message)
        {
            let message = if status.message.is_empty() {
                "as the manifest says"
            } else {
                &status.message
            };
            tracing::info!(service = %status.name, cluster = %status.cluster, phase = %status.phase, "{message}");
        }
        self.board.set_service(key.clone(), status);
    }

    /// A manifest is gone.
    pub(super) fn orphaned(&self, key: &Key) {
        self.note(Event {
            time: Timestamp::now(),
            service: key.1.clone(),
            cluster: key.0.clone(),
            kind: Kind::Orphaned,
            message: "its manifest is gone; the service runs on as it is".to_owned(),
            changes: Vec::new(),
        });
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

    pub(super) fn turn(&self, took: Duration) {
        self.metrics.resync.set(took.as_secs_f64());
    }

    fn note(&self, event: Event) {
        let changes = serde_json::to_string(&event.changes).unwrap_or_default();
        match event.kind {
            Kind::Error | Kind::RolledBack | Kind::Held | Kind::Blocked => tracing::warn!(
                service = %event.service, cluster = %event.cluster, event = event.kind.name(), changes, "{}", event.message
            ),
            Kind::Created
            | Kind::Applied
            | Kind::Drift
            | Kind::RolloutStarted
            | Kind::RolloutCompleted
            | Kind::Recovered
            | Kind::Orphaned => tracing::info!(
                service = %event.service, cluster = %event.cluster, event = event.kind.name(), changes, "{}", event.message
            ),
        }
        self.board.add_event(event);
    }

    /// Counters exist at 0 from the start, or the first rollback is missed.
    fn declare(&self, (cluster, service): &Key) {
        for kind in DRIFT_KINDS {
            self.metrics
                .drift
                .with_label_values(&[cluster.as_str(), service, kind]);
        }
        for outcome in ROLLOUT_OUTCOMES {
            self.metrics
                .rollouts
                .with_label_values(&[cluster.as_str(), service, outcome]);
        }
    }
}

/// The first error of the file that describes each broken service.
fn problems(set: &ManifestSet, errors: &[&Diagnostic]) -> BTreeMap<Key, String> {
    let of_file = |file: &str| {
        errors
            .iter()
            .find(|error| error.file == file)
            .map(ToString::to_string)
    };
    let named = set.broken.iter().filter_map(|broken| {
        Some((
            (broken.cluster.clone()?, broken.name.clone()?),
            of_file(&broken.file)?,
        ))
    });
    // A file that does not parse at all still belongs to the services that it described before.
    let by_file = set
        .manifests
        .iter()
        .filter_map(|manifest| Some((manifest.key(), of_file(&manifest.file)?)));
    by_file.chain(named).collect()
}

fn drift_kinds(event: &Event) -> std::collections::BTreeSet<&'static str> {
    event
        .changes
        .iter()
        .map(|difference| match difference {
            image if image.is_in_definition() && image.pointer.ends_with("/image") => "image",
            definition if definition.is_in_definition() => "task_definition",
            _ => "service",
        })
        .collect()
}
