//! What happened to a service, for people to read later.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::diff::Difference;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// The service's name.
    pub service: String,
    /// Its cluster's name.
    pub cluster: String,
    /// Of what kind.
    pub kind: Kind,
    /// One sentence.
    pub message: String,
    /// The fields concerned.
    pub changes: Vec<Difference>,
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The service was created.
    Created,
    /// An edit of the manifest was sent to AWS.
    Applied,
    /// Someone else changed what the manifest says.
    Drift,
    /// Too few targets were healthy for too long, and the tasks are being replaced.
    Redeployed,
    /// A deployment began.
    RolloutStarted,
    /// A deployment reached its end.
    RolloutCompleted,
    /// A deployment failed and ECS took it back.
    RolledBack,
    /// What the manifest says is not tried again.
    Held,
    /// What the manifest says cannot be done.
    Blocked,
    /// A call failed.
    Error,
    /// Calls succeed again.
    Recovered,
    /// The manifest is gone.
    Orphaned,
}

impl Kind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Applied => "Applied",
            Self::Drift => "Drift",
            Self::Redeployed => "Redeployed",
            Self::RolloutStarted => "RolloutStarted",
            Self::RolloutCompleted => "RolloutCompleted",
            Self::RolledBack => "RolledBack",
            Self::Held => "Held",
            Self::Blocked => "Blocked",
            Self::Error => "Error",
            Self::Recovered => "Recovered",
            Self::Orphaned => "Orphaned",
        }
    }
}
