//! A daemon: evenkeel's own loop, with the SDK on a wire of ours.

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use evenkeel::{
    aws::{Aws, Clients, Fence, S3Url},
    daemon::{self, Board, Pace},
    desired::Settings,
    lease::Lease,
    metrics::Metrics,
    normal::Form,
    source::Reading,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    cloud::Cloud,
    furniture::REGION,
    journal::What,
    wire::{Life, Wire},
};

/// `--owner` of every daemon.
pub const OWNER: &str = "sim";

/// What every daemon of a run is started with.
#[derive(Debug, Clone)]
pub struct Setting {
    /// AWS.
    pub cloud: Cloud,
    /// The time that the daemon believes it is.
    pub clock: Clock,
    /// Where its manifests come from.
    pub manifests: watch::Receiver<Option<Reading>>,
    /// How often every service is looked at.
    pub resync: Duration,
    /// The lease that daemons share, where there is one.
    pub lease: Option<S3Url>,
    /// What it takes for the normal form of documents.
    pub form: Form,
}

/// A daemon that runs.
#[derive(Debug)]
pub struct Daemon {
    /// What it tells of the services.
    pub board: Arc<Board>,
    /// What it counts.
    pub metrics: Metrics,
    /// Whether it lives.
    pub life: Life,
    stop: CancellationToken,
}

impl Daemon {
    /// Starts the n-th daemon of a run.
    ///
    /// # Panics
    /// When the metrics cannot be made.
    #[must_use]
    pub fn start(number: usize, setting: Setting, life: Life) -> Self {
        let Setting {
            cloud,
            clock,
            manifests,
            resync,
            lease,
            form,
        } = setting;
        #[expect(clippy::expect_used, reason = "their names are constants")]
        let metrics = Metrics::new().expect("metrics");
        let wire = Wire::new(cloud.clone(), number, life.clone());
        let clients = Clients::new(&config(number, wire, clock));
        let fence = match &lease {
            Some(_) => Fence::closed(),
            None => Fence::open(),
        };
        let aws = Aws::new(clients, metrics.clone()).behind(fence.clone());
        let lease = lease.map(|url| Lease::new(aws.clone(), url, fence));
        let board = Arc::new(Board::default());
        let daemon = daemon::Daemon {
            aws,
            pace: Pace {
                settings: Settings {
                    owner: OWNER.to_owned(),
                    form,
                },
                resync,
            },
            board: Arc::clone(&board),
            metrics: metrics.clone(),
            manifests,
        };
        cloud.note(What::Started(number));
        let (stop, its_life) = (CancellationToken::new(), life.clone());
        let act = daemon.act(lease, stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = its_life.ended() => {}
                () = act => {}
            }
            its_life.end();
            cloud.note(What::Ended(number));
        });
        Self {
            board,
            metrics,
            life,
            stop,
        }
    }

    /// As SIGTERM does: the passes that run may end.
    pub fn terminate(&self) {
        self.stop.cancel();
    }
}

fn config(number: usize, wire: Wire, clock: Clock) -> SdkConfig {
    let key = format!("DAEMON{number}");
    let credentials = Credentials::new(key, "secret", None, None, "simulation");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .time_source(clock)
        .http_client(wire.client())
        .build()
}
