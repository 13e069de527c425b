//! The daemon's own port: read-only, and apart from what it deploys.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use serde::Serialize;
use serde_json::json;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    daemon::{Board, board::Leadership},
    metrics::Metrics,
};

/// More connections than this wait to be accepted.
const CONNECTIONS: usize = 256;
/// The longest time for a request's head to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of a request's head; hyper answers 431 to a longer one.
const HEAD: usize = 32 * 1024;
/// How long requests may finish in after the daemon was told to stop.
const DRAIN: Duration = Duration::from_secs(1);

/// What the routes answer from.
#[derive(Debug, Clone)]
pub struct Views {
    /// Statuses and events.
    pub board: Arc<Board>,
    /// For `/metrics`.
    pub metrics: Metrics,
}

/// Serves until `shutdown`, then lets requests finish for a moment.
pub async fn serve(listener: TcpListener, views: Views, shutdown: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let (stream, place) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let views = views.clone();
        let service = service_fn(move |request| {
            let response = route(&request, &views);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
            drop(place);
        });
    }
    if tokio::time::timeout(DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::debug!("connections were still open");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (
    tokio::net::TcpStream,
    Option<tokio::sync::OwnedSemaphorePermit>,
) {
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                // Out of file descriptors, most often: others must end before another can begin.
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Binds the port.
///
/// # Errors
/// When it is taken or not ours to take.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

fn route<B>(request: &Request<B>, views: &Views) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "this port is read-only");
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let path = request.uri().path();
    match path {
        "/metrics" => metrics(views),
        "/livez" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => match views.board.not_ready() {
            None => text(StatusCode::OK, readiness(views)),
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        "/api/v1/services" => json_of(&views.board.services()),
        "/api/v1/manifests" => json_of(&json!({"errors": views.board.manifest_errors()})),
        "/api/v1/leader" => json_of(&views.board.leadership()),
        "/api/v1/events" => json_of(&views.board.events()),
        _ => match path.strip_prefix("/api/v1/services/") {
            Some(name) => match decoded(name) {
                Some(name) => service(&name, views),
                None => problem(
                    StatusCode::BAD_REQUEST,
                    "the name is not percent-encoded UTF-8",
                ),
            },
            None => problem(
                StatusCode::NOT_FOUND,
                "there are /metrics, /livez, /readyz, /api/v1/services, /api/v1/services/NAME, /api/v1/events, /api/v1/manifests and /api/v1/leader",
            ),
        },
    }
}

fn readiness(views: &Views) -> String {
    match views.board.leadership() {
        Leadership {
            leading: false,
            leader: Some(leader),
            ..
        } => format!("standing by: {leader} acts\n"),
        _ => "ok\n".to_owned(),
    }
}

/// `NAME`, or `CLUSTER/NAME` where two clusters have a service of that name.
fn service(name: &str, views: &Views) -> Response<Full<Bytes>> {
    let services = views.board.services();
    let mut named = services.iter().filter(|status| {
        status.name == name || name == format!("{}/{}", status.cluster, status.name)
    });
    match (named.next(), named.next()) {
        (Some(status), None) => json_of(status),
        (Some(_), Some(_)) => problem(
            StatusCode::CONFLICT,
            "several clusters have a service of this name: ask for CLUSTER/NAME",
        ),
        (None, _) => problem(StatusCode::NOT_FOUND, "no manifest names such a service"),
    }
}

/// Without its percent-encoding (RFC 3986, section 2.1).
fn decoded(name: &str) -> Option<String> {
    let mut parts = name.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.extend(hex::decode(digits).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

fn metrics(views: &Views) -> Response<Full<Bytes>> {
    match views.metrics.render() {
        Ok(text) => respond(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            text,
        ),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn json_of<T: Serialize>(value: &T) -> Response<Full<Bytes>> {
    match serde_json::to_string(value) {
        Ok(body) => respond(StatusCode::OK, "application/json", body),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// RFC 9457.
fn problem(status: StatusCode, detail: &str) -> Response<Full<Bytes>> {
    let title = status.canonical_reason().unwrap_or_default();
    let body =
        json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
    respond(status, "application/problem+json", body.to_string())
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", body)
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        time::Instant,
    };

    use super::*;
    use crate::{
        event::{Event, Kind},
        status,
    };

    struct Server {
        address: SocketAddr,
        views: Views,
        shutdown: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    struct Answer {
        status: u16,
        head: String,
        body: String,
    }

    impl Answer {
        fn json(&self) -> Value {
            serde_json::from_str(&self.body).unwrap()
        }

        fn assert_problem(&self, status: u16) {
            assert_eq!(self.status, status, "{}", self.body);
            assert!(self.head.contains("content-type: application/problem+json"));
            assert_eq!(self.json()["status"], status);
            assert!(!self.json()["detail"].as_str().unwrap().is_empty());
        }
    }

    impl Server {
        async fn start() -> Self {
            let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let address = listener.local_addr().unwrap();
            let views = Views {
                board: Arc::default(),
                metrics: Metrics::new().unwrap(),
            };
            for (cluster, name) in [("prod", "api"), ("prod", "web"), ("test", "web")] {
                let key = (cluster.to_owned(), name.to_owned());
                let now = Timestamp::UNIX_EPOCH;
                let status = status::unknown(key.clone(), "not yet".to_owned(), None, now);
                views.board.set_status(key, status);
            }
            let shutdown = CancellationToken::new();
            let task = tokio::spawn(serve(listener, views.clone(), shutdown.clone()));
            Self {
                address,
                views,
                shutdown,
                task,
            }
        }

        async fn ask(&self, method: &str, path: &str) -> Answer {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let request =
                format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            Answer {
                status: head[9..12].parse().unwrap(),
                head: head.to_lowercase(),
                body: body.to_owned(),
            }
        }

        async fn get(&self, path: &str) -> Answer {
            self.ask("GET", path).await
        }
    }

    #[tokio::test]
    async fn health_and_metrics() {
        let server = Server::start().await;
        assert_eq!(server.get("/livez").await.body, "ok\n");
        let ready = server.get("/readyz").await;
        assert_eq!(
            (ready.status, ready.body.as_str()),
            (503, "AWS has not been asked yet\n")
        );
        server.views.board.set_answers("prod", true);
        assert_eq!(server.get("/readyz?verbose").await.status, 200);
        let metrics = server.get("/metrics").await;
        assert!(
            metrics
                .head
                .contains("content-type: text/plain; version=0.0.4")
        );
        assert!(metrics.body.contains("evenkeel_build_info{version="));
    }

    #[tokio::test]
    async fn one_service_by_name_or_by_cluster_and_name() {
        let server = Server::start().await;
        assert_eq!(
            server
                .get("/api/v1/services")
                .await
                .json()
                .as_array()
                .unwrap()
                .len(),
            3
        );
        for name in ["api", "prod/api", "prod%2Fapi", "prod%2fap%69"] {
            let answer = server.get(&format!("/api/v1/services/{name}")).await;
            assert_eq!(answer.status, 200, "{name}");
            assert_eq!(answer.json()["cluster"], "prod");
        }
        let both = server.get("/api/v1/services/web").await;
        both.assert_problem(409);
        assert!(both.body.contains("CLUSTER/NAME"));
        assert_eq!(
            server.get("/api/v1/services/test/web").await.json()["cluster"],
            "test"
        );
        for nobody in ["", "nobody", "prod/", "test/api", "api/"] {
            server
                .get(&format!("/api/v1/services/{nobody}"))
                .await
                .assert_problem(404);
        }
        for malformed in ["%", "%2", "%zz", "%+1", "%ff", "a%C3"] {
            server
                .get(&format!("/api/v1/services/{malformed}"))
                .await
                .assert_problem(400);
        }
    }

    #[tokio::test]
    async fn events_come_newest_first() {
        let server = Server::start().await;
        for message in ["first", "second"] {
            server.views.board.add_event(Event {
                time: Timestamp::UNIX_EPOCH,
                service: "api".to_owned(),
                cluster: "prod".to_owned(),
                kind: Kind::Applied,
                message: message.to_owned(),
                changes: Vec::new(),
            });
        }
        let events = server.get("/api/v1/events").await.json();
        assert_eq!(
            (&events[0]["message"], &events[1]["message"]),
            (&json!("second"), &json!("first"))
        );
        assert_eq!(events[0]["kind"], "Applied");
        server
            .views
            .board
            .set_manifest_errors(vec!["bad".to_owned()]);
        assert_eq!(
            server.get("/api/v1/manifests").await.json(),
            json!({"errors": ["bad"]})
        );
    }

    #[tokio::test]
    async fn what_there_is_not_is_said_so() {
        let server = Server::start().await;
        for path in ["/", "/api/v1", "/api/v1/services2", "/livez/", "//livez"] {
            server.get(path).await.assert_problem(404);
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let answer = server.ask(method, "/livez").await;
            answer.assert_problem(405);
            assert!(answer.head.contains("allow: get, head"));
        }
        let long = format!("/{}", "x".repeat(2 * HEAD));
        let answer = server.get(&long).await;
        assert!([414, 431].contains(&answer.status), "{}", answer.head);
        assert_eq!(
            server.get("/livez").await.status,
            200,
            "the others are served"
        );
    }

    #[tokio::test]
    async fn head_has_the_head_of_get_and_no_body() {
        let server = Server::start().await;
        for path in ["/livez", "/api/v1/services/api", "/api/v1/services/nobody"] {
            let (get, head) = (server.get(path).await, server.ask("HEAD", path).await);
            assert_eq!((head.status, head.body.as_str()), (get.status, ""));
            let length = format!("content-length: {}", get.body.len());
            assert!(head.head.contains(&length), "{}", head.head);
        }
    }

    #[tokio::test]
    async fn an_open_connection_does_not_keep_it() {
        let server = Server::start().await;
        let mut idle = TcpStream::connect(server.address).await.unwrap();
        idle.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        assert_eq!(server.get("/livez").await.status, 200);
        let began = Instant::now();
        server.shutdown.cancel();
        server.task.await.unwrap();
        assert!(began.elapsed() < 3 * DRAIN, "{:?}", began.elapsed());
    }
}
