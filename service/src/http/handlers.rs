//! What each route does.

use hyper::body::{Body, Bytes};
use hyper::header::{ETAG, LINK, LOCATION};
use hyper::{HeaderMap, Request, StatusCode};
use serde::Serialize;

use super::failure::Failure;
use super::page::Page;
use super::{Reply, body, conditional, reply};
use crate::items::{Catalogue, CatalogueError, Changed, Draft, Item, ItemId, parse_draft};

/// `GET /items/{id}`
pub(crate) async fn read(
    catalogue: &Catalogue,
    id: ItemId,
    headers: &HeaderMap,
) -> Result<Reply, Failure> {
    let read = catalogue.read(id).await?;
    let document = read.document.ok_or(Failure::NoItem)?;
    let mut answer = if conditional::is_known(headers, document.version) {
        let mut answer = reply::empty(StatusCode::NOT_MODIFIED);
        reply::set(&mut answer, ETAG, &conditional::etag(document.version))?;
        answer
    } else {
        reply::document(StatusCode::OK, &document)?
    };
    reply::set_cache_status(&mut answer, read.source)?;
    Ok(answer)
}

/// `GET /items`
pub(crate) async fn list(catalogue: &Catalogue, query: Option<&str>) -> Result<Reply, Failure> {
    #[derive(Serialize)]
    struct Listing<'a> {
        items: &'a [Item],
    }
    let page = Page::parse(query)?;
    // One more than the page holds tells whether another follows.
    let mut items = catalogue.list(page.after, page.limit + 1).await?;
    let fits = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = items.len() > fits;
    items.truncate(fits);
    let json = serde_json::to_vec(&Listing { items: &items }).map_err(CatalogueError::from)?;
    let mut answer = reply::json(StatusCode::OK, json);
    if let (true, Some(last)) = (more, items.last()) {
        reply::set(&mut answer, LINK, &page.link_to_next(last.id))?;
    }
    Ok(answer)
}

/// `POST /items`
pub(crate) async fn create<B>(catalogue: &Catalogue, request: Request<B>) -> Result<Reply, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let draft = draft(request).await?;
    let created = catalogue.create(draft).await?;
    let (id, document) = &created.value;
    let mut answer = reply::document(StatusCode::CREATED, document)?;
    reply::set_write_status(&mut answer, created.stored);
    reply::set(&mut answer, LOCATION, &format!("/items/{}", id.get()))?;
    Ok(answer)
}

/// `PUT /items/{id}`
pub(crate) async fn replace<B>(
    catalogue: &Catalogue,
    id: ItemId,
    request: Request<B>,
) -> Result<Reply, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let prior = conditional::prior_version(request.headers());
    let draft = draft(request).await?;
    let replaced = done(catalogue.replace(id, draft, prior).await?)?;
    let mut answer = reply::document(StatusCode::OK, &replaced.value)?;
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
pub(crate) fn health(version: &str) -> Reply {
    let body = serde_json::json!({"status": "ok", "version": version});
    reply::json(StatusCode::OK, body.to_string())
}

/// `GET /ready`: whether every dependency answers.
pub(crate) async fn ready(catalogue: &Catalogue) -> Reply {
    let found = catalogue.dependencies().await;
    let word = |answers: bool| if answers { "ok" } else { "unavailable" };
    let all = found.postgresql && found.redis;
    let body = serde_json::json!({
        "status": word(all),
        "dependencies": {
            "postgresql": {"status": word(found.postgresql)},
            "redis": {"status": word(found.redis)},
        },
    });
    let status = if all {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    reply::json(status, body.to_string())
}

async fn draft<B>(request: Request<B>) -> Result<Draft, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let json = body::read_json(request).await?;
    parse_draft(&json).map_err(Failure::Invalid)
}

fn done<T>(changed: Changed<T>) -> Result<T, Failure> {
    match changed {
        Changed::Done(value) => Ok(value),
        Changed::NotFound => Err(Failure::NoItem),
        Changed::VersionMismatch => Err(Failure::VersionMismatch),
    }
}
