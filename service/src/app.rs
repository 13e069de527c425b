//! Wires everything: from arguments and environment to an exit code.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use hyper::Request;
use hyper::body::Incoming;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::SetOnce;

use crate::cli::{self, Command};
use crate::config::{BaseConfig, Environment, Problem, ServeConfig};
use crate::deadline::Deadlines;
use crate::http::{self, Api, ApiError, Reply};
use crate::items::{self, Cache, Catalogue, Owed, SharedFlights, StalePassword, Store};
use crate::metrics::Metrics;
use crate::migrate::{self, MigrateError};
use crate::presence::Presence;
use crate::server::{self, Answer, Lane, Slots};
use crate::shutdown::{self, Drain, Drained};
use crate::{logging, logging::chain};

/// Wrong arguments or environment: EX_USAGE of sysexits(3).
const USAGE: u8 = 64;

/// Connections to the metrics' port; not those of the API, which scrapes must find room beside.
const SCRAPES: usize = 64;

/// Runs the command that `arguments` name and returns the process's exit code: 0 done, 1 failed, 64 wrong arguments or environment.
///
/// `environment` looks a variable up. Logs go to stdout as JSON lines; what is wrong with arguments or environment goes to stderr.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> ExitCode {
    match cli::parse(arguments) {
        Err(error) => complain(&[error]),
        Ok(Command::Help) => say(cli::HELP),
        Ok(Command::Version) => say(concat!("api ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Migrate) => with_base(environment, async |base: &BaseConfig| {
            let session = migrate::Session::open(base.database.reveal()).await?;
            let applied = session.migrate().await?;
            tracing::info!(?applied, "migrated");
            Ok(())
        }),
        Ok(Command::Seed(count)) => with_base(environment, async |base: &BaseConfig| {
            seed(base, count).await
        }),
        Ok(Command::Serve) => with(ServeConfig::parse(environment), |config| {
            logging::start(config.base.log_filter.clone());
            execute(serve(config))
        }),
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("the database is not ready")]
    Migrate(#[from] MigrateError),
    #[error("cannot listen on {address}; choose another with {variable}")]
    Listen {
        address: SocketAddr,
        variable: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot start")]
    Io(#[from] io::Error),
    #[error("the metrics are inconsistent")]
    Metrics(#[from] prometheus::Error),
    #[error("the API is inconsistent")]
    Api(#[from] ApiError),
    #[error("the Redis client refuses REDIS_URL")]
    Redis(#[from] bb8_redis::redis::RedisError),
    #[error(
        "PostgreSQL no longer takes the password; start again with the new one: a new ECS task gets it from the secret"
    )]
    StalePassword,
}

async fn seed(base: &BaseConfig, count: NonZeroU32) -> Result<(), RunError> {
    let rows = migrate::seed(base.database.reveal(), count).await?;
    if rows == 0 {
        tracing::info!("the table has rows already; nothing was inserted");
    } else {
        tracing::info!(rows, "seeded the empty table");
    }
    Ok(())
}

async fn serve(config: ServeConfig) -> Result<(), RunError> {
    let mut stop = Stop::new()?;
    let metrics = Arc::new(Metrics::new(&config.version, http::documented_answers())?);
    let (shutdown, drain) = shutdown::channel();
    let stale_password = StalePassword::default();
    let shared = Shared {
        config: &config,
        metrics: Arc::clone(&metrics),
        flights: items::flights(),
        owed: Arc::default(),
        postgresql: Presence::of("PostgreSQL", config.workers.get()),
        redis: Presence::of("Redis", config.workers.get()),
        stale_password: stale_password.clone(),
        serving: Arc::default(),
        drain: drain.clone(),
    };
    let workers = tokio::select! {
        workers = shared.workers() => workers?,
        signal = stop.requested() => {
            tracing::info!(signal, "stopped before serving");
            return Ok(());
        }
    };

    let listener = listen(config.address, "PORT").await?;
    let scrapes = listen(config.metrics_address, "METRICS_PORT").await?;
    tracing::info!(
        address = %listener.local_addr()?,
        metrics_address = %scrapes.local_addr()?,
        version = config.version,
        "listening"
    );
    let scraper = Scraper {
        metrics,
        catalogues: workers
            .iter()
            .map(|worker| Arc::clone(&worker.catalogue))
            .collect(),
        postgresql: shared.postgresql,
        redis: shared.redis,
    };
    let lanes = workers.into_iter().map(Worker::lane).collect();
    drop(shared.drain);
    let here = Lane::new(runtime::Handle::current(), Arc::new(scraper));
    let slots = Slots::new(server::raise_file_limit(config.workers));
    tokio::spawn(server::serve(listener, lanes, slots, drain.clone()));
    let slots = Slots::new(SCRAPES);
    tokio::spawn(server::serve(scrapes, vec![here], slots, drain));
    // Nobody else sets it.
    let _ = shared.serving.set(());

    let (reason, outcome) = tokio::select! {
        signal = stop.requested() => (signal, Ok(())),
        () = stale_password.told() => ("password refused", Err(RunError::StalePassword)),
    };
    let drained = shutdown.drain();
    // Who reads this line may count on `connection: close` from here on.
    tracing::info!(reason, "draining");
    match drained.await {
        Drained::Clean => tracing::info!("stopped"),
        Drained::Abandoned(left) => {
            tracing::warn!(left, "stopped at the deadline with work unfinished");
        }
    }
    outcome
}

/// What the workers have in common.
struct Shared<'a> {
    config: &'a ServeConfig,
    metrics: Arc<Metrics>,
    flights: SharedFlights,
    owed: Arc<Owed>,
    postgresql: Arc<Presence>,
    redis: Arc<Presence>,
    stale_password: StalePassword,
    /// Set when it begins to serve. What nobody waits for before that connects after it.
    serving: Arc<SetOnce<()>>,
    drain: Drain,
}

/// A thread that serves, with connections of its own to the stores.
struct Worker {
    runtime: runtime::Handle,
    api: Api,
    catalogue: Arc<Catalogue>,
}

impl Worker {
    fn lane(self) -> Lane<Api> {
        Lane::new(self.runtime, Arc::new(self.api))
    }
}

impl Shared<'_> {
    /// All workers, once the schema is up to date and each has tried to reach both stores: they connect while it is migrated.
    async fn workers(&self) -> Result<Vec<Worker>, RunError> {
        // First alone: where PostgreSQL is not there yet or refuses, one attempt at a time is enough.
        let session = migrate::Session::open(self.config.base.database.reveal()).await?;
        let workers = (1..=self.config.workers.get())
            .map(|number| self.worker(number))
            .collect::<Result<Vec<_>, RunError>>()?;
        let applied = session.migrate().await?;
        tracing::info!(?applied, "migrated");
        for worker in &workers {
            worker.catalogue.tried().await;
        }
        Ok(workers)
    }

    fn worker(&self, number: usize) -> Result<Worker, RunError> {
        let runtime = thread_with_runtime(format!("worker-{number}"))?;
        // What is spawned from here on runs there.
        let _there = runtime.enter();
        let deadlines = Deadlines::start();
        let store = Store::start(
            self.config.base.database.reveal(),
            Arc::clone(&deadlines),
            &self.postgresql,
            self.metrics.pool_wait("postgresql"),
            self.stale_password.clone(),
            Arc::clone(&self.serving),
        );
        let cache = Cache::start(
            self.config.redis.reveal(),
            self.config.cache,
            deadlines,
            Arc::clone(&self.owed),
            &self.redis,
        )?;
        let catalogue = Arc::new(Catalogue::new(
            store,
            cache,
            Arc::clone(&self.flights),
            self.metrics.cache.clone(),
            self.drain.clone(),
        ));
        let api = Api::new(
            Arc::clone(&catalogue),
            Arc::clone(&self.metrics),
            &self.config.version,
            self.config.access_log,
            self.drain.clone(),
        )?;
        Ok(Worker {
            runtime: runtime.clone(),
            api,
            catalogue,
        })
    }
}

/// A thread that runs what is spawned on its runtime, until the process ends.
fn thread_with_runtime(name: String) -> io::Result<runtime::Handle> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name(name)
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}

async fn listen(
    address: SocketAddr,
    variable: &'static str,
) -> Result<tokio::net::TcpListener, RunError> {
    server::bind(address)
        .await
        .map_err(|source| RunError::Listen {
            address,
            variable,
            source,
        })
}

impl Answer for Api {
    async fn answer(&self, request: Request<Incoming>) -> Reply {
        self.handle(request).await
    }
}

/// What the metrics port serves.
struct Scraper {
    metrics: Arc<Metrics>,
    catalogues: Vec<Arc<Catalogue>>,
    postgresql: Arc<Presence>,
    redis: Arc<Presence>,
}

impl Answer for Scraper {
    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let (method, path) = (request.method(), request.uri().path());
        let record = |metrics: &Metrics| {
            let pools: Vec<_> = self.catalogues.iter().map(|c| c.pool()).collect();
            metrics.set_connections("postgresql", self.postgresql.links(), &pools);
            metrics.set_connections("redis", self.redis.links(), &[]);
        };
        http::scrape(&self.metrics, record, method, path)
    }
}

/// The signals that end the process.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn requested(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn with_base(
    environment: Environment<'_>,
    command: impl AsyncFnOnce(&BaseConfig) -> Result<(), RunError>,
) -> ExitCode {
    with(BaseConfig::parse(environment), |base| {
        logging::start(base.log_filter.clone());
        execute(async move { command(&base).await })
    })
}

fn with<C>(parsed: Result<C, Vec<Problem>>, command: impl FnOnce(C) -> ExitCode) -> ExitCode {
    match parsed {
        Ok(config) => command(config),
        Err(problems) => complain(&problems),
    }
}

fn execute(command: impl Future<Output = Result<(), RunError>>) -> ExitCode {
    let result = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::from)
        .and_then(|runtime| {
            let result = runtime.block_on(command);
            // What is left has had its time.
            runtime.shutdown_background();
            result
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = chain(&error), "failed");
            ExitCode::FAILURE
        }
    }
}

/// One line each on stderr.
fn complain(problems: &[impl Display]) -> ExitCode {
    let mut stderr = io::stderr().lock();
    for problem in problems {
        // There is nowhere else to complain to.
        let _ = writeln!(stderr, "error: {problem}");
    }
    ExitCode::from(USAGE)
}

fn say(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests;
