//! The whole system, on the real wire: sockets, processes, PostgreSQL and Redis. Run through `make test`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod adoption;
mod architecture;
mod bad_input;
mod bare;
mod load;
mod local;
mod random_service;
mod readme;
mod rollouts;
mod world;
