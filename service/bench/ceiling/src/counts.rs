//! What each thread has had: requests that it has answered, and connections whose first request was among them.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;

/// Where the counts are read.
pub const PATH: &str = "/counts";

const MOST: usize = 64;

/// A cache line of its own, so that threads do not slow each other down.
#[repr(align(128))]
struct Thread {
    connections: AtomicU64,
    requests: AtomicU64,
}

static THREADS: [Thread; MOST] = [const {
    Thread {
        connections: AtomicU64::new(0),
        requests: AtomicU64::new(0),
    }
}; MOST];
static STARTED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// Called once by each thread that serves.
pub fn thread_starts() {
    HERE.set(STARTED.fetch_add(1, Ordering::Relaxed) % MOST);
}

/// This thread answers a request, which may be the first on its connection.
pub fn request(is_first: bool) {
    let here = &THREADS[HERE.get()];
    here.requests.fetch_add(1, Ordering::Relaxed);
    if is_first {
        here.connections.fetch_add(1, Ordering::Relaxed);
    }
}

/// `{"connections":[32,32],"requests":[5000,5000]}`, by thread.
pub fn response() -> Response<Full<Bytes>> {
    let started = STARTED.load(Ordering::Relaxed).min(MOST);
    let list = |count: fn(&Thread) -> &AtomicU64| {
        let counts = THREADS[..started]
            .iter()
            .map(|thread| count(thread).load(Ordering::Relaxed).to_string());
        counts.collect::<Vec<_>>().join(",")
    };
    let connections = list(|thread| &thread.connections);
    let requests = list(|thread| &thread.requests);
    let json = format!("{{\"connections\":[{connections}],\"requests\":[{requests}]}}");
    Response::new(Full::from(json))
}
