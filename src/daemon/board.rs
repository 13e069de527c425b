//! What the daemon knows, for those who ask it: written by the loop, read by the HTTP server.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};

use crate::{aws::S3Url, daemon::problem::Problem, event::Event, status::ServiceStatus};

/// How many events are kept.
const EVENTS_KEPT: usize = 1_000;

/// A service's cluster and name.
pub type Key = (String, String);

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leadership {
    /// Whether it is this daemon.
    pub leading: bool,
    /// What the daemon calls itself that acts, where that is known.
    pub leader: Option<String>,
    /// The lease that the daemons share; `None` where there is one daemon.
    pub lease: Option<String>,
    /// Why it is not known who acts.
    pub problem: Option<String>,
}

impl Leadership {
    /// Nobody is known to act yet.
    pub(super) fn of_lease(url: &S3Url) -> Self {
        Self {
            leading: false,
            leader: None,
            lease: Some(url.to_string()),
            problem: Some("the lease has not been looked at yet".to_owned()),
        }
    }
}

impl Default for Leadership {
    fn default() -> Self {
        Self {
            leading: true,
            leader: None,
            lease: None,
            problem: None,
        }
    }
}

/// Statuses, events and readiness.
#[derive(Debug, Default)]
pub struct Board(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    /// As the passes left them.
    statuses: BTreeMap<Key, Arc<ServiceStatus>>,
    /// What is wrong with manifests; laid over the statuses whenever somebody asks.
    problems: BTreeMap<Key, Problem>,
    events: VecDeque<Event>,
    /// Why there are no manifests to act on.
    manifests: Option<String>,
    manifest_errors: Vec<String>,
    /// Whether AWS answered when it was last asked, by the cluster's name.
    answers: BTreeMap<String, bool>,
    leadership: Leadership,
}

impl Board {
    /// Every service's status, by cluster and name.
    pub fn services(&self) -> Vec<ServiceStatus> {
        self.read(|state| {
            let keys = state.keys();
            keys.into_iter()
                .filter_map(|key| state.told(&key))
                .map(Arc::unwrap_or_clone)
                .collect()
        })
    }

    /// The newest events first.
    pub fn events(&self) -> Vec<Event> {
        self.read(|state| state.events.iter().cloned().collect())
    }

    /// Why the daemon is not ready; `None` when it is. One cluster that is missing keeps it from nothing: it is ready as
    /// long as AWS answers for any.
    pub fn not_ready(&self) -> Option<String> {
        self.read(|state| {
            let Leadership {
                leading, problem, ..
            } = &state.leadership;
            if !leading {
                // Standing by is all that it is to do.
                return problem.clone();
            }
            let why = match &state.manifests {
                Some(why) => why.as_str(),
                None if state.answers.is_empty() => "AWS has not been asked yet",
                None if !state.answers.values().any(|answers| *answers) => {
                    "AWS answers for no cluster; see the services' messages"
                }
                None => return None,
            };
            Some(why.to_owned())
        })
    }

    /// Who acts.
    pub fn leadership(&self) -> Leadership {
        self.read(|state| state.leadership.clone())
    }

    pub(super) fn set_leadership(&self, now: Leadership) {
        self.write(|state| state.leadership = now);
    }

    /// Forgets what is only known to whoever acts. What happened stays.
    pub(super) fn clear(&self) {
        self.write(|state| {
            *state = State {
                events: std::mem::take(&mut state.events),
                leadership: state.leadership.clone(),
                ..State::default()
            };
        });
    }

    /// Says why there are no manifests to act on, or that there are.
    pub(super) fn set_manifests(&self, problem: Option<String>) {
        self.write(|state| state.manifests = problem);
    }

    /// Notes that AWS answered, or did not, when it was last asked about a cluster.
    pub(super) fn set_answers(&self, cluster: &str, answers: bool) {
        self.write(|state| {
            state.answers.insert(cluster.to_owned(), answers);
        });
    }

    /// Forgets what was answered about clusters that no manifest names any more.
    pub(super) fn keep_answers(&self, clusters: &BTreeSet<&str>) {
        self.write(|state| {
            let is_kept = |cluster: &String, _: &mut bool| clusters.contains(cluster.as_str());
            state.answers.retain(is_kept);
        });
    }

    /// One service's status.
    pub fn service(&self, key: &Key) -> Option<Arc<ServiceStatus>> {
        self.read(|state| state.told(key))
    }

    /// What is wrong with the manifests, a line each.
    pub fn manifest_errors(&self) -> Vec<String> {
        self.read(|state| state.manifest_errors.clone())
    }

    pub(super) fn set_manifest_errors(&self, errors: Vec<String>) {
        self.write(|state| state.manifest_errors = errors);
    }

    /// Every service that there is something to tell of.
    pub(super) fn keys(&self) -> BTreeSet<Key> {
        self.read(State::keys)
    }

    /// A service's status as its last pass left it.
    pub(super) fn status(&self, key: &Key) -> Option<Arc<ServiceStatus>> {
        self.read(|state| state.statuses.get(key).cloned())
    }

    pub(super) fn set_status(&self, key: Key, status: impl Into<Arc<ServiceStatus>>) {
        let status = status.into();
        self.write(|state| {
            state.statuses.insert(key, status);
        });
    }

    pub(super) fn remove_status(&self, key: &Key) {
        self.write(|state| {
            state.statuses.remove(key);
        });
    }

    pub(super) fn problems(&self) -> BTreeMap<Key, Problem> {
        self.read(|state| state.problems.clone())
    }

    pub(super) fn set_problems(&self, problems: BTreeMap<Key, Problem>) {
        self.write(|state| state.problems = problems);
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

impl State {
    fn keys(&self) -> BTreeSet<Key> {
        let keys = self.statuses.keys().chain(self.problems.keys());
        keys.cloned().collect()
    }

    fn told(&self, key: &Key) -> Option<Arc<ServiceStatus>> {
        let status = self.statuses.get(key);
        match self.problems.get(key) {
            Some(problem) => Some(Arc::new(problem.over(key, status.map(Arc::as_ref)))),
            None => status.cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_by_is_ready_and_who_has_no_lease_is_not() {
        let board = Board::default();
        let following = Leadership {
            leading: false,
            leader: Some("other".to_owned()),
            ..Leadership::default()
        };
        board.set_leadership(following.clone());
        assert_eq!(board.not_ready(), None);
        board.set_leadership(Leadership {
            problem: Some("no lease: s3 is away".to_owned()),
            ..following
        });
        assert_eq!(board.not_ready().unwrap(), "no lease: s3 is away");
    }

    #[test]
    fn ready_while_any_cluster_answers() {
        let board = Board::default();
        assert_eq!(board.not_ready().unwrap(), "AWS has not been asked yet");
        for (cluster, answers, is_ready) in [
            ("gone", false, false),
            ("prod", true, true),
            ("gone", false, true),
            ("prod", false, false),
            ("prod", true, true),
        ] {
            board.set_answers(cluster, answers);
            let why = board.not_ready();
            assert_eq!(why.is_none(), is_ready, "{cluster} {answers}: {why:?}");
        }
        board.keep_answers(&BTreeSet::from(["gone"]));
        assert!(board.not_ready().unwrap().contains("no cluster"));
    }
}
