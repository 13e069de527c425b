//! The daemon's Prometheus metrics: names, labels and meanings in one place. Label sets are closed; series that count
//! outcomes exist at 0 from the start, so that the first one is not missed.

mod services;

use prometheus::{
    CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

pub use services::{DriftKind, Outcome, Services};

/// Every metric of the daemon.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    /// Passes by result: success, error, requeue.
    pub reconcile: IntCounterVec,
    /// Seconds of a pass.
    pub reconcile_duration: Histogram,
    /// Services that wait for a pass.
    pub queue_depth: IntGauge,
    /// Seconds of the longest running pass.
    pub longest_running: prometheus::Gauge,
    /// Whether this daemon acts.
    pub leader: IntGauge,
    /// Whether deployments are withheld because too many would start at once.
    pub brake: IntGauge,
    /// What there is to tell of each service.
    pub services: Services,
    /// Seconds that rollouts took, by outcome.
    pub rollout_duration: HistogramVec,
    /// Manifests' errors at present.
    pub manifest_errors: IntGauge,
    /// Seconds that one full turn over the fleet took.
    pub resync: prometheus::Gauge,
    /// Calls to AWS.
    pub aws_requests: IntCounterVec,
    /// Seconds of calls to AWS.
    pub aws_duration: HistogramVec,
    /// Seconds waited for the client-side budget.
    pub budget_wait: CounterVec,
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// Only when two metrics share a name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let seconds = vec![0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];
        let minutes = vec![15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
        let build = IntGaugeVec::new(Opts::new("evenkeel_build_info", "Always 1."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(build))?;
        let metrics = Self {
            reconcile: add(
                &registry,
                IntCounterVec::new(
                    Opts::new("evenkeel_reconcile_total", "Passes by result."),
                    &["result"],
                )?,
            )?,
            reconcile_duration: add(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "evenkeel_reconcile_duration_seconds",
                        "How long a pass takes.",
                    )
                    .buckets(seconds.clone()),
                )?,
            )?,
            queue_depth: add(
                &registry,
                IntGauge::new("evenkeel_workqueue_depth", "Services that wait for a pass.")?,
            )?,
            longest_running: add(
                &registry,
                prometheus::Gauge::new(
                    "evenkeel_workqueue_longest_running_seconds",
                    "How long the longest pass has been running.",
                )?,
            )?,
            leader: add(
                &registry,
                IntGauge::new("evenkeel_leader", "Whether this daemon acts.")?,
            )?,
            brake: add(
                &registry,
                IntGauge::new(
                    "evenkeel_brake_engaged",
                    "Whether deployments are withheld because too many would start at once without an edit.",
                )?,
            )?,
            services: Services::default(),
            rollout_duration: add(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new(
                        "evenkeel_rollout_duration_seconds",
                        "How long rollouts took.",
                    )
                    .buckets(minutes),
                    &["outcome"],
                )?,
            )?,
            manifest_errors: add(
                &registry,
                IntGauge::new(
                    "evenkeel_manifest_errors",
                    "Errors in the manifests at present.",
                )?,
            )?,
            resync: add(
                &registry,
                prometheus::Gauge::new(
                    "evenkeel_resync_seconds",
                    "How long one full turn over the fleet took.",
                )?,
            )?,
            aws_requests: add(
                &registry,
                IntCounterVec::new(
                    Opts::new("evenkeel_aws_requests_total", "Calls to AWS."),
                    &["service", "operation", "code"],
                )?,
            )?,
            aws_duration: add(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new(
                        "evenkeel_aws_request_duration_seconds",
                        "How long calls to AWS take.",
                    )
                    .buckets(seconds),
                    &["service", "operation"],
                )?,
            )?,
            budget_wait: add(
                &registry,
                CounterVec::new(
                    Opts::new(
                        "evenkeel_aws_budget_wait_seconds_total",
                        "Time waited for the client-side budget.",
                    ),
                    &["bucket"],
                )?,
            )?,
            registry,
        };
        for result in ["success", "error", "requeue"] {
            metrics.reconcile.with_label_values(&[result]);
        }
        for outcome in Outcome::ALL {
            metrics
                .rollout_duration
                .with_label_values(&[outcome.name()]);
        }
        Ok(metrics)
    }

    /// The exposition text.
    ///
    /// # Errors
    /// Only when a metric holds what the text format cannot.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = TextEncoder::new().encode_to_string(&self.registry.gather())?;
        self.services.render(&mut text)?;
        Ok(text)
    }
}

fn add<T: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: T,
) -> Result<T, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
