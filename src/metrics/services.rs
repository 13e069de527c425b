//! What there is to tell of each service: about a hundred bytes a service, and series only while somebody asks for them.
//! Kept as series, of which a service has eighteen, it would be most of what a large fleet takes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use prometheus::{
    TextEncoder,
    proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType},
};

use crate::status::{Phase, ServiceStatus};

/// A service's cluster and name.
type Key = (String, String);

/// What has drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftKind {
    /// A member of the service.
    Service,
    /// A member of its task definition.
    TaskDefinition,
    /// An image in its task definition.
    Image,
    /// Too few targets were healthy for too long.
    TargetHealth,
}

impl DriftKind {
    const ALL: [Self; 4] = [
        Self::Service,
        Self::TaskDefinition,
        Self::Image,
        Self::TargetHealth,
    ];

    /// The label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::TaskDefinition => "task_definition",
            Self::Image => "image",
            Self::TargetHealth => "target_health",
        }
    }
}

/// How a rollout ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Every task is new and healthy.
    Completed,
    /// ECS went back to what there was before, or gave up.
    RolledBack,
    /// It was without progress for too long.
    TimedOut,
}

impl Outcome {
    /// Every outcome.
    pub(super) const ALL: [Self; 3] = [Self::Completed, Self::RolledBack, Self::TimedOut];

    /// The label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::RolledBack => "rolled_back",
            Self::TimedOut => "timed_out",
        }
    }
}

/// Every service that something is told of.
#[derive(Debug, Clone, Default)]
pub struct Services(Arc<Mutex<BTreeMap<Key, Told>>>);

#[derive(Debug, Default)]
struct Told {
    state: Option<State>,
    last_success: Option<Timestamp>,
    counts: Option<Counts>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    desired_tasks: u32,
    running_tasks: u32,
    healthy_targets: Option<u32>,
}

#[derive(Debug, Default)]
struct Counts {
    drift: [u64; DriftKind::ALL.len()],
    rollouts: [u64; Outcome::ALL.len()],
}

impl Services {
    /// Counters exist at 0 from the start, or the first rollback is missed.
    pub fn declare(&self, key: &Key) {
        self.with(key, |told| {
            told.counts.get_or_insert_default();
        });
    }

    /// What is told of a service now.
    pub fn show(&self, status: &ServiceStatus) {
        let key = (status.cluster.clone(), status.name.clone());
        let state = State {
            phase: status.phase,
            desired_tasks: status.tasks.desired,
            running_tasks: status.tasks.running,
            healthy_targets: status.targets.map(|targets| targets.healthy),
        };
        self.with(&key, |told| told.state = Some(state));
    }

    /// A pass found a service as it should be.
    pub fn succeeded(&self, key: &Key, now: Timestamp) {
        self.with(key, |told| told.last_success = Some(now));
    }

    /// Something has drifted.
    pub fn drifted(&self, key: &Key, kind: DriftKind) {
        self.with(key, |told| {
            let [service, definition, image, health] =
                &mut told.counts.get_or_insert_default().drift;
            *match kind {
                DriftKind::Service => service,
                DriftKind::TaskDefinition => definition,
                DriftKind::Image => image,
                DriftKind::TargetHealth => health,
            } += 1;
        });
    }

    /// A rollout has ended.
    pub fn rolled_out(&self, key: &Key, outcome: Outcome) {
        self.with(key, |told| {
            let [completed, rolled_back, timed_out] =
                &mut told.counts.get_or_insert_default().rollouts;
            *match outcome {
                Outcome::Completed => completed,
                Outcome::RolledBack => rolled_back,
                Outcome::TimedOut => timed_out,
            } += 1;
        });
    }

    /// Nothing is told of a service any more.
    pub fn forget(&self, key: &Key) {
        self.all().remove(key);
    }

    /// Appends the exposition text. One family after the other, so that only one at a time is there as series.
    pub(super) fn render(&self, text: &mut String) -> Result<(), prometheus::Error> {
        for family in FAMILIES {
            let series = family.series(&self.all());
            if !series.is_empty() {
                let mut whole = MetricFamily::default();
                whole.set_name(family.name.to_owned());
                whole.set_help(family.help.to_owned());
                whole.set_field_type(family.kind);
                whole.set_metric(series);
                TextEncoder::new().encode_utf8(&[whole], text)?;
            }
        }
        Ok(())
    }

    fn with(&self, key: &Key, change: impl FnOnce(&mut Told)) {
        let mut all = self.all();
        match all.get_mut(key) {
            Some(told) => change(told),
            None => change(all.entry(key.clone()).or_default()),
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Key, Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The series of one name.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    /// The label beside the cluster's and the service's.
    label: Option<&'static str>,
    /// A service's series: what that label says, and the value.
    of: fn(&Told) -> Vec<(&'static str, f64)>,
}

const FAMILIES: [Family; 7] = [
    Family {
        name: "evenkeel_service_phase",
        help: "1 for the phase that a service is in.",
        kind: MetricType::GAUGE,
        label: Some("phase"),
        of: |told| {
            let now = told.state.as_ref().map(|state| state.phase);
            let value = |phase: Phase| f64::from(u8::from(Some(phase) == now));
            let phases = now.into_iter().flat_map(|_| Phase::ALL);
            phases.map(|phase| (phase.name(), value(phase))).collect()
        },
    },
    Family {
        name: "evenkeel_service_desired_tasks",
        help: "Tasks that a service should run.",
        kind: MetricType::GAUGE,
        label: None,
        of: |told| one(told.state.as_ref().map(|state| state.desired_tasks)),
    },
    Family {
        name: "evenkeel_service_running_tasks",
        help: "Tasks that run.",
        kind: MetricType::GAUGE,
        label: None,
        of: |told| one(told.state.as_ref().map(|state| state.running_tasks)),
    },
    Family {
        name: "evenkeel_service_healthy_targets",
        help: "Targets that are healthy.",
        kind: MetricType::GAUGE,
        label: None,
        of: |told| one(told.state.as_ref().and_then(|state| state.healthy_targets)),
    },
    Family {
        name: "evenkeel_service_last_success_timestamp_seconds",
        help: "When a service was last seen as it should be.",
        kind: MetricType::GAUGE,
        label: None,
        of: |told| one(told.last_success.map(|at| at.as_duration().as_secs_f64())),
    },
    Family {
        name: "evenkeel_drift_total",
        help: "Drift found, by kind.",
        kind: MetricType::COUNTER,
        label: Some("kind"),
        of: |told| {
            let counts = told.counts.iter().flat_map(|counts| counts.drift);
            let names = DriftKind::ALL.map(DriftKind::name).into_iter();
            names.zip(counts.map(|count| count as f64)).collect()
        },
    },
    Family {
        name: "evenkeel_rollouts_total",
        help: "Rollouts ended, by outcome.",
        kind: MetricType::COUNTER,
        label: Some("outcome"),
        of: |told| {
            let counts = told.counts.iter().flat_map(|counts| counts.rollouts);
            let names = Outcome::ALL.map(Outcome::name).into_iter();
            names.zip(counts.map(|count| count as f64)).collect()
        },
    },
];

fn one(value: Option<impl Into<f64>>) -> Vec<(&'static str, f64)> {
    value.map(|value| ("", value.into())).into_iter().collect()
}

impl Family {
    fn series(&self, all: &BTreeMap<Key, Told>) -> Vec<Metric> {
        let of_service = |((cluster, service), told): (&Key, &Told)| {
            let series = (self.of)(told).into_iter();
            series
                .map(|(value, number)| {
                    let mut labels = vec![pair("cluster", cluster)];
                    // In the order of their names, as the library's own series have them.
                    let other = self.label.map(|label| pair(label, value));
                    labels.extend(other);
                    labels.push(pair("service", service));
                    self.metric(labels, number)
                })
                .collect::<Vec<_>>()
        };
        all.iter().flat_map(of_service).collect()
    }

    fn metric(&self, labels: Vec<LabelPair>, number: f64) -> Metric {
        let mut metric = Metric::from_label(labels);
        if self.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(number);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(number);
            metric.set_gauge(gauge);
        }
        metric
    }
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        ("prod".to_owned(), name.to_owned())
    }

    fn text(services: &Services) -> String {
        let mut text = String::new();
        services.render(&mut text).unwrap();
        text
    }

    #[test]
    fn counters_are_there_before_anything_is_counted_and_count_by_themselves() {
        let services = Services::default();
        services.declare(&key("api"));
        services.declare(&key("web"));
        services.drifted(&key("api"), DriftKind::Image);
        services.rolled_out(&key("web"), Outcome::RolledBack);
        // Once more is not from the start.
        services.declare(&key("api"));
        assert_eq!(
            text(&services),
            r#"# HELP evenkeel_drift_total Drift found, by kind.
# TYPE evenkeel_drift_total counter
evenkeel_drift_total{cluster="prod",kind="service",service="api"} 0
evenkeel_drift_total{cluster="prod",kind="task_definition",service="api"} 0
evenkeel_drift_total{cluster="prod",kind="image",service="api"} 1
evenkeel_drift_total{cluster="prod",kind="target_health",service="api"} 0
evenkeel_drift_total{cluster="prod",kind="service",service="web"} 0
evenkeel_drift_total{cluster="prod",kind="task_definition",service="web"} 0
evenkeel_drift_total{cluster="prod",kind="image",service="web"} 0
evenkeel_drift_total{cluster="prod",kind="target_health",service="web"} 0
# HELP evenkeel_rollouts_total Rollouts ended, by outcome.
# TYPE evenkeel_rollouts_total counter
evenkeel_rollouts_total{cluster="prod",outcome="completed",service="api"} 0
evenkeel_rollouts_total{cluster="prod",outcome="rolled_back",service="api"} 0
evenkeel_rollouts_total{cluster="prod",outcome="timed_out",service="api"} 0
evenkeel_rollouts_total{cluster="prod",outcome="completed",service="web"} 0
evenkeel_rollouts_total{cluster="prod",outcome="rolled_back",service="web"} 1
evenkeel_rollouts_total{cluster="prod",outcome="timed_out",service="web"} 0
"#
        );
    }

    #[test]
    fn what_is_forgotten_is_gone_and_what_is_not_known_has_no_series() {
        let services = Services::default();
        services.succeeded(&key("api"), Timestamp::from_second(1_790_000_000).unwrap());
        assert_eq!(
            text(&services),
            r#"# HELP evenkeel_service_last_success_timestamp_seconds When a service was last seen as it should be.
# TYPE evenkeel_service_last_success_timestamp_seconds gauge
evenkeel_service_last_success_timestamp_seconds{cluster="prod",service="api"} 1790000000
"#
        );
        services.forget(&key("api"));
        assert_eq!(text(&services), "");
    }
}
