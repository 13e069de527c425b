//! Evenkeel keeps Amazon ECS services on an even keel, without Kubernetes.
//!
//! ```text
//! manifest text → Manifest → Desired ─┐
//!                    AWS → Observed ──┼→ plan(desired, observed, now) → Plan {steps, waiting, drift}
//!                                     │        │
//!                                     │        └→ apply(step) → Outcome
//!                                     └────────→ status(…) → metrics, JSON, page
//! ```

pub mod aws;
pub mod cli;
#[cfg(feature = "local")]
pub mod local;
pub mod manifest;
