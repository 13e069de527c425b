//! What Prometheus sees. Label sets are closed: never a path, an id or a header. Series that alerts look at exist from the start.

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::pool::Occupancy;

/// Latency bounds in seconds: a hit takes under a millisecond, the longest deadline is a few seconds.
const SECONDS: [f64; 14] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Every metric of the process, with the registry that prints them.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    pub(crate) cache: CacheMetrics,
    pool_wait: HistogramVec,
    pool_connections: IntGaugeVec,
}

/// How reads of one item were answered.
#[derive(Clone)]
pub(crate) struct CacheMetrics {
    pub(crate) near: IntCounter,
    pub(crate) hit: IntCounter,
    pub(crate) miss: IntCounter,
    pub(crate) bypass: IntCounter,
    /// Those of the last two that waited for another's look-up.
    pub(crate) coalesced: IntCounter,
}

impl Metrics {
    /// Registers everything. `series` are the (method, route, status) that exist at 0 from the start.
    ///
    /// # Errors
    ///
    /// Only if two metrics share a name, which a test would show.
    pub(crate) fn new<'a>(
        version: &str,
        series: impl Iterator<Item = (&'a str, &'a str, u16)>,
    ) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build = IntGaugeVec::new(
            Opts::new("api_build_info", "Always 1; the version is in the label."),
            &["version"],
        )?;
        registry.register(Box::new(build.clone()))?;
        build.with_label_values(&[version]).set(1);

        let requests = IntCounterVec::new(
            Opts::new(
                "http_requests_total",
                "Requests answered, by method, route pattern and status.",
            ),
            &["method", "route", "status"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        let durations = HistogramVec::new(
            HistogramOpts::new(
                "http_request_duration_seconds",
                "Time from the request's head to the answer's.",
            )
            .buckets(SECONDS.to_vec()),
            &["method", "route"],
        )?;
        registry.register(Box::new(durations.clone()))?;
        for (method, route, status) in series {
            requests.with_label_values(&[method, route, status.to_string().as_str()]);
            durations.with_label_values(&[method, route]);
        }

        let results = IntCounterVec::new(
            Opts::new(
                "cache_requests_total",
                "Reads of one item, by what the cache did.",
            ),
            &["result"],
        )?;
        registry.register(Box::new(results.clone()))?;
        let coalesced = IntCounter::new(
            "cache_coalesced_total",
            "Reads of one item that shared another's look-up.",
        )?;
        registry.register(Box::new(coalesced.clone()))?;
        let pool_wait = HistogramVec::new(
            HistogramOpts::new(
                "db_pool_wait_seconds",
                "Time spent waiting for a pooled connection.",
            )
            .buckets(SECONDS.to_vec()),
            &["pool"],
        )?;
        registry.register(Box::new(pool_wait.clone()))?;
        let pool_connections = IntGaugeVec::new(
            Opts::new(
                "db_pool_connections",
                "Connections of a pool, by what they do.",
            ),
            &["pool", "state"],
        )?;
        registry.register(Box::new(pool_connections.clone()))?;

        Ok(Self {
            registry,
            requests,
            durations,
            cache: CacheMetrics {
                near: results.with_label_values(&["near"]),
                hit: results.with_label_values(&["hit"]),
                miss: results.with_label_values(&["miss"]),
                bypass: results.with_label_values(&["bypass"]),
                coalesced,
            },
            pool_wait,
            pool_connections,
        })
    }

    /// The counter of requests with these labels.
    pub(crate) fn requests(&self, method: &str, route: &str, status: &str) -> IntCounter {
        self.requests.with_label_values(&[method, route, status])
    }

    /// The histogram of requests' durations with these labels.
    pub(crate) fn durations(&self, method: &str, route: &str) -> Histogram {
        self.durations.with_label_values(&[method, route])
    }

    /// The histogram of waits for connections of the pool `pool`.
    pub(crate) fn pool_wait(&self, pool: &str) -> Histogram {
        self.pool_wait.with_label_values(&[pool])
    }

    /// Sets how many connections to a store there are: shared ones, and those of pools.
    pub(crate) fn set_connections(&self, store: &str, shared: usize, pools: &[Occupancy]) {
        let gauge = |state: &str, value: usize| {
            self.pool_connections
                .with_label_values(&[store, state])
                .set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        gauge("shared", shared);
        gauge("idle", pools.iter().map(|pool| pool.idle).sum());
        gauge("in_use", pools.iter().map(|pool| pool.in_use).sum());
    }

    /// Everything in Prometheus's text format.
    ///
    /// # Errors
    ///
    /// When a metric cannot be written as text.
    pub(crate) fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alerts_look_at_exists_from_the_start() {
        let metrics = Metrics::new("1.2.3", [("GET", "/items/{id}", 500)].into_iter()).unwrap();
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        for line in [
            "api_build_info{version=\"1.2.3\"} 1",
            "cache_coalesced_total 0",
            "cache_requests_total{result=\"bypass\"} 0",
            "cache_requests_total{result=\"hit\"} 0",
            "cache_requests_total{result=\"miss\"} 0",
            "cache_requests_total{result=\"near\"} 0",
            "http_requests_total{method=\"GET\",route=\"/items/{id}\",status=\"500\"} 0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
