//! The API over HTTP: one request in, one response out. Knows no store.

mod access;
mod body;
mod conditional;
mod documentation;
mod failure;
mod fields;
mod guard;
mod handlers;
mod openapi;
mod page;
mod reply;
mod request_id;
mod routes;
mod scrape;
mod tally;
mod text;
mod timing;
mod trace;

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::header::{CONNECTION, HeaderName, HeaderValue, SERVER};
use hyper::http::request::Parts;
use hyper::{Request, Response, Version};

use self::access::Answered;
use self::failure::Failure;
use self::fields::{Fields, Found};
use self::request_id::RequestId;
use self::routes::{Routes, Target};
use self::tally::{Kind, Tally};
use self::timing::SERVER_TIMING;
use self::trace::{Span, TRACEPARENT};
use crate::items::Catalogue;
use crate::metrics::Metrics;
use crate::shutdown::Drain;
use crate::waits;

pub(crate) use self::access::AccessLog;
pub(crate) use self::routes::documented_answers;
pub(crate) use self::scrape::scrape;

/// Every response of this program.
pub(crate) type Reply = Response<Full<Bytes>>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of a path and its query at most.
const MAX_TARGET: usize = 8 << 10;

/// The API, shared by all connections.
pub(crate) struct Api {
    catalogue: Arc<Catalogue>,
    metrics: Arc<Metrics>,
    tally: Tally,
    access_log: AccessLog,
    routes: Routes,
    version: String,
    server: HeaderValue,
    /// The OpenAPI document.
    description: Bytes,
    drain: Drain,
}

/// Why the API could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("two routes overlap")]
    Routes(#[from] matchit::InsertError),
    #[error("the version does not fit a header")]
    Version(#[from] hyper::header::InvalidHeaderValue),
    #[error("the API's description cannot be written as JSON")]
    Description(#[from] serde_json::Error),
}

impl Api {
    pub(crate) fn new(
        catalogue: Arc<Catalogue>,
        metrics: Arc<Metrics>,
        version: &str,
        access_log: AccessLog,
        drain: Drain,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            catalogue,
            metrics,
            tally: Tally::new(),
            access_log,
            routes: Routes::new()?,
            version: version.to_owned(),
            server: HeaderValue::from_str(&format!("api/{version}"))?,
            description: openapi::describe(version)?,
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
        let (head, body) = request.into_parts();
        let fields = Fields::of(&head.headers);
        let id = RequestId::take_or_make(fields.request_id.first());
        let span = Span::begin(fields.traceparent.sole());
        let target = self.routes.resolve(&head.method, head.uri.path());
        let kind = Kind::of(&head.method, target.route());

        let answer = pin!(self.answer(target, fields.host, &head, body, started));
        let answer = guard::catch_panic(answer);
        let (answer, waits) = if fields.wants_timing {
            let (answer, waits) = waits::told(answer).await;
            (answer, Some(waits))
        } else {
            (answer.await, None)
        };
        let mut reply = match answer {
            Ok(Ok(reply)) => reply,
            Ok(Err(failure)) => failure.reply(&id),
            Err(guard::Panicked) => Failure::Panicked.reply(&id),
        };

        let took = started.elapsed();
        let headers = reply.headers_mut();
        headers.insert(SERVER, self.server.clone());
        headers.insert(REQUEST_ID, id.header());
        headers.insert(TRACEPARENT, span.text().header());
        if let Some(waits) = waits {
            headers.insert(SERVER_TIMING, timing::header(took, waits));
        }
        if self.drain.is_draining() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let status = reply.status();
        self.tally.count(&self.metrics, kind, status, took);
        self.access_log.write(&Answered {
            head: &head,
            id: &id,
            span: &span,
            method: kind.method,
            route: kind.route,
            status,
            took,
        });
        reply
    }

    /// What takes longer has a box of its own, so that the future that every request moves is small.
    async fn answer<B>(
        &self,
        target: Target,
        host: Found<'_>,
        head: &Parts,
        body: B,
        started: Instant,
    ) -> Result<Reply, Failure>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        if !names_host(host, head.version) {
            return Err(Failure::Host);
        }
        if head
            .uri
            .path_and_query()
            .is_some_and(|path| path.as_str().len() > MAX_TARGET)
        {
            return Err(Failure::TargetTooLong { most: MAX_TARGET });
        }
        match target {
            Target::List => Box::pin(handlers::list(&self.catalogue, head.uri.query())).await,
            Target::Create => Box::pin(handlers::create(&self.catalogue, head, body)).await,
            Target::Read(id) => handlers::read(&self.catalogue, id, &head.headers, started).await,
            Target::Replace(id) => {
                Box::pin(handlers::replace(&self.catalogue, id, head, body)).await
            }
            Target::Delete(id) => {
                Box::pin(handlers::delete(&self.catalogue, id, &head.headers)).await
            }
            Target::Health => handlers::health(&self.version),
            Target::Ready => Box::pin(handlers::ready(&self.catalogue)).await,
            Target::Description => Ok(documentation::description(self.description.clone())),
            Target::Docs => Ok(documentation::page()),
            Target::DocsWithSlash => Ok(documentation::to_page()),
            Target::Asset(asset) => Ok(asset.reply()),
            Target::Options(route) => Ok(reply::options(routes::allow(route))),
            Target::WrongMethod(route) => Err(Failure::Method {
                allow: routes::allow(route),
            }),
            Target::Unknown | Target::NoSuchAsset => Err(Failure::NoRoute),
            Target::NoSuchItem => Err(Failure::NoItem),
        }
    }
}

/// HTTP/1.1 requests name one host; any other must be refused (RFC 9112, section 3.2).
fn names_host(host: Found<'_>, version: Version) -> bool {
    match host {
        Found::Once(_) => true,
        Found::Nowhere => version < Version::HTTP_11,
        Found::Often(_) => false,
    }
}
