//! The reconciler in virtual time: its real loop and the real AWS SDK, over the emulator's core, without a socket.
//!
//! ```text
//! hand ──manifests──► daemon ──SDK──► wire ──Call──► faults ──► core ──Effect──► tasks (scripts)
//!   └──meddling, faults────────────────────────────►  ▲  │         ▲──────Event──────┘
//!                                                     │  └──► journal ──► checker
//! ```
//!
//! [`World::run`](world::World::run) is one run. All that is random in it comes from its seed, and nothing waits in earnest, so that a day takes
//! seconds and a seed tells the same story twice. Whatever reaches AWS is in the [`journal`], with the state of what it
//! changed before and after; the [`checker`] judges it by that alone.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value has null for every name that it lacks"
)]

pub mod bounds;
pub mod checker;
pub mod clock;
pub mod cloud;
pub mod daemon;
pub mod end;
pub mod fleet;
pub mod furniture;
pub mod hand;
pub mod history;
pub mod journal;
pub mod manifest;
pub mod scenario;
pub mod scenarios;
pub mod sight;
pub mod tasks;
pub mod wire;
pub mod work;
pub mod world;
