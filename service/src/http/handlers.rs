//! What each route does.

use std::time::Instant;

use hyper::body::{Body, Bytes};
use hyper::header::{LINK, LOCATION};
use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::failure::Failure;
use super::page::Page;
use super::{Reply, body, conditional, reply};
use crate::items::{Catalogue, CatalogueError, Changed, Draft, Item, ItemId, parse_draft};

/// `GET /items/{id}`
pub(crate) async fn read(
    catalogue: &Catalogue,
    id: ItemId,
    headers: &HeaderMap,
    now: Instant,
) -> Result<Reply, Failure> {
    let read = catalogue.read(id, now).await?;
    let document = read.document.ok_or(Failure::Absent(read.source))?;
    let mut answer = if conditional::is_known(headers, document.version) {
        reply::not_modified(document.version)
    } else {
        reply::document(StatusCode::OK, &document)
    };
    reply::set_cache_status(&mut answer, read.source);
    Ok(answer)
}

/// `GET /items`
pub(crate) async fn list(catalogue: &Catalogue, query: Option<&str>) -> Result<Reply, Failure> {
    let page = Page::parse(query)?;
    // One more than the page holds tells whether another follows.
    let mut items = catalogue.list(page.after, page.limit + 1).await?;
    let fits = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = items.len() > fits;
    items.truncate(fits);
    let mut answer = written(StatusCode::OK, &Listing { items: &items })?;
    if let (true, Some(last)) = (more, items.last()) {
        reply::set(&mut answer, LINK, &page.link_to_next(last.id))?;
    }
    Ok(answer)
}

/// `POST /items`
pub(crate) async fn create<B>(
    catalogue: &Catalogue,
    head: &Parts,
    body: B,
) -> Result<Reply, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let draft = draft(&head.headers, body).await?;
    let created = catalogue.create(draft).await?;
    let (id, document) = &created.value;
    let mut answer = reply::document(StatusCode::CREATED, document);
    reply::set_write_status(&mut answer, created.stored);
    reply::set(&mut answer, LOCATION, &format!("/items/{}", id.get()))?;
    Ok(answer)
}

/// `PUT /items/{id}`
pub(crate) async fn replace<B>(
    catalogue: &Catalogue,
    id: ItemId,
    head: &Parts,
    body: B,
) -> Result<Reply, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let prior = conditional::prior_version(&head.headers);
    let draft = draft(&head.headers, body).await?;
    let replaced = done(catalogue.replace(id, draft, prior).await?)?;
    let mut answer = reply::document(StatusCode::OK, &replaced.value);
    reply::set_write_status(&mut answer, replaced.stored);
    Ok(answer)
}

/// `DELETE /items/{id}`
pub(crate) async fn delete(
    catalogue: &Catalogue,
    id: ItemId,
    headers: &HeaderMap,
) -> Result<Reply, Failure> {
    let prior = conditional::prior_version(headers);
    let deleted = done(catalogue.delete(id, prior).await?)?;
    let mut answer = reply::empty(StatusCode::NO_CONTENT);
    reply::set_write_status(&mut answer, deleted.stored);
    Ok(answer)
}

/// `GET /health`: whether this process serves, whatever its stores do.
pub(crate) fn health(version: &str) -> Result<Reply, Failure> {
    let status = Word::Ok;
    written(StatusCode::OK, &Health { status, version })
}

/// `GET /ready`: whether every dependency answers.
pub(crate) async fn ready(catalogue: &Catalogue) -> Result<Reply, Failure> {
    let found = catalogue.dependencies().await;
    let word = |answers: bool| if answers { Word::Ok } else { Word::Unavailable };
    let dependency = |answers| Dependency {
        status: word(answers),
    };
    let all = found.postgresql && found.redis;
    let body = Readiness {
        status: word(all),
        dependencies: Dependencies {
            postgresql: dependency(found.postgresql),
            redis: dependency(found.redis),
        },
    };
    let status = if all {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    written(status, &body)
}

/// A page of items.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listing<'a> {
    items: &'a [Item],
}

/// What the load balancer reads.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health<'a> {
    status: Word,
    version: &'a str,
}

/// Whether all is there, and what is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    status: Word,
    dependencies: Dependencies,
}

#[derive(Serialize, ToSchema)]
struct Dependencies {
    postgresql: Dependency,
    redis: Dependency,
}

#[derive(Serialize, ToSchema)]
struct Dependency {
    status: Word,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Word {
    Ok,
    Unavailable,
}

fn written(status: StatusCode, body: &impl Serialize) -> Result<Reply, Failure> {
    let json = serde_json::to_vec(body).map_err(CatalogueError::from)?;
    Ok(reply::json(status, json))
}

async fn draft<B>(headers: &HeaderMap, body: B) -> Result<Draft, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let json = body::read_json(headers, body).await?;
    parse_draft(&json).map_err(Failure::Invalid)
}

fn done<T>(changed: Changed<T>) -> Result<T, Failure> {
    match changed {
        Changed::Done(value) => Ok(value),
        Changed::NotFound => Err(Failure::NoItem),
        Changed::VersionMismatch => Err(Failure::VersionMismatch),
    }
}
