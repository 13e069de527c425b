//! The model in virtual time: a small world answers its effects.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by panicking"
)]

mod api;
mod breaker;
mod chaos;
mod container_health;
mod definitions;
mod elb_calls;
mod elb_nonsense;
mod elb_rules;
mod endings;
mod failures;
mod furniture;
mod log_streams;
mod logs;
mod network;
mod nonsense;
mod objects;
mod purity;
mod reads;
mod registry;
mod rollouts;
mod run_task;
mod stop_deployment;
mod world;
