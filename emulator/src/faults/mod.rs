//! Faults from outside: what the network, AWS's front door and its read replicas do to calls.
//!
//! ```text
//! Call ──► arrive ──Fate──► (wait for its delay) ──► carry_out ──► Answer, effects
//! ```
//!
//! Without clock and without I/O, like the core: time goes in with every call, all chance comes from a seed. So a server
//! and a simulation in virtual time have the same faults.

mod bounds;
mod buckets;
mod decide;
mod errors;
mod history;
mod partial;
mod rules;
mod unreliable;

pub use bounds::PlanError;
pub use rules::{FaultEffect, FaultPlan, FaultRule, ServiceName};
pub use unreliable::{Answer, End, Fate, Unreliable};

#[cfg(test)]
mod tests;
