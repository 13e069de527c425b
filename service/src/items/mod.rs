//! Items and the two stores that hold them. Knows nothing of HTTP.

mod cache;
mod catalogue;
mod connect;
mod login;
mod model;
mod store;

pub(crate) use cache::Cache;
pub(crate) use catalogue::{Catalogue, CatalogueError, Source};
pub(crate) use login::StalePassword;
pub(crate) use model::{Document, Draft, Invalid, Item, ItemId, PriorVersion, parse_draft};
pub(crate) use store::{Changed, Store, StoreError};
