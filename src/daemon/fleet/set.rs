//! Which services there are, by the manifests.

use std::{collections::BTreeSet, sync::Arc};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Fleet, Service, describe};
use crate::{
    aws::Urgency,
    manifest::{self, ManifestSet},
    reconcile::Carried,
    source::Reading,
};

impl Fleet {
    /// A new reading of the manifests: taken, or refused and said why. The last good ones stay.
    pub(super) fn take(&mut self, reading: Option<Reading>) {
        let Some(reading) = reading else { return };
        let next = match reading {
            Ok(next) => next,
            Err(why) => return self.refuse(&why),
        };
        let missing = self.set.as_ref().map(|set| set.missing_from(&next));
        self.undescribed = missing.unwrap_or_default();
        if let Err(refusal) = manifest::accept(self.set.as_ref(), &next) {
            return self.refuse(&refusal.to_string());
        }
        let next = next.with_last_good(self.set.as_ref());
        self.undescribed.clear();
        self.reporter.manifests(&next);
        self.board.set_manifests(None);
        self.follow_set(&next);
        self.set = Some(next);
    }

    fn refuse(&self, why: &str) {
        self.reporter.refused(why);
        self.board.set_manifests(Some(why.to_owned()));
    }

    pub(super) fn follow_set(&mut self, next: &ManifestSet) {
        let now = Instant::now();
        // Those that there are at the start have been there before, and are looked at together.
        let urgency = if self.services.is_empty() {
            Urgency::Resync
        } else {
            Urgency::Edit
        };
        for manifest in &next.manifests {
            let key = manifest.key();
            match self.services.get_mut(&key) {
                Some(service) => {
                    let is_edited = service.manifest != *manifest;
                    // Also where it says the same: nothing holds on to the set before.
                    service.manifest = Arc::clone(manifest);
                    if !is_edited {
                        continue;
                    }
                    service.hurry.cancel();
                }
                None => {
                    let service = Service {
                        manifest: Arc::clone(manifest),
                        carried: Carried::default(),
                        hurry: CancellationToken::new(),
                    };
                    self.services.insert(key.clone(), Box::new(service));
                }
            }
            self.queue.changed(&key, urgency, now);
        }
        let acting: BTreeSet<_> = next
            .manifests
            .iter()
            .map(|manifest| manifest.key())
            .collect();
        let rotation = describe::rotation(next, self.pace.resync);
        self.aws = self.aws.clone().in_rotation(rotation);
        let clusters = acting.iter().map(|(cluster, _)| cluster.as_str()).collect();
        self.board.keep_answers(&clusters);
        self.brake().set(&acting);
        let gone: Vec<_> = self
            .services
            .keys()
            .filter(|key| !acting.contains(*key))
            .cloned()
            .collect();
        for key in gone {
            self.services.remove(&key);
            self.queue.gone(&key);
        }
    }
}
