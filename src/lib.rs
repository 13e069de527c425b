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
pub mod backoff;
pub mod cli;
pub mod daemon;
pub mod desired;
pub mod diff;
pub mod document;
pub mod event;
pub mod home;
pub mod init;
pub mod lease;
#[cfg(feature = "local")]
pub mod local;
pub mod log;
pub mod manifest;
pub mod metrics;
pub mod normal;
pub mod observed;
pub mod plan;
pub mod reconcile;
pub mod shape;
pub mod source;
pub mod status;
pub mod tags;
