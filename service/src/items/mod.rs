//! Items and the two stores that hold them. Knows nothing of HTTP.

mod cache;
mod calls;
mod catalogue;
mod entry;
mod fills;
mod finds;
mod flights;
mod members;
mod model;
mod near;
mod owed;
mod postgres;
mod reads;
mod redis;
mod rounds;
mod store;
mod stores;

pub(crate) use cache::{Cache, Settings};
pub(crate) use catalogue::{Catalogue, SharedFlights, flights};
pub(crate) use model::{Document, Draft, Invalid, Item, ItemId, PriorVersion, parse_draft};
pub(crate) use owed::Owed;
pub(crate) use postgres::StalePassword;
pub(crate) use store::{Changed, Store};
pub(crate) use stores::{CatalogueError, Source};
