//! A cache-aside HTTP API: Redis first, PostgreSQL on a miss, entries that live `CACHE_TTL`.
//!
//! ```text
//! environment ─ config ─┐
//!                       ├─ app ── server (accept, watch, drain) ── http (routes, problems) ── items::catalogue ─ flights
//! arguments ──── cli ───┘         a lane for each core                                        └─ items::stores
//!                                                                                                ├─ cache ─┬─ rounds ─ Redis
//!                                                                                                └─ store ─┘        └─ PostgreSQL
//! ```
//!
//! `cli` and `config` are parses, `tls` reads the CA certificates that `config` names. `http` knows HTTP and no store; `items` knows the
//! stores and no HTTP; `app` wires them. What is asked of a store in one turn of a worker's loop goes there in one message: `items::rounds`,
//! of which `reads`, `fills` and `finds` are the three uses. A `link` keeps one shared connection alive, a `pool` lends connections to one caller at a time,
//! `deadline` bounds the many short calls, `waits` adds up what they take, `presence` tells the log when a store comes and goes.
//! The one public function is [`run`]; everything else is reached through the process.

mod app;
mod cli;
mod config;
mod deadline;
mod http;
mod items;
mod link;
mod logging;
mod metrics;
mod migrate;
mod pool;
mod presence;
mod secret;
mod server;
mod shutdown;
mod tls;
mod waits;

pub use app::run;
