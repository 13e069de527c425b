//! Services without a manifest: looked for now and then, once a turn over the fleet has ended.

use std::collections::BTreeMap;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Done, Fleet};
use crate::{aws::Urgency, reconcile};

/// How many resyncs there are between two looks for services without a manifest.
const CENSUS: u32 = 10;

impl Fleet {
    /// What a daemon before this one may have left: its manifests are gone, and only AWS remembers.
    pub(super) fn look_for_orphans(&mut self, now: Instant) {
        if now < self.next_census {
            return;
        }
        self.next_census = now + self.pace.resync * CENSUS;
        let of_orphans = self.reporter.clusters_of_orphans().into_iter();
        let mut clusters: BTreeMap<_, _> = of_orphans.map(|name| (name.clone(), name)).collect();
        // As manifests name them, which may be by ARN.
        let named = self.services.iter();
        clusters.extend(named.map(|((name, _), one)| (name.clone(), one.manifest.cluster.clone())));
        for (name, cluster) in clusters {
            let of_cluster = self.services.keys().filter(|key| key.0 == name);
            let described = of_cluster.map(|(_, service)| service.clone()).collect();
            let aws = self.aws.at(Urgency::Resync, CancellationToken::new());
            let owner = self.pace.settings.owner.clone();
            self.work.spawn(async move {
                let orphans = reconcile::orphans(&aws, &cluster, &owner, &described).await;
                Done::Counted(name, orphans)
            });
        }
    }
}
