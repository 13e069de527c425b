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

use crate::{daemon::Board, metrics::Metrics};

/// More connections than this wait to be accepted.
const CONNECTIONS: usize = 256;
/// The longest time for a request's head to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
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
            None => text(StatusCode::OK, "ok\n".to_owned()),
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        "/api/v1/services" => json_of(&views.board.services()),
        "/api/v1/manifests" => json_of(&json!({"errors": views.board.manifest_errors()})),
        "/api/v1/events" => json_of(&views.board.events()),
        _ => match path.strip_prefix("/api/v1/services/") {
            Some(name) => service(name, views),
            None => problem(
                StatusCode::NOT_FOUND,
                "there are /metrics, /livez, /readyz, /api/v1/services and /api/v1/events",
            ),
        },
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
