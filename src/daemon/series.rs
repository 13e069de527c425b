//! The metrics' series of one service: they are there while something is told of it, and go with it.

use jiff::Timestamp;

use crate::{
    daemon::board::Key,
    metrics::{DRIFT_KINDS, Metrics, ROLLOUT_OUTCOMES},
    status::{Phase, ServiceStatus},
};

/// Counters exist at 0 from the start, or the first rollback is missed.
pub(super) fn declare(metrics: &Metrics, (cluster, service): &Key) {
    for kind in DRIFT_KINDS {
        metrics
            .drift
            .with_label_values(&[cluster.as_str(), service, kind]);
    }
    for outcome in ROLLOUT_OUTCOMES {
        metrics
            .rollouts
            .with_label_values(&[cluster.as_str(), service, outcome]);
    }
}

/// What is told of a service now.
pub(super) fn show(metrics: &Metrics, status: &ServiceStatus) {
    let labels = [status.cluster.as_str(), status.name.as_str()];
    let [cluster, service] = labels;
    for phase in Phase::ALL {
        let value = i64::from(phase == status.phase);
        let series = metrics
            .phase
            .with_label_values(&[cluster, service, phase.name()]);
        series.set(value);
    }
    let tasks = status.tasks;
    for (gauges, count) in [
        (&metrics.desired_tasks, Some(tasks.desired)),
        (&metrics.running_tasks, Some(tasks.running)),
        (&metrics.healthy_targets, status.targets.map(|t| t.healthy)),
    ] {
        match count {
            Some(count) => gauges.with_label_values(&labels).set(count.into()),
            None => remove(gauges.remove_label_values(&labels)),
        }
    }
}

/// A pass found a service as it should be.
pub(super) fn succeeded(metrics: &Metrics, (cluster, service): &Key, now: Timestamp) {
    metrics
        .last_success
        .with_label_values(&[cluster, service])
        .set(now.as_duration().as_secs_f64());
}

/// Nothing is told of a service any more.
pub(super) fn forget(metrics: &Metrics, (cluster, service): &Key) {
    let labels = [cluster.as_str(), service.as_str()];
    let with = |last| [cluster.as_str(), service.as_str(), last];
    for phase in Phase::ALL {
        remove(metrics.phase.remove_label_values(&with(phase.name())));
    }
    for gauges in [
        &metrics.desired_tasks,
        &metrics.running_tasks,
        &metrics.healthy_targets,
    ] {
        remove(gauges.remove_label_values(&labels));
    }
    remove(metrics.last_success.remove_label_values(&labels));
    for kind in DRIFT_KINDS {
        remove(metrics.drift.remove_label_values(&with(kind)));
    }
    for outcome in ROLLOUT_OUTCOMES {
        remove(metrics.rollouts.remove_label_values(&with(outcome)));
    }
}

/// A series that was never there is as good as removed.
fn remove(_: prometheus::Result<()>) {}
