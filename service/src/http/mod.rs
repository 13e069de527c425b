//! The API over HTTP: one request in, one response out. Knows no store.

mod body;
mod conditional;
mod failure;
mod guard;
mod handlers;
mod page;
mod reply;
mod request_id;
mod routes;
mod scrape;

use std::sync::Arc;
use std::time::Instant;

use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::header::{CONNECTION, HOST, HeaderName, HeaderValue, SERVER};
use hyper::{HeaderMap, Method, Request, Response, Version};

use crate::items::Catalogue;
use crate::metrics::Metrics;
use crate::shutdown::Drain;
use failure::Failure;
use request_id::RequestId;
use routes::{Routes, Target};

pub(crate) use routes::documented_answers;
pub(crate) use scrape::scrape;

/// Every response of this program.
pub(crate) type Reply = Response<Full<Bytes>>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The API, shared by all connections.
pub(crate) struct Api {
    catalogue: Arc<Catalogue>,
    metrics: Arc<Metrics>,
    routes: Routes,
    version: String,
    server: HeaderValue,
    drain: Drain,
}

/// Why the API could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("two routes overlap")]
    Routes(#[from] matchit::InsertError),
    #[error("the version does not fit a header")]
    Version(#[from] hyper::header::InvalidHeaderValue),
}

impl Api {
    pub(crate) fn new(
        catalogue: Arc<Catalogue>,
        metrics: Arc<Metrics>,
        version: &str,
        drain: Drain,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            catalogue,
            metrics,
            routes: Routes::new()?,
            version: version.to_owned(),
            server: HeaderValue::from_str(&format!("api/{version}"))?,
            drain,
        })
    }

    /// Answers one request. Every failure, a panic included, is an answer.
    pub(crate) async fn handle<B>(&self, request: Request<B>) -> Reply
    where
        B: Body<Data = Bytes> + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let started = Instant::now();
        let id = RequestId::take_or_make(request.headers());
        let target = self.routes.resolve(request.method(), request.uri().path());
        let line = Line::of(&request, &target);

        let answer = guard::catch_panic(self.answer(target, request)).await;
        let mut reply = match answer {
            Ok(Ok(reply)) => reply,
            Ok(Err(failure)) => failure.reply(&id),
            Err(guard::Panicked) => Failure::Panicked.reply(&id),
        };

        let headers = reply.headers_mut();
        headers.insert(SERVER, self.server.clone());
        headers.insert(REQUEST_ID, id.header());
        if self.drain.is_draining() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let took = started.elapsed();
        let status = reply.status();
        self.metrics
            .answered(line.method, line.route, status.as_str(), took);
        tracing::info!(
            request_id = id.as_str(),
            method = line.method,
            route = line.route,
            path = line.path,
            status = status.as_u16(),
            duration_ms = took.as_secs_f64() * 1000.0,
            trace = line.trace,
            "answered"
        );
        reply
    }

    async fn answer<B>(&self, target: Target, request: Request<B>) -> Result<Reply, Failure>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        if !names_host(&request) {
            return Err(Failure::Host);
        }
        match target {
            Target::List => handlers::list(&self.catalogue, request.uri().query()).await,
            Target::Create => handlers::create(&self.catalogue, request).await,
            Target::Read(id) => handlers::read(&self.catalogue, id, request.headers()).await,
            Target::Replace(id) => handlers::replace(&self.catalogue, id, request).await,
            Target::Delete(id) => handlers::delete(&self.catalogue, id, request.headers()).await,
            Target::Health => Ok(handlers::health(&self.version)),
            Target::Ready => Ok(handlers::ready(&self.catalogue).await),
            Target::WrongMethod { allow, .. } => Err(Failure::Method { allow }),
            Target::Unknown => Err(Failure::NoRoute),
            Target::NoSuchItem(_) => Err(Failure::NoItem),
        }
    }
}

/// What the log and the metrics say of a request.
struct Line {
    method: &'static str,
    route: &'static str,
    /// Shortened: a client chooses it.
    path: String,
    trace: Option<String>,
}

impl Line {
    fn of<B>(request: &Request<B>, target: &Target) -> Self {
        Self {
            method: method_label(request.method()),
            route: target.route(),
            path: request.uri().path().chars().take(200).collect(),
            trace: trace(request.headers()),
        }
    }
}

/// HTTP/1.1 requests name one host; any other must be refused (RFC 9112, section 3.2).
fn names_host<B>(request: &Request<B>) -> bool {
    let hosts = request.headers().get_all(HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

/// The load balancer's trace id, or else the caller's.
fn trace(headers: &HeaderMap) -> Option<String> {
    let value = headers
        .get("x-amzn-trace-id")
        .or_else(|| headers.get("traceparent"))?;
    Some(value.to_str().ok()?.chars().take(200).collect())
}

/// A closed set: a client can send any method.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
