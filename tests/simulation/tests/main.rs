//! The reconciler in virtual time, and its judge. One binary, as each one links the SDK.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by panicking, and how long it took"
)]

mod checker;
mod crashes;
mod faults;
mod fleet;
mod histories;
#[path = "../../documents/next_form.rs"]
mod next_form;
mod rest;
mod rows;
mod scenarios;
