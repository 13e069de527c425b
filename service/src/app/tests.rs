//! The wiring of a worker, with one thing that the process does not have: requests whose bodies cannot be read without a panic.

use std::io;
use std::panic;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes, Frame};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tracing::instrument::WithSubscriber as _;

use super::*;

/// What a body begins with whose reader panics.
const TRAP: &[u8] = b"trap";

/// The API as the process has it, but for the bodies.
struct Trapped {
    api: Api,
    log: Log,
}

struct Trap(Incoming);

impl Body for Trap {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.0).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let data = frame.data_ref();
            assert!(!data.is_some_and(|data| data.starts_with(TRAP)), "sprung");
        }
        polled
    }
}

impl Answer for Trapped {
    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let log = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(self.log.clone())
            .finish();
        self.api
            .handle(request.map(Trap))
            .with_subscriber(log)
            .await
    }
}

/// Log lines as they would be on stdout.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The lines with this message.
    fn lines(&self, message: &str) -> Vec<Value> {
        let bytes = self.0.lock().unwrap();
        let lines = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
        lines
            .map(Result::unwrap)
            .filter(|line| line["message"] == message)
            .collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// One keep-alive connection.
struct Client(SendRequest<Full<Bytes>>);

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    async fn ask(&mut self, method: &str, path: &str, body: &'static [u8]) -> Response<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "api")
            .header("content-type", "application/json")
            .body(Full::from(body));
        let answer = self.0.send_request(request.unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }
}

#[tokio::test]
async fn a_panic_in_a_handler_is_one_answer() {
    // As the process does, and beside what the other tests need.
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        logging::log_panic(panic);
        others(panic);
    }));
    // No store is needed to read a body.
    let config = ServeConfig::parse(&|name| match name {
        "DATABASE_URL" => Some("postgres://api@127.0.0.1:1/api".into()),
        "REDIS_URL" => Some("redis://127.0.0.1:1".into()),
        _ => None,
    })
    .unwrap();
    let metrics = Arc::new(Metrics::new("1", http::documented_answers()).unwrap());
    let (_shutdown, drain) = shutdown::channel();
    let shared = Shared {
        config: &config,
        metrics: Arc::clone(&metrics),
        flights: items::flights(),
        owed: Arc::default(),
        postgresql: Presence::of("PostgreSQL", 1),
        redis: Presence::of("Redis", 1),
        stale_password: StalePassword::default(),
        serving: Arc::default(),
        drain: drain.clone(),
    };
    let Worker { runtime, api, .. } = shared.worker(1).unwrap();
    let log = Log::default();
    let trapped = Arc::new(Trapped {
        api,
        log: log.clone(),
    });
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let lanes = vec![Lane::new(runtime, trapped)];
    tokio::spawn(server::serve(listener, lanes, Slots::new(2), drain));

    let mut other = Client::connect(address).await;
    assert_eq!(other.ask("GET", "/health", b"").await.status(), 200);
    let mut unlucky = Client::connect(address).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let failed = unlucky.ask("POST", "/items", b"trap").await;
        assert_eq!(failed.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let text = |name: &str| failed.headers()[name].to_str().unwrap();
        assert_eq!(text("content-type"), "application/problem+json");
        let problem: Value = serde_json::from_slice(failed.body()).unwrap();
        assert_eq!(problem["status"], 500);
        assert_eq!(problem["request_id"], text("x-request-id"));
        assert!(!problem.to_string().contains("sprung"), "{problem}");
        told.push(problem["request_id"].clone());
        // Its thread goes on, and so does the connection.
        for client in [&mut unlucky, &mut other] {
            assert_eq!(client.ask("GET", "/health", b"").await.status(), 200);
        }
    }

    let counted = String::from_utf8(metrics.text().unwrap()).unwrap();
    for line in [
        "http_requests_total{method=\"POST\",route=\"/items\",status=\"500\"} 3",
        "http_requests_total{method=\"GET\",route=\"/health\",status=\"200\"} 7",
    ] {
        assert!(counted.contains(line), "{line} is missing in\n{counted}");
    }
    let panicked = log.lines("panicked");
    assert_eq!(panicked.len(), told.len(), "{panicked:?}");
    for line in panicked {
        assert_eq!(line["panic"], "sprung");
        let location = line["location"].as_str().unwrap();
        assert!(location.starts_with(file!()), "{location}");
    }
    let failed = log.lines("failed");
    let failed: Vec<_> = failed.iter().map(|line| &line["request_id"]).collect();
    assert_eq!(failed, told.iter().collect::<Vec<_>>());
}
