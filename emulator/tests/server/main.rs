//! The emulator as its users meet it: over sockets.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and what it serves writes to its log"
)]

mod balancing;
mod faults;
mod rollout;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use emulator::{
    core::Settings,
    server::{Config, StartError, start},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

fn config(state: &Path) -> Config {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Config {
        aws: any,
        listeners: BTreeMap::from([(80, any)]),
        state: state.to_owned(),
        blobs: state.join("images"),
        settings: Settings {
            account: "000000000000".into(),
            region: "us-east-1".into(),
            speed: 50.0,
            seed: 1,
            secrets: BTreeMap::new(),
        },
    }
}

struct Running {
    aws: SocketAddr,
    listeners: BTreeMap<u16, SocketAddr>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    state: TempDir,
}

impl Running {
    async fn start() -> Self {
        let state = tempfile::tempdir().unwrap();
        let emulator = start(config(state.path())).await.unwrap();
        let shutdown = CancellationToken::new();
        Self {
            aws: emulator.aws,
            listeners: emulator.listeners.clone(),
            task: tokio::spawn(emulator.run(shutdown.clone())),
            shutdown,
            state,
        }
    }

    /// Sends these bytes and reads until the answer is whole or the connection closes: status, head, body.
    async fn raw(&self, request: &[u8]) -> (u16, String, String) {
        let exchange = async {
            let mut stream = TcpStream::connect(self.aws).await.unwrap();
            // The server may answer and close before it has read everything.
            let _ = stream.write_all(request).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        };
        let answer = timeout(Duration::from_secs(20), exchange).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.get(9..12).and_then(|text| text.parse().ok());
        (status.unwrap_or(0), head.to_lowercase(), body.to_owned())
    }

    async fn http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String, String) {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        write!(request, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.raw(request.as_bytes()).await
    }

    async fn json(&self, target: &str, body: &str) -> (u16, String, Value) {
        let headers = [
            ("x-amz-target", target),
            ("content-type", "application/x-amz-json-1.1"),
            ("user-agent", "test/1"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=0",
            ),
        ];
        let (status, head, body) = self.http("POST", "/", &headers, body).await;
        (status, head, serde_json::from_str(&body).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.http("GET", path, &[], "").await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

#[tokio::test]
async fn it_says_where_it_is_and_how_it_is() {
    let emulator = Running::start().await;
    assert_eq!(
        emulator.get("/_emulator/health").await,
        (200, json!({"status": "ok"}))
    );
    assert_eq!(
        emulator.get("/_emulator/endpoints").await,
        (
            200,
            json!({
                "aws": format!("http://{}", emulator.aws),
                "listeners": {"80": emulator.listeners[&80].to_string()},
                "listenerArns": {},
            })
        )
    );
    assert_eq!(emulator.get("/_emulator/elsewhere").await.0, 404);
    assert_eq!(emulator.get("/_emulator/journal?since=x").await.0, 400);
    assert_eq!(
        emulator.http("PUT", "/_emulator/health", &[], "").await.0,
        405
    );
    assert_eq!(emulator.http("GET", "/elsewhere", &[], "").await.0, 404);
}

#[tokio::test]
async fn calls_are_answered_in_their_protocol_and_journalled() {
    let emulator = Running::start().await;
    let target = "AmazonEC2ContainerServiceV20141113.MakeCoffee";
    let (status, head, body) = emulator.json(target, r#"{"cups":2}"#).await;
    assert_eq!(status, 400);
    assert_eq!(body["__type"], "UnknownOperationException");
    assert!(
        head.contains("\r\ncontent-type: application/x-amz-json-1.1"),
        "{head}"
    );
    assert!(
        head.contains("\r\nx-amzn-requestid: ") && head.contains("\r\ndate: "),
        "{head}"
    );
    assert_eq!(head.matches("\r\ndate: ").count(), 1);

    let form = [(
        "content-type",
        "application/x-www-form-urlencoded; charset=utf-8",
    )];
    let query = "Action=MakeCoffee&Version=2015-12-01&Cups.member.1=2";
    let (status, head, body) = emulator.http("POST", "/", &form, query).await;
    assert_eq!(status, 400);
    assert!(head.contains("\r\ncontent-type: text/xml"), "{head}");
    assert!(body.starts_with("<ErrorResponse xmlns="), "{body}");
    assert!(body.contains("<Type>Sender</Type><Code>"), "{body}");

    let (status, journal) = emulator.get("/_emulator/journal?since=0").await;
    assert_eq!((status, &journal["next"]), (200, &json!(2)));
    let entry = &journal["entries"][0];
    assert_eq!(entry["service"], "ecs");
    assert_eq!(entry["operation"], "MakeCoffee");
    assert_eq!(entry["caller"], "AKID");
    assert_eq!(entry["userAgent"], "test/1");
    assert_eq!(entry["input"], json!({"cups": 2}));
    assert_eq!(entry["code"], "UnknownOperationException");
    assert_eq!(entry["status"], 400);
    assert_eq!(journal["entries"][1]["input"], json!({"Cups": ["2"]}));
    let (_, journal) = emulator.get("/_emulator/journal?since=2").await;
    assert_eq!(journal, json!({"next": 2, "entries": []}));
}

#[tokio::test]
async fn whatever_is_sent_is_answered_and_it_goes_on() {
    let emulator = Running::start().await;
    for request in [
        "\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
    ] {
        let (status, _, _) = emulator.raw(request.as_bytes()).await;
        assert_eq!(status, 400, "{request:?}");
    }
    let target = "Logs_20140328.DescribeLogGroups";
    for body in ["{", "nul", "[1]", "\"x\"", &"[".repeat(200_000)] {
        let (status, _, answer) = emulator.json(target, body).await;
        assert_eq!(status, 400);
        assert_eq!(answer["__type"], "SerializationException");
    }
    let (status, _, _) = emulator.http("POST", "/", &[], "a=1&a=2").await;
    assert_eq!(status, 400);
    // More than it takes: said before all of it is read.
    let head = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: {target}\r\ncontent-length: {}\r\n\r\n",
        100 * 1024 * 1024
    );
    let mut request = head.into_bytes();
    request.resize(request.len() + 64 * 1024, b' ');
    let (status, _, answer) = emulator.raw(&request).await;
    assert_eq!(status, 413, "{answer}");
    assert_eq!(emulator.get("/_emulator/health").await.0, 200);
}

#[tokio::test]
async fn a_taken_port_is_named_and_nothing_stays_behind() {
    let state = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();

    let mut aws = config(state.path());
    aws.aws = address;
    let error = start(aws).await.unwrap_err();
    assert!(matches!(error, StartError::Aws { .. }));
    assert!(error.to_string().contains(&address.to_string()), "{error}");

    let mut listener = config(state.path());
    listener.listeners.insert(443, address);
    let error = start(listener).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StartError::Listener { port: 443, .. }));
    assert!(
        text.contains("port 443") && text.contains(&address.to_string()),
        "{text}"
    );

    drop(taken);
    start(config(state.path())).await.unwrap();
}

#[tokio::test]
async fn a_state_directory_is_one_emulators() {
    let state = tempfile::tempdir().unwrap();
    let first = start(config(state.path())).await.unwrap();
    let error = start(config(state.path())).await.unwrap_err();
    assert!(matches!(error, StartError::InUse { .. }), "{error}");
    drop(first);
    start(config(state.path())).await.unwrap();

    std::fs::write(state.path().join("file"), "").unwrap();
    let error = start(config(&state.path().join("file"))).await.unwrap_err();
    assert!(matches!(error, StartError::State { .. }), "{error}");
}

#[tokio::test]
async fn told_to_end_it_ends_with_clients_connected() {
    let emulator = Running::start().await;
    let mut idle = TcpStream::connect(emulator.aws).await.unwrap();
    let mut client = TcpStream::connect(emulator.listeners[&80]).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    emulator.shutdown.cancel();
    timeout(Duration::from_secs(20), emulator.task)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(idle.read(&mut answer).await.unwrap_or(0), 0);
    for address in [emulator.aws, emulator.listeners[&80]] {
        assert!(TcpStream::connect(address).await.is_err());
    }
}
