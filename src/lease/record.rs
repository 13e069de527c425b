//! What the lease's object says.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest promise that is believed: a record of another hand must not lock everyone out for long.
const LONGEST: Duration = Duration::from_secs(60);

/// The content of the lease's object, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Who holds it; `None` when whoever held it has let it go.
    pub holder: Option<String>,
    /// How many seconds after it was written nobody else may take it.
    pub ttl_seconds: u64,
    /// Counts the writes of the process, so that each has another ETag: where that is a digest of the content, two equal
    /// ones would look like none to whoever watches.
    pub sequence: u64,
}

impl Record {
    /// What was read; what nobody can make sense of is held by nobody known, for our own time.
    pub(super) fn read(bytes: &[u8], ttl: Duration) -> Self {
        serde_json::from_slice(bytes).unwrap_or(Self {
            holder: Some("somebody unknown".to_owned()),
            ttl_seconds: ttl.as_secs(),
            sequence: 0,
        })
    }

    pub(super) fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_seconds).min(LONGEST)
    }
}
