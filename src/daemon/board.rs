//! What the daemon knows, for those who ask it: written by the loop, read by the HTTP server.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{PoisonError, RwLock},
};

use crate::{event::Event, status::ServiceStatus};

/// How many events are kept.
const EVENTS_KEPT: usize = 1_000;

/// A service's cluster and name.
pub type Key = (String, String);

/// Statuses, events and readiness.
#[derive(Debug, Default)]
pub struct Board(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    services: BTreeMap<Key, ServiceStatus>,
    events: VecDeque<Event>,
    /// Why there are no manifests to act on.
    manifests: Option<String>,
    manifest_errors: Vec<String>,
    /// Whether AWS answered when it was last asked.
    answers: Option<bool>,
}

impl Board {
    /// Every service's status, by cluster and name.
    pub fn services(&self) -> Vec<ServiceStatus> {
        self.read(|state| state.services.values().cloned().collect())
    }

    /// The newest events first.
    pub fn events(&self) -> Vec<Event> {
        self.read(|state| state.events.iter().cloned().collect())
    }

    /// Why the daemon is not ready; `None` when it is.
    pub fn not_ready(&self) -> Option<String> {
        self.read(|state| match (&state.manifests, state.answers) {
            (Some(why), _) => Some(why.clone()),
            (None, None) => Some("AWS has not been asked yet".to_owned()),
            (None, Some(false)) => Some("AWS answers for no service".to_owned()),
            (None, Some(true)) => None,
        })
    }

    /// Says why there are no manifests to act on, or that there are.
    pub(super) fn set_manifests(&self, problem: Option<String>) {
        self.write(|state| state.manifests = problem);
    }

    /// Notes that AWS answered, or did not, when it was last asked.
    pub(super) fn set_answers(&self, answers: bool) {
        self.write(|state| state.answers = Some(answers));
    }

    /// One service's status.
    pub fn service(&self, key: &Key) -> Option<ServiceStatus> {
        self.read(|state| state.services.get(key).cloned())
    }

    /// What is wrong with the manifests, a line each.
    pub fn manifest_errors(&self) -> Vec<String> {
        self.read(|state| state.manifest_errors.clone())
    }

    pub(super) fn set_manifest_errors(&self, errors: Vec<String>) {
        self.write(|state| state.manifest_errors = errors);
    }

    pub(super) fn set_service(&self, key: Key, status: ServiceStatus) {
        self.write(|state| {
            state.services.insert(key, status);
        });
    }

    pub(super) fn add_event(&self, event: Event) {
        self.write(|state| {
            state.events.push_front(event);
            state.events.truncate(EVENTS_KEPT);
        });
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}
