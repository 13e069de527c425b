//! What is wrong with a service's manifest, and how that is laid over what the passes say of the service.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::{
    daemon::board::Key,
    manifest::{Manifest, ManifestSet, Why},
    status::{self, Phase, ServiceStatus},
};

/// What is wrong with the manifest of a service at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The diagnostic, with its place.
    pub(super) message: String,
    /// Whether a good version of the manifest is in force.
    pub(super) is_acting: bool,
    /// Since when it has been so.
    pub(super) since: Timestamp,
}

impl Problem {
    /// The status with this problem over it. `status` is what passes have left, if there were any.
    pub(super) fn over(&self, key: &Key, status: Option<&ServiceStatus>) -> ServiceStatus {
        let base = match status {
            Some(status) => status.clone(),
            None => status::unknown(key.clone(), String::new(), None, self.since),
        };
        let is_fine = matches!(base.phase, Phase::Synced | Phase::Orphaned);
        let phase = if is_fine || !self.is_acting {
            Phase::Degraded
        } else {
            base.phase
        };
        ServiceStatus {
            since: if phase == base.phase {
                base.since
            } else {
                self.since
            },
            message: self.message_over(&base.message),
            phase,
            ..base
        }
    }

    fn message_over(&self, message: &str) -> String {
        match (self.is_acting, message) {
            (false, _) => self.message.clone(),
            (true, "") => format!("{}; the last good manifest stays in force", self.message),
            (true, message) => format!(
                "{}; the last good manifest stays in force: {message}",
                self.message
            ),
        }
    }
}

/// What is wrong with each service's manifest: the first error of its file. `before` is what was wrong until now.
pub(super) fn problems(
    set: &ManifestSet,
    before: &BTreeMap<Key, Problem>,
    now: Timestamp,
) -> BTreeMap<Key, Problem> {
    let mut errors = BTreeMap::new();
    for error in set.diagnostics.iter().filter(|d| d.is_error()) {
        errors.entry(error.file.as_str()).or_insert(error);
    }
    let mut problems = BTreeMap::new();
    let mut add = |key: Key, file: &str, is_acting: bool| {
        let Some(error) = errors.get(file) else {
            return;
        };
        let mut problem = Problem {
            message: error.to_string(),
            is_acting,
            since: now,
        };
        if let Some(known) = before
            .get(&key)
            .filter(|known| known.message == problem.message)
        {
            problem.since = known.since;
        }
        problems.insert(key, problem);
    };
    // A file that does not parse at all still belongs to the services that it described before.
    for manifest in set.manifests.iter().filter(|m| is_invalid(set, &m.file)) {
        add(manifest.key(), &manifest.file, true);
    }
    for broken in &set.broken {
        let (Some(cluster), Some(name)) = (&broken.cluster, &broken.name) else {
            continue;
        };
        let key = (cluster.clone(), name.clone());
        let is_acting = set.get(cluster, name).is_some();
        if is_acting || !is_ghost(set, &broken.file, &key) {
            add(key, &broken.file, is_acting);
        }
    }
    problems
}

/// A reference that cannot be resolved gives no cluster: such a service is the one that its file described before.
fn is_ghost(set: &ManifestSet, file: &str, (cluster, name): &Key) -> bool {
    let was = |manifest: &Arc<Manifest>| manifest.file == file && manifest.name == *name;
    cluster.contains("${") && set.manifests.iter().any(was)
}

fn is_invalid(set: &ManifestSet, file: &str) -> bool {
    let mut broken = set.broken.iter();
    broken.any(|broken| broken.file == file && broken.why == Why::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::samples::{manifest, set};

    fn key(cluster: &str, name: &str) -> Key {
        (cluster.to_owned(), name.to_owned())
    }

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn problems_of(files: &[(&str, &str)], before: &ManifestSet) -> BTreeMap<Key, Problem> {
        let set = set(files).with_last_good(Some(before));
        problems(&set, &BTreeMap::new(), now())
    }

    #[test]
    fn a_broken_file_is_told_of_the_service_it_described() {
        let good = manifest("api", "prod");
        let before = set(&[("api.yaml", &good)]);
        let misspelt = good.replace("desiredCount", "desiredCuont");
        for broken in ["{", misspelt.as_str()] {
            let problems = problems_of(&[("api.yaml", broken)], &before);
            let problem = &problems[&key("prod", "api")];
            assert!(
                problem.is_acting && problem.message.starts_with("api.yaml:"),
                "{problem:?}"
            );
        }
        assert_eq!(
            problems_of(&[("api.yaml", &good)], &before),
            BTreeMap::new()
        );
    }

    #[test]
    fn a_cluster_that_cannot_be_resolved_makes_no_second_service() {
        let before = set(&[("api.yaml", &manifest("api", "prod"))]);
        let broken = manifest("api", "${terraform.nowhere}");
        let problems = problems_of(&[("api.yaml", &broken)], &before);
        let keys: Vec<_> = problems.keys().cloned().collect();
        assert_eq!(keys, [key("prod", "api")]);
        let at_first = problems_of(&[("api.yaml", &broken)], &ManifestSet::default());
        assert_eq!(at_first.len(), 1, "{at_first:?}");
        assert!(!at_first.values().next().unwrap().is_acting);
    }

    #[test]
    fn only_those_that_contradict_each_other_are_told_so() {
        let two = format!(
            "{}---\n{}",
            manifest("api", "prod"),
            manifest("web", "prod")
        );
        let files = [
            ("two.yaml", two.as_str()),
            ("one.yaml", &manifest("api", "prod")),
        ];
        let problems = problems_of(&files, &ManifestSet::default());
        let keys: Vec<_> = problems.keys().cloned().collect();
        assert_eq!(keys, [key("prod", "api")]);
    }

    #[test]
    fn the_same_problem_keeps_its_time() {
        let broken = [("api.yaml", "{")];
        let before = set(&[("api.yaml", &manifest("api", "prod"))]);
        let set = set(&broken).with_last_good(Some(&before));
        let first = problems(&set, &BTreeMap::new(), now());
        let later = Timestamp::from_second(60).unwrap();
        assert_eq!(problems(&set, &first, later), first);
    }

    #[test]
    fn it_is_laid_over_what_the_passes_say() {
        let key = key("prod", "api");
        let later = Timestamp::from_second(60).unwrap();
        let mut problem = Problem {
            message: "api.yaml: bad".to_owned(),
            is_acting: true,
            since: later,
        };
        let mut status = status::unknown(key.clone(), String::new(), None, now());
        status.phase = Phase::Synced;
        let over = problem.over(&key, Some(&status));
        assert_eq!((over.phase, over.since), (Phase::Degraded, later));
        assert_eq!(
            over.message,
            "api.yaml: bad; the last good manifest stays in force"
        );

        status.phase = Phase::Unknown;
        status.message = "AWS cannot be reached".to_owned();
        let over = problem.over(&key, Some(&status));
        assert_eq!((over.phase, over.since), (Phase::Unknown, now()));
        assert!(
            over.message.contains("bad") && over.message.ends_with("AWS cannot be reached"),
            "{}",
            over.message
        );

        problem.is_acting = false;
        let over = problem.over(&key, None);
        assert_eq!(
            (over.phase, over.message.as_str()),
            (Phase::Degraded, "api.yaml: bad")
        );
    }
}
