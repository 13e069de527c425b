//! The `api` binary against real PostgreSQL and real Redis. Run through `make test`, which sets DATABASE_URL and REDIS_URL.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at its first surprise"
)]

mod caching;
mod faults;
mod harness;
mod history;
mod http1;
mod lifecycle;
mod openapi;
mod password;
mod problems;
mod startup;
mod tls;
mod traces;
