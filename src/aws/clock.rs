//! The one wall clock: the SDK's, whose time calls are signed with.

use aws_smithy_async::time::SharedTimeSource;
use jiff::Timestamp;

/// A wall clock.
#[derive(Debug, Clone, Default)]
pub struct Clock(SharedTimeSource);

impl Clock {
    /// The clock of a configuration.
    pub fn new(source: SharedTimeSource) -> Self {
        Self(source)
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::try_from(self.0.now()).unwrap_or_default()
    }
}
