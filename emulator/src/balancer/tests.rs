use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
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
use crate::core::RouteTarget;

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

fn target(number: u8) -> RouteTarget {
    RouteTarget {
        address: Ipv4Addr::new(10, 0, 0, number),
        port: 80,
    }
}

impl World {
    fn new() -> Self {
        Self::with_idle(IDLE)
    }

    fn with_idle(idle: Duration) -> Self {
        let addresses = Arc::new(Addresses::default());
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let bound = vec![Bound { port: 80, socket }];
        let balancer =
            Balancer::start(bound, Arc::clone(&addresses), Clock::start(), idle).unwrap();
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
        self.balancer.apply(vec![Route {
            listener: "arn:listener".into(),
            port: 80,
            targets: numbers.iter().copied().map(target).collect(),
        }]);
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

/// Requests without a pause on several connections until told to stop; the count, and each one that failed.
struct Hammer {
    stop: Arc<AtomicBool>,
    workers: Vec<tokio::task::JoinHandle<(usize, Vec<String>)>>,
}

impl Hammer {
    fn start(world: &World, method: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let workers = (0..8).map(|_| {
            let (stop, client, at) = (Arc::clone(&stop), world.client.clone(), world.at);
            tokio::spawn(async move {
                let (mut count, mut failures) = (0, Vec::new());
                while !stop.load(Ordering::SeqCst) {
                    let request = Request::builder()
                        .method(method)
                        .uri(format!("http://{at}/"))
                        .body(Full::from("hello"))
                        .unwrap();
                    count += 1;
                    match client.request(request).await {
                        Ok(response) if response.status() == 200 => {
                            if let Err(error) = response.into_body().collect().await {
                                failures.push(error.to_string());
                            }
                        }
                        Ok(response) => failures.push(response.status().to_string()),
                        Err(error) => failures.push(format!("{error:?}")),
                    }
                }
                (count, failures)
            })
        });
        Self {
            workers: workers.collect(),
            stop,
        }
    }

    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        let mut total = 0;
        for worker in self.workers {
            let (count, failures) = worker.await.unwrap();
            assert_eq!(failures, Vec::<String>::new(), "of {count} requests");
            total += count;
        }
        total
    }
}

/// Until the backend has been sent that many more requests.
async fn served(backend: &Backend, more: usize) {
    let goal = backend.requests.load(Ordering::SeqCst) + more;
    let deadline = Instant::now() + Duration::from_secs(20);
    while backend.requests.load(Ordering::SeqCst) < goal {
        assert!(Instant::now() < deadline, "the backend gets no requests");
        sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn without_a_target_it_answers_503_as_alb_does() {
    let world = World::new();
    for _ in 0..2 {
        let response = world.get("/").await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["server"], "awselb/2.0");
        assert_eq!(response.headers()["content-type"], "text/html");
        assert!(
            std::str::from_utf8(response.body())
                .unwrap()
                .contains("<h1>503 Service Temporarily Unavailable</h1>")
        );
        world.route(&[]);
    }
}

#[tokio::test]
async fn requests_go_to_the_targets_in_turn_over_kept_connections() {
    let world = World::new();
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.put(1, a.at);
    world.put(2, b.at);
    world.route(&[1, 2]);
    let mut names = Vec::new();
    for _ in 0..20 {
        let response = world.get("/").await;
        names.push(response.headers()["x-backend"].to_str().unwrap().to_owned());
    }
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    // A connection is given back by a task of its own, so now and then one more is opened.
    assert!(a.connections.load(Ordering::SeqCst) < 10);
}

#[tokio::test]
async fn the_target_sees_the_client_and_the_host() {
    let world = World::new();
    let backend = Backend::start("a").await;
    world.put(1, backend.at);
    world.route(&[1]);
    let request = world
        .request("POST", "/items?x=1")
        .header("host", "shop.example")
        .header("connection", "close, x-drop")
        .header("x-drop", "1")
        .header("x-forwarded-for", "10.9.9.9")
        .header("expect", "100-continue")
        .body(Full::from("body"))
        .unwrap();
    let response = world.send(request).await;
    assert_eq!(response.body(), "body");
    let saw = |name: &str| {
        let value = response.headers().get(format!("saw-{name}"));
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(saw("host").unwrap(), "shop.example");
    assert_eq!(saw("x-forwarded-for").unwrap(), "10.9.9.9, 127.0.0.1");
    assert_eq!(saw("x-forwarded-proto").unwrap(), "http");
    assert_eq!(saw("x-forwarded-port").unwrap(), "80");
    assert!(saw("x-amzn-trace-id").unwrap().starts_with("Root=1-"));
    assert_eq!(
        (saw("connection"), saw("x-drop"), saw("expect")),
        (None, None, None)
    );
}

#[tokio::test]
async fn a_refused_connection_is_tried_elsewhere_for_every_method() {
    let world = World::new();
    let (gone, here) = (Backend::start("gone").await, Backend::start("here").await);
    world.put(1, gone.at);
    world.put(2, here.at);
    gone.stop().await;
    // The third is not anywhere at all.
    world.route(&[1, 2, 3]);
    for _ in 0..6 {
        let request = world
            .request("POST", "/")
            .body(Full::from("x".repeat(100_000)));
        let response = world.send(request.unwrap()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.body().len(), 100_000);
    }
    world.route(&[1, 3]);
    assert_eq!(world.get("/").await.status(), 502);
}

#[tokio::test]
async fn a_rolling_change_fails_no_request() {
    for method in ["GET", "POST"] {
        let world = World::new();
        let mut old = Backend::start("0").await;
        world.put(0, old.at);
        world.route(&[0]);
        let hammer = Hammer::start(&world, method);
        for round in 1..20u8 {
            served(&old, 100).await;
            let new = Backend::start("next").await;
            world.put(round, new.at);
            world.route(&[round - 1, round]);
            served(&new, 20).await;
            world.route(&[round]);
            // What was being sent when the route changed; AWS waits for the deregistration delay.
            let idle = old.requests.load(Ordering::SeqCst);
            sleep(Duration::from_millis(50)).await;
            assert!(old.requests.load(Ordering::SeqCst) <= idle + 8);
            old.stop().await;
            old = new;
        }
        assert!(hammer.stop().await > 1_000);
    }
}

/// The race itself: the target closes idle connections and its socket while it is still in the routes.
#[tokio::test]
async fn idle_connections_that_the_target_closes_fail_no_request() {
    let world = World::new();
    let stays = Backend::start("stays").await;
    world.put(1, stays.at);
    world.route(&[1]);
    let stop = Arc::new(AtomicBool::new(false));
    // Without bodies and one after the other, so that each request finds an idle connection.
    let requests = {
        let (stop, client, at) = (Arc::clone(&stop), world.client.clone(), world.at);
        tokio::spawn(async move {
            let mut statuses = BTreeSet::new();
            while !stop.load(Ordering::SeqCst) {
                let uri = format!("http://{at}/").parse().unwrap();
                let response = client.get(uri).await.unwrap();
                statuses.insert(response.status().as_u16());
                response.into_body().collect().await.unwrap();
            }
            statuses
        })
    };
    for round in 2..40u8 {
        let leaves = Backend::start("leaves").await;
        world.put(round, leaves.at);
        world.route(&[1, round]);
        served(&leaves, 10).await;
        leaves.stop().await;
        served(&stays, 5).await;
    }
    stop.store(true, Ordering::SeqCst);
    assert_eq!(requests.await.unwrap(), BTreeSet::from([200]));
}

#[tokio::test]
async fn a_target_that_left_finishes_its_requests_and_loses_its_connections() {
    let world = World::new();
    let backend = Backend::start("a").await;
    world.put(1, backend.at);
    world.route(&[1]);
    world.get("/").await;
    let slow = {
        let request = world.request("GET", "/slow").body(Full::default()).unwrap();
        let client = world.client.clone();
        tokio::spawn(async move { client.request(request).await.unwrap().status() })
    };
    served(&backend, 1).await;
    world.route(&[]);
    assert_eq!(world.get("/").await.status(), 503);
    assert_eq!(slow.await.unwrap(), 200);
    // Every connection is closed by the balancer: only then does the backend's last task end without being told.
    backend.running.close();
    let deadline = Instant::now() + Duration::from_secs(10);
    while backend.running.len() > 1 {
        assert!(Instant::now() < deadline, "a connection stays open");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A target that reads a request and answers with these bytes, whatever they are, and closes.
async fn raw_backend(answer: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = socket.accept().await.unwrap();
            let mut buffer = [0; 4096];
            if stream.read(&mut buffer).await.unwrap() > 0 {
                counter.fetch_add(1, Ordering::SeqCst);
                stream.write_all(answer).await.unwrap();
            }
        }
    });
    (at, requests)
}

#[tokio::test]
async fn a_broken_answer_is_502_and_is_asked_for_once() {
    for answer in [
        &b""[..],
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
    ] {
        let world = World::new();
        let (at, requests) = raw_backend(answer).await;
        world.put(1, at);
        world.route(&[1]);
        let response = world.get("/").await;
        assert_eq!(response.status(), 502);
        assert_eq!(response.headers()["server"], "awselb/2.0");
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_for_the_client_too() {
    let world = World::new();
    let (at, _) = raw_backend(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    world.put(1, at);
    world.route(&[1]);
    let request = world.request("GET", "/").body(Full::default()).unwrap();
    let response = world.client.request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_target_that_is_silent_is_504() {
    let world = World::with_idle(Duration::from_millis(300));
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.put(1, socket.local_addr().unwrap());
    world.route(&[1]);
    let response = world.get("/").await;
    assert_eq!(response.status(), 504);
    assert_eq!(response.headers()["server"], "awselb/2.0");
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let world = World::new();
    world.route(&[]);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        ("\u{1}\u{2}\r\n\r\n", "400"),
        ("GET / HTTP/1.0\r\n\r\n", "503"),
        ("GET http://other/x HTTP/1.1\r\nHost: a\r\n\r\n", "503"),
    ] {
        let mut client = TcpStream::connect(world.at).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut buffer = [0; 512];
        let read = client.read(&mut buffer).await.unwrap();
        let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
        assert_eq!(text.get(9..12), Some(status), "{request:?}: {text}");
    }
}

#[tokio::test]
async fn listeners_come_and_go_with_the_routes() {
    let world = World::new();
    let route = |listener: &str, port| Route {
        listener: listener.into(),
        port,
        targets: Vec::new(),
    };
    world.balancer.apply(vec![
        route("arn:a", 80),
        route("arn:b", 80),
        route("arn:c", 8443),
    ]);
    let arns = world.balancer.listener_arns();
    assert_eq!(arns["arn:a"], world.at);
    assert_eq!(world.balancer.listeners()[&8443], arns["arn:c"]);
    assert_eq!(arns.values().collect::<BTreeSet<_>>().len(), 3);

    world.balancer.apply(vec![route("arn:b", 80)]);
    assert_eq!(world.balancer.listeners()[&80], world.at);
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(arns["arn:c"]).await.is_ok() {
        assert!(Instant::now() < deadline, "the listener is still open");
        sleep(Duration::from_millis(5)).await;
    }
    world.balancer.apply(vec![route("arn:d", 80)]);
    assert_eq!(world.balancer.listener_arns()["arn:d"], world.at);
}
