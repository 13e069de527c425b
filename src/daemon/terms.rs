//! When this daemon acts: always, or for as long as it holds the lease. Each term begins with nothing remembered but the
//! manifests that were in force: what another daemon did meanwhile is in AWS.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    aws::Aws,
    daemon::{
        Board, Pace,
        board::Leadership,
        fleet::{Ended, Fleet},
        report::{self, Reporter},
    },
    lease::{Lease, Standing},
    manifest::ManifestSet,
    metrics::Metrics,
    source::Reading,
};

/// What acts, once AWS and the manifests can be read. [`run`](crate::daemon::run) puts it together.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// AWS; behind the lease's fence where there is one.
    pub aws: Aws,
    /// How the loop behaves.
    pub pace: Pace,
    /// What is told of the services.
    pub board: Arc<Board>,
    /// What is counted.
    pub metrics: Metrics,
    /// The newest reading of the manifests; `None` before the first.
    pub manifests: watch::Receiver<Option<Reading>>,
}

impl Daemon {
    /// Acts until `stop`: always, or while it holds `lease`.
    pub async fn act(self, lease: Option<Arc<Lease>>, stop: CancellationToken) {
        match lease {
            None => {
                self.metrics.leader.set(1);
                self.term(None, stop).await;
            }
            Some(lease) => self.act_under(&lease, stop).await,
        }
    }

    async fn act_under(self, lease: &Arc<Lease>, stop: CancellationToken) {
        let (let_go, is_clean) = (CancellationToken::new(), Arc::new(AtomicBool::new(true)));
        // Cancelled when the keeper ends, in whichever way.
        let unkept = CancellationToken::new();
        let keeper = {
            let (lease, let_go) = (Arc::clone(lease), let_go.clone());
            let is_clean = Arc::clone(&is_clean);
            let guard = unkept.clone().drop_guard();
            tokio::spawn(async move {
                let _guard = guard;
                lease.keep(let_go, || is_clean.load(Ordering::SeqCst)).await;
            })
        };
        let mut standing = lease.standing();
        let mut before = None;
        while !stop.is_cancelled() && !unkept.is_cancelled() {
            let now = standing.borrow_and_update().clone();
            self.metrics.leader.set((now == Standing::Leading).into());
            self.board.set_leadership(told(lease, &now));
            if now == Standing::Leading {
                let term = stop.child_token();
                let lost = async {
                    tokio::select! {
                        _ = standing.wait_for(|now| *now != Standing::Leading) => {}
                        () = unkept.cancelled() => {}
                    }
                    term.cancel();
                };
                let (ended, ()) =
                    tokio::join!(self.clone().term(before.take(), term.clone()), async {
                        term.run_until_cancelled(lost).await;
                    });
                is_clean.store(ended.is_clean, Ordering::SeqCst);
                if !stop.is_cancelled() {
                    report::stand_down(&self.board, &self.metrics, ended.set.as_ref());
                }
                before = ended.set;
            } else {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = unkept.cancelled() => {}
                    _ = standing.changed() => {}
                }
            }
        }
        let_go.cancel();
        if let Err(error) = keeper.await {
            tracing::error!(%error, "the lease was not let go: it runs out");
        }
    }

    async fn term(self, before: Option<ManifestSet>, stop: CancellationToken) -> Ended {
        let mut manifests = self.manifests;
        // What was read before this term is new to it.
        manifests.mark_changed();
        let reporter = Reporter::new(
            Arc::clone(&self.board),
            self.metrics,
            self.aws.clock().clone(),
        );
        let fleet = Fleet::new(self.aws, self.pace, self.board, reporter, before);
        fleet.run(manifests, stop).await
    }
}

fn told(lease: &Lease, standing: &Standing) -> Leadership {
    let base = Leadership::of_lease(lease.url());
    match standing {
        Standing::Unknown => base,
        Standing::Leading => Leadership {
            leading: true,
            leader: Some(lease.me().to_owned()),
            problem: None,
            ..base
        },
        Standing::Following(leader) => Leadership {
            leader: Some(leader.clone()),
            problem: None,
            ..base
        },
        Standing::Away(why) => Leadership {
            problem: Some(format!("no lease: {why}")),
            ..base
        },
    }
}
