//! The reconciler's core against what AWS makes of documents: no difference where there is none, and every difference by
//! its name. Values in, values out: no sockets, no clocks, no stores.
//!
//! Each pair in `pairs/` is a manifest and the service and task definition as AWS returns them for it: in
//! other orders, with what AWS fills in, with members that nobody has asked for.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod any;
mod aws;
mod chance;
mod changes;
mod changing;
mod facts;
mod held;
mod model;
mod next_form;
mod pairs;
mod random;
mod repairs;
mod told;
mod upgrade;
mod walk;
mod written;
