//! The whole system, on the real wire: sockets, processes, PostgreSQL and Redis. Run through `make test`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod another_hand;
mod architecture;
mod bad_input;
mod documents;
mod drift;
mod load;
mod local;
mod prometheus;
mod readme;
mod repair;
mod rollouts;
mod sets;
mod stores;
mod unhealthy;
mod upgrade;
mod world;
