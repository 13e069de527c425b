//! The whole model behind one door.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

use super::{ApiError, Call, Effect, Event, Reply, Service};

/// What a cloud is made with.
#[derive(Clone)]
pub struct Settings {
    /// The account's twelve digits.
    pub account: String,
    /// The region's name, such as `eu-central-1`.
    pub region: String,
    /// Divides AWS's own delays. Intervals that a caller sets, such as a health check's, are exact.
    pub speed: f64,
    /// All randomness comes from here.
    pub seed: u64,
    /// Secrets by ARN.
    pub secrets: BTreeMap<String, String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("account", &self.account)
            .field("region", &self.region)
            .field("speed", &self.speed)
            .field("seed", &self.seed)
            .field("secrets", &format_args!("{} redacted", self.secrets.len()))
            .finish()
    }
}

/// One account in one region. State is in memory.
#[derive(Debug)]
pub struct Cloud {
    settings: Settings,
}

impl Cloud {
    /// An empty account.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Answers one call, and says what follows from it.
    pub fn handle(
        &mut self,
        call: &Call,
        _now: Timestamp,
    ) -> (Result<Reply, ApiError>, Vec<Effect>) {
        let error = ApiError {
            status: 400,
            code: "UnknownOperationException",
            message: format!("{} in {}", call.operation, self.settings.region),
        };
        (Err(error), Vec::new())
    }

    /// Does what has fallen due.
    pub fn tick(&mut self, _now: Timestamp) -> Vec<Effect> {
        Vec::new()
    }

    /// When [`Cloud::tick`] has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        None
    }

    /// Takes in what happened outside the model.
    pub fn on_event(&mut self, _event: Event, _now: Timestamp) -> Vec<Effect> {
        Vec::new()
    }
}

/// Whether an operation changes state; for the journal.
#[must_use]
pub fn is_write(_service: Service, operation: &str) -> bool {
    !["Describe", "List", "Get", "BatchGet", "Filter"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}
