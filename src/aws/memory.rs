//! What looks at one service pass on to each other, within one process.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    aws::history::Past,
    manifest::Manifest,
    observed::{Image, Observed, Progress},
    plan::{self, Lessons},
};

/// What looks at one service pass on to each other. Losing it loses no fact: it costs a few reads, and what has to last
/// for a while begins anew.
#[derive(Debug, Default)]
pub struct Memory {
    /// What writes have come to.
    pub lessons: Lessons,
    /// What the image meant when the manifest with this digest was first seen.
    pub(super) image: Option<(String, Image)>,
    /// What the past deployments were; they do not change once they are over.
    pub(super) past: Past,
    /// Revisions are counted once per definition that the service names.
    pub(super) tidied: Option<String>,
    /// Targets that were no tasks of the service at the last look; those of a task that is leaving are so for a moment.
    pub(super) strangers: BTreeSet<String>,
    progress: Option<Progress>,
    unhealthy_since: Option<Timestamp>,
}

impl Memory {
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
