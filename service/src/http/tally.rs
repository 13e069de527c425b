//! Counting answers: each series is looked up once, and then found by its place in a table.

use std::sync::OnceLock;
use std::time::Duration;

use hyper::{Method, StatusCode};
use prometheus::{Histogram, IntCounter};

use super::routes::Route;
use crate::metrics::Metrics;

/// A closed set: a client can send any method.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "other",
];
const OTHER: usize = METHODS.len() - 1;
/// The routes, and none.
const ROUTES: usize = Route::ALL.len() + 1;
/// Those that are answered here; any other would be looked up each time.
const STATUSES: [u16; 15] = [
    200, 201, 204, 304, 400, 404, 405, 408, 412, 413, 414, 415, 422, 500, 503,
];

/// The series of requests, by method and route.
pub(crate) struct Tally(Box<[Series]>);

/// One method on one route.
#[derive(Default)]
struct Series {
    counters: [OnceLock<IntCounter>; STATUSES.len()],
    duration: OnceLock<Histogram>,
}

/// A method and a route as places in the table, and as labels.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    place: usize,
    pub(crate) method: &'static str,
    pub(crate) route: &'static str,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self(
            (0..METHODS.len() * ROUTES)
                .map(|_| Series::default())
                .collect(),
        )
    }

    pub(crate) fn count(&self, metrics: &Metrics, kind: Kind, status: StatusCode, took: Duration) {
        let Kind { method, route, .. } = kind;
        let find = || metrics.requests(method, route, status.as_str());
        let Some(series) = self.0.get(kind.place) else {
            return;
        };
        let place = STATUSES.iter().position(|known| *known == status.as_u16());
        match place.and_then(|place| series.counters.get(place)) {
            Some(counter) => counter.get_or_init(find).inc(),
            None => find().inc(),
        }
        series
            .duration
            .get_or_init(|| metrics.durations(method, route))
            .observe(took.as_secs_f64());
    }
}

impl Kind {
    pub(crate) fn of(method: &Method, route: Option<Route>) -> Self {
        let method = match *method {
            Method::GET => 0,
            Method::HEAD => 1,
            Method::POST => 2,
            Method::PUT => 3,
            Method::DELETE => 4,
            Method::PATCH => 5,
            Method::OPTIONS => 6,
            _ => OTHER,
        };
        let place = route.map_or(ROUTES - 1, |route| route as usize);
        Self {
            place: method * ROUTES + place,
            method: METHODS.get(method).copied().unwrap_or("other"),
            route: route.map_or("unknown", Route::pattern),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_place_of_its_own_and_its_labels() {
        let mut places = Vec::new();
        for name in METHODS {
            let method = match name {
                "other" => Method::TRACE,
                name => Method::from_bytes(name.as_bytes()).unwrap(),
            };
            for route in Route::ALL.map(Some).into_iter().chain([None]) {
                let kind = Kind::of(&method, route);
                assert_eq!(kind.method, name);
                assert_eq!(kind.route, route.map_or("unknown", Route::pattern));
                places.push(kind.place);
            }
        }
        places.sort_unstable();
        assert_eq!(places, (0..METHODS.len() * ROUTES).collect::<Vec<_>>());
    }

    #[test]
    fn answers_are_counted_by_their_series() {
        let metrics = Metrics::new("1", super::super::documented_answers()).unwrap();
        let tally = Tally::new();
        let kind = Kind::of(&Method::GET, Some(Route::Item));
        for status in [200, 200, 404, 418] {
            let status = StatusCode::from_u16(status).unwrap();
            tally.count(&metrics, kind, status, Duration::from_millis(3));
        }
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        for line in [
            "http_requests_total{method=\"GET\",route=\"/items/{id}\",status=\"200\"} 2",
            "http_requests_total{method=\"GET\",route=\"/items/{id}\",status=\"404\"} 1",
            "http_requests_total{method=\"GET\",route=\"/items/{id}\",status=\"418\"} 1",
            "http_requests_total{method=\"GET\",route=\"/items/{id}\",status=\"503\"} 0",
            "http_request_duration_seconds_count{method=\"GET\",route=\"/items/{id}\"} 4",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
