//! The whole system, on the real wire: sockets, processes, PostgreSQL and Redis. Run through `make test`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[cfg(feature = "local")]
mod adoption;
mod another_hand;
mod architecture;
mod bad_input;
#[cfg(feature = "local")]
mod bare;
#[cfg(feature = "local")]
mod bucket;
#[cfg(feature = "local")]
mod buckets;
mod commands;
mod conformance;
mod daemon;
mod drift;
mod failures;
mod http;
#[cfg(feature = "local")]
mod lease;
mod load;
mod local;
#[cfg(feature = "local")]
mod log_pages;
mod moto;
#[path = "../documents/next_form.rs"]
mod next_form;
mod outputs;
mod prometheus;
#[cfg(feature = "local")]
mod random_service;
mod readme;
mod record;
mod removals;
mod repair;
mod rollouts;
mod sets;
mod stores;
mod unhealthy;
mod upgrade;
mod world;
mod wrong_settings;
