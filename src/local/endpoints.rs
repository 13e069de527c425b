//! Where everything listens, written down for people, tests and other terminals.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The content of `endpoints.json`. No passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Endpoints {
    /// The API through the load balancer, `http://…`.
    pub(super) load_balancer: String,
    /// The daemon's own pages, `http://…`.
    pub(super) daemon: String,
    /// The emulated AWS, `http://…`.
    pub(super) aws: String,
    /// The state directory, absolute.
    pub(super) state: PathBuf,
    /// The manifests' directory, absolute.
    pub(super) manifests: PathBuf,
    /// PostgreSQL, without password.
    pub(super) database: String,
    /// Redis, without password.
    pub(super) redis: String,
    /// The process of `evenkeel local up`.
    pub(super) pid: u32,
}
