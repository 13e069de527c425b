mod failures;
mod forwarding;
mod rolling;
mod rules;

use std::{
    collections::BTreeSet,
    sync::{
        Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::*;
use crate::core::{Action, Condition, FixedResponse, Redirect, RouteRule, RouteTarget, Weighted};

/// A target that says its name, and shuts down as a good one does: it stops accepting, closes idle connections, and
/// answers what it has read.
struct Backend {
    at: SocketAddr,
    ending: CancellationToken,
    running: TaskTracker,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Backend {
    async fn start(name: &'static str) -> Self {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = Self {
            at: socket.local_addr().unwrap(),
            ending: CancellationToken::new(),
            running: TaskTracker::new(),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        let (ending, running) = (backend.ending.clone(), backend.running.clone());
        let (requests, connections) = (
            Arc::clone(&backend.requests),
            Arc::clone(&backend.connections),
        );
        let accepted = move |stream: TcpStream| {
            connections.fetch_add(1, Ordering::SeqCst);
            running.spawn(serve(name, stream, Arc::clone(&requests), ending.clone()));
        };
        let ending = backend.ending.clone();
        backend.running.spawn(async move {
            while let Some(accept) = ending.run_until_cancelled(socket.accept()).await {
                accepted(accept.unwrap().0);
            }
            // Whoever has connected is served; closing the socket would reset them.
            let socket = socket.into_std().unwrap();
            while let Ok((stream, _)) = socket.accept() {
                stream.set_nonblocking(true).unwrap();
                accepted(TcpStream::from_std(stream).unwrap());
            }
        });
        backend
    }

    async fn stop(self) {
        self.ending.cancel();
        self.running.close();
        self.running.wait().await;
    }
}

async fn serve(
    name: &'static str,
    stream: TcpStream,
    requests: Arc<AtomicUsize>,
    ending: CancellationToken,
) {
    let service = service_fn(|request| {
        requests.fetch_add(1, Ordering::SeqCst);
        echo(name, request)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn echo(
    name: &'static str,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let mut response = Response::builder().header("x-backend", name);
    for (key, value) in request.headers() {
        response = response.header(format!("saw-{key}"), value);
    }
    if request.uri().path() == "/slow" {
        sleep(Duration::from_millis(200)).await;
    }
    let body = request.into_body().collect().await?.to_bytes();
    Ok(response.body(Full::new(body)).unwrap())
}

struct World {
    balancer: Arc<Balancer>,
    addresses: Arc<Addresses>,
    at: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

const GROUP: &str = "arn:group";

/// All requests to one group.
fn route(listener: &str, port: u16, targets: Vec<RouteTarget>) -> Route {
    Route {
        listener: listener.into(),
        port,
        rules: Vec::new(),
        default: Action::Forward(vec![Weighted {
            group: GROUP.into(),
            weight: 1,
        }]),
        targets,
        idle: Route::IDLE,
        drop_invalid_headers: false,
    }
}

fn target(number: u8) -> RouteTarget {
    RouteTarget {
        group: GROUP.into(),
        address: Ipv4Addr::new(10, 0, 0, number),
        port: 80,
    }
}

impl World {
    fn new() -> Self {
        let addresses = Arc::new(Addresses::default());
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let bound = vec![Bound { port: 80, socket }];
        let balancer = Balancer::start(bound, Arc::clone(&addresses), Clock::start()).unwrap();
        Self {
            at: balancer.listeners()[&80],
            balancer: Arc::new(balancer),
            addresses,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    fn put(&self, number: u8, backend: SocketAddr) {
        self.addresses.put(target(number).address, 80, backend);
    }

    fn route(&self, numbers: &[u8]) {
        self.apply(self.table(numbers));
    }

    fn table(&self, numbers: &[u8]) -> Route {
        route(
            "arn:listener",
            80,
            numbers.iter().copied().map(target).collect(),
        )
    }

    fn apply(&self, route: Route) {
        self.balancer.apply(vec![route]);
    }

    /// Alive as long as it is in the routes or a request is being sent to it.
    fn target(&self, number: u8) -> Weak<Target> {
        Arc::downgrade(&self.balancer.state().targets[&(target(number).address, 80)])
    }

    fn request(&self, method: &str, path: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.at))
    }

    async fn get(&self, path: &str) -> Response<Bytes> {
        self.send(self.request("GET", path).body(Full::default()).unwrap())
            .await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }
}
