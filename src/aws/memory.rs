//! What looks at one service pass on to each other, within one process.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::{
    aws::{history::Past, log_group::KeptLogGroup, rotation::Kept, target_health::KeptTargets},
    manifest::Manifest,
    observed::{Image, Observed, Progress, Revision},
    plan::{self, Lessons},
};

/// How long a view without our last write is taken for an old one. "Eventually consistent" means seconds; AWS advises
/// to look for up to five minutes (API_RunTask).
pub(crate) const VIEWS_LAG: SignedDuration = SignedDuration::from_mins(5);

/// What looks at one service pass on to each other. Losing it loses no fact: it costs a few reads, and what has to last
/// for a while begins anew.
#[derive(Debug, Default)]
pub struct Memory {
    /// What writes have come to.
    pub lessons: Lessons,
    /// The manifest that names only what is where its cluster is.
    pub(super) at_home: Option<Arc<Manifest>>,
    /// What the image meant when the manifest with this digest was first seen.
    pub(super) image: Option<(String, Image)>,
    /// What the past deployments were; they do not change once they are over.
    pub(super) past: Past,
    /// What was registered a short while ago, and when: lists may not show it yet.
    registered: Vec<(Revision, Timestamp)>,
    /// Revisions are counted once per definition that the service names.
    pub(super) tidied: Kept<String>,
    pub(super) targets: KeptTargets,
    pub(super) log_group: KeptLogGroup,
    progress: Option<Progress>,
    unhealthy_since: Option<Timestamp>,
}

impl Memory {
    /// Notes what was registered.
    pub fn note_registered(&mut self, revision: Revision, now: Timestamp) {
        self.registered.push((revision, now));
    }

    /// What was registered, by its ARN, or anything, is no longer of use.
    pub fn forget_registered(&mut self, arn: Option<&str>) {
        self.registered
            .retain(|(revision, _)| arn.is_some_and(|arn| revision.arn() != arn));
    }

    /// The log group is not as it was.
    pub fn forget_log_group(&mut self) {
        self.log_group.forget();
    }

    /// A list of revisions, newest first, with what was registered and it does not show yet.
    pub(super) fn with_registered(
        &mut self,
        listed: Vec<Revision>,
        now: Timestamp,
    ) -> Vec<Revision> {
        self.registered
            .retain(|(_, at)| now.duration_since(*at) < VIEWS_LAG);
        let registered = self.registered.iter().rev().map(|(revision, _)| revision);
        let is_listed = |one: &Revision| listed.iter().any(|other| other.arn() == one.arn());
        let mut all: Vec<_> = registered.filter(|one| !is_listed(one)).cloned().collect();
        all.extend(listed);
        all
    }

    /// Adds to a look what only several looks can tell.
    pub(super) fn follow(&mut self, manifest: &Manifest, observed: &mut Observed) {
        let now = observed.aws_time;
        self.progress = observed.service.as_ref().and_then(|service| {
            Progress::follow(
                self.progress.take(),
                service,
                observed.targets.as_ref(),
                now,
            )
        });
        let is_below = plan::is_below_minimum(manifest.target_health.as_ref(), observed);
        self.unhealthy_since = is_below.then(|| self.unhealthy_since.unwrap_or(now));
        observed.progress.clone_from(&self.progress);
        observed.unhealthy_since = self.unhealthy_since;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn revision(number: u32) -> Revision {
        let document = json!({"taskDefinitionArn": format!("task-definition/api:{number}")});
        Revision {
            document: document.as_object().cloned().unwrap_or_default(),
            tags: [].into(),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn shown(memory: &mut Memory, listed: &[u32], now: i64) -> Vec<String> {
        let listed = listed.iter().map(|number| revision(*number)).collect();
        let shown = memory.with_registered(listed, at(now)).into_iter();
        let numbers = shown.map(|one| one.arn().rsplit(':').next().unwrap().to_owned());
        numbers.collect()
    }

    #[test]
    fn what_was_just_registered_is_known_before_lists_show_it() {
        let mut memory = Memory::default();
        memory.note_registered(revision(2), at(100));
        memory.note_registered(revision(3), at(110));
        assert_eq!(shown(&mut memory, &[1], 120), ["3", "2", "1"]);
        assert_eq!(shown(&mut memory, &[3, 2, 1], 121), ["3", "2", "1"]);
        memory.forget_registered(Some(revision(3).arn()));
        assert_eq!(shown(&mut memory, &[1], 122), ["2", "1"]);
        assert_eq!(shown(&mut memory, &[1], 400), ["1"], "long ago");
        memory.note_registered(revision(4), at(400));
        memory.forget_registered(None);
        assert_eq!(shown(&mut memory, &[1], 401), ["1"]);
    }
}
