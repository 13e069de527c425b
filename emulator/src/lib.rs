//! The laptop's AWS: ECS, ELBv2, CloudWatch Logs and ECR over the real wire protocol; tasks are local processes.
//!
//! ```text
//! AWS clients ──HTTP──► wire ──Call──► faults ──► core ──Effect──► driver     processes, health checks, log streams
//!                                                  ▲          └──► balancer   listeners on 127.0.0.1
//!                                                  └────Event─────────┘
//! ```
//!
//! [`server`] starts it all and owns the clock; [`core`] is what AWS does, without clock or I/O. `README.md` beside this crate lists
//! the operations and the known deviations.

pub mod core;
pub mod faults;
pub mod server;
pub mod wire;

mod balancer;
mod clock;
mod driver;
mod files;
