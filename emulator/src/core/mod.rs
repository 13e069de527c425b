//! The model: clock-free and without I/O. Calls, events and the passing of time go in; replies and effects come out.

mod call;
mod cloud;
mod effect;

pub use call::{ApiError, Call, Reply, Service};
pub use cloud::{Cloud, Settings, is_write};
pub use effect::{
    ContainerLaunch, Effect, Event, LocalImage, LogTarget, Port, Probe, ProbeResult, Route,
    RouteTarget, TaskLaunch,
};
