//! The model: clock-free and without I/O. Calls, events and the passing of time go in; replies and effects come out.

mod call;
mod cloud;
mod ecr;
mod ecs;
mod effect;
mod elb;
mod error;
mod ids;
mod input;
mod logs;
mod page;
mod s3;
mod sts;
mod time;

pub use call::{ApiError, Call, Reply, Service};
pub use cloud::{Cloud, Settings, is_write};
pub use effect::{
    Check, ContainerLaunch, Effect, Event, LocalImage, LogTarget, Port, Probe, ProbeResult,
    TaskLaunch,
};
pub use elb::{
    Action, Condition, FixedResponse, Network, Redirect, RequestHead, Route, RouteRule,
    RouteTarget, Weighted,
};
