//! The emulator as a server: binds its addresses, then answers until it is told to end.
//!
//! ```text
//! AWS clients ──► http ──► actor (owns the Cloud) ──effects──► driver, balancer
//!                            ▲                                      │
//!                            └──────────────events──────────────────┘
//! ```

mod actor;
mod http;
mod introspection;
mod journal;

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::{actor::Actor, http::Web};
use crate::{
    balancer::{Balancer, Bound},
    clock::Clock,
    core::Settings,
    driver::Driver,
    faults::Unreliable,
};

/// Calls that wait for the model, and events that do; senders wait when there are more.
const QUEUE: usize = 1_024;

/// What an emulator is started with.
#[derive(Debug)]
pub struct Config {
    /// Where the AWS endpoint listens. Port 0 takes any.
    pub aws: SocketAddr,
    /// A load balancer listener's declared port, and the address that stands for it. They are bound at the start. A listener
    /// on another port gets any free port of 127.0.0.1 once it exists; `/_emulator/endpoints` names it.
    pub listeners: BTreeMap<u16, SocketAddr>,
    /// The directory for `tasks.json` and `tasks.pids`; made if it is missing. One emulator at a time may use it.
    pub state: PathBuf,
    /// Where the executables of images lie, as `sha256/<hex>`.
    pub blobs: PathBuf,
    /// The account that is emulated.
    pub settings: Settings,
}

/// Why an emulator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory is of no use.
    #[error("cannot use the state directory {}: {source}", path.display())]
    State {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another emulator runs.
    #[error("another emulator is using the state directory {}; stop it, or give this one its own", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The AWS endpoint's address cannot be bound.
    #[error("cannot listen on {address} for the AWS endpoint: {source}")]
    Aws {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A listener's address cannot be bound.
    #[error("cannot listen on {address} for the load balancer's port {port}: {source}")]
    Listener {
        /// The declared port.
        port: u16,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// An emulator whose addresses are bound. Dropping it ends everything; [`Emulator::run`] does so in order.
#[derive(Debug)]
pub struct Emulator {
    /// The AWS endpoint.
    pub aws: SocketAddr,
    /// Declared port to address.
    pub listeners: BTreeMap<u16, SocketAddr>,
    socket: tokio::net::TcpListener,
    actor: Actor,
    web: Arc<Web>,
    balancer: Arc<Balancer>,
    _lock: File,
}

/// Binds every address, ends what a killed emulator has left behind, and prepares an empty account.
///
/// # Errors
///
/// When an address is taken or the state directory cannot be used; nothing has been started then.
pub async fn start(config: Config) -> Result<Emulator, StartError> {
    let unusable = |source| StartError::State {
        path: config.state.clone(),
        source,
    };
    let lock = lock(&config.state)?;
    let socket = bind_aws(config.aws)?;
    let bound = bind_listeners(&config.listeners)?;

    let clock = Clock::start();
    let (events, event_queue) = mpsc::channel(QUEUE);
    let (requests, request_queue) = mpsc::channel(QUEUE);
    let driver = Driver::start(&config.state, &config.blobs, clock, events)
        .await
        .map_err(unusable)?;
    let balancer = Balancer::start(bound, driver.addresses(), clock).map_err(unusable)?;
    let balancer = Arc::new(balancer);
    let aws = socket.local_addr().map_err(unusable)?;
    let region = config.settings.region.clone();
    let web = Arc::new(Web::new(
        aws,
        region,
        requests,
        clock,
        Arc::clone(&balancer),
    ));
    let actor = Actor {
        cloud: Unreliable::new(config.settings),
        clock,
        driver,
        balancer: Arc::clone(&balancer),
        journal: web.journal(),
        requests: request_queue,
        events: event_queue,
    };
    Ok(Emulator {
        aws,
        listeners: balancer.listeners(),
        socket,
        actor,
        web,
        balancer,
        _lock: lock,
    })
}

impl Emulator {
    /// Serves until `shutdown`, then ends every task's processes and returns; that takes about 10 seconds at most.
    pub async fn run(self, shutdown: CancellationToken) {
        let ending = shutdown.child_token();
        let serving = tokio::spawn(http::serve(self.socket, self.web, ending.clone()));
        let driver = self.actor.run(&shutdown).await;
        ending.cancel();
        self.balancer.shutdown().await;
        driver.shutdown().await;
        if let Err(error) = serving.await {
            tracing::error!(%error, "the AWS endpoint failed");
        }
    }
}

fn lock(state: &Path) -> Result<File, StartError> {
    let unusable = |source| StartError::State {
        path: state.to_owned(),
        source,
    };
    fs::create_dir_all(state).map_err(unusable)?;
    let file = File::create(state.join("emulator.lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse {
            path: state.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

fn bind_aws(address: SocketAddr) -> Result<tokio::net::TcpListener, StartError> {
    let bind = || {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(socket)
    };
    bind().map_err(|source| StartError::Aws { address, source })
}

fn bind_listeners(listeners: &BTreeMap<u16, SocketAddr>) -> Result<Vec<Bound>, StartError> {
    let bind = |(port, address): (&u16, &SocketAddr)| match TcpListener::bind(address) {
        Ok(socket) => Ok(Bound {
            port: *port,
            socket,
        }),
        Err(source) => Err(StartError::Listener {
            port: *port,
            address: *address,
            source,
        }),
    };
    listeners.iter().map(bind).collect()
}
