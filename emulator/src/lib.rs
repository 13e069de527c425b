//! The laptop's AWS: ECS, ELBv2, CloudWatch Logs and ECR over the real wire protocol; tasks are local processes.

pub mod core;
pub mod server;

mod balancer;
mod clock;
mod driver;
mod files;
mod wire;
