//! The first call about what is due: ten services of a cluster at once, an edited one by itself and with what comes next.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Done, Fleet};
use crate::{
    aws::{Ahead, Class, Described, Rotation, Urgency},
    daemon::board::Key,
    manifest::{Manifest, ManifestSet},
};

/// What a description says of one service.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) key: Key,
    pub(super) described: Described,
    pub(super) time: Timestamp,
    pub(super) urgency: Urgency,
    pub(super) ahead: Ahead,
}

impl Looked {
    /// Whether AWS does not let us look.
    pub(super) fn is_denied(&self) -> bool {
        let error = self.described.as_ref().err();
        error.is_some_and(|error| error.class == Class::Denied)
    }
}

impl Fleet {
    pub(super) fn start_describe(&mut self, urgency: Urgency, keys: &[Key]) {
        let hurry = CancellationToken::new();
        let asked = keys.iter().filter_map(|key| {
            let service = self.services.get_mut(key)?;
            service.hurry = hurry.clone();
            Some((key.clone(), Arc::clone(&service.manifest)))
        });
        let asked: Vec<_> = asked.collect();
        // The queue knows no service that the fleet does not.
        let Some((_, first)) = asked.first() else {
            return;
        };
        // As a manifest names it, which may be by ARN.
        let (aws, cluster) = (self.aws.at(urgency, hurry), first.cluster.clone());
        let describe = async move {
            let names: Vec<_> = asked.iter().map(|(_, one)| one.name.clone()).collect();
            let describe = aws.describe_with_gone(&cluster, &names);
            let ((mut described, time), mut ahead) = match &asked[..] {
                [(_, edited)] if urgency == Urgency::Edit => {
                    tokio::join!(describe, aws.look_ahead(edited))
                }
                _ => (describe.await, Ahead::default()),
            };
            let looked = asked.into_iter().filter_map(|(key, one)| {
                Some(Looked {
                    described: described.remove(&one.name)?,
                    key,
                    time,
                    urgency,
                    ahead: std::mem::take(&mut ahead),
                })
            });
            Done::Described(looked.collect())
        };
        let id = self.work.spawn(describe).id();
        self.working_on.insert(id, keys.to_vec());
    }
}

/// In which turns is asked what takes a call for each service.
pub(super) fn rotation(set: &ManifestSet, resync: Duration) -> Rotation {
    let count = |has: fn(&&Arc<Manifest>) -> bool| set.manifests.iter().filter(has).count();
    let balanced = count(|manifest| !manifest.target_groups.is_empty());
    let logging = count(|manifest| manifest.log_group.is_some());
    Rotation::of(set.manifests.len(), balanced, logging, resync)
}
