//! A cache-aside HTTP API: Redis first, PostgreSQL on a miss, entries that live 60 seconds.
//!
//! ```text
//! environment ─ config ─┐
//!                       ├─ app ── server (accept, drain) ── http (routes, problems) ── items::catalogue
//! arguments ──── cli ───┘                                                               ├─ items::cache  Redis
//!                                                                                       └─ items::store  PostgreSQL
//! ```
//!
//! `cli` and `config` are parses, `tls` reads the CA certificates that `config` names. `http` knows HTTP and no store; `items` knows the stores and no HTTP; `app` wires them.
//! The one public function is [`run`]; everything else is reached through the process.

mod app;
mod cli;
mod config;
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

pub use app::run;
