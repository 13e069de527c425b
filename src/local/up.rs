//! `evenkeel local up`: everything, from nothing to `ready`, and to its end.
//!
//! A run reads as its phases: check, stores, seed, AWS, images, daemon, ready. A signal may come at any moment; whatever
//! was started until then is in the household, which ends it.

use std::{
    env,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;

use super::{
    aws::speed,
    child::{ChildError, Household},
    cloud::{self, Cloud, Secrets},
    daemon::Daemon,
    emulated,
    endpoints::Endpoints,
    files::{self, Lock, State},
    images::{self, Reference},
    place::Place,
    ports::Reserved,
    postgres::{self, Keep},
    progress::{Progress, seconds},
    readiness, redis,
    restart::Backoff,
    signals::Signals,
    store_url::StoreUrl,
    up_error::UpError,
};

const SEED_ROWS: &str = "10000";
const INTERRUPTED: u8 = 130;
const LOGS_BOUNDED_EVERY: Duration = Duration::from_secs(30);
/// Two lines: it says why and fails, as a broken release does.
const CRASHES: &str = "#!/bin/sh\necho 'api:crashes ends on purpose: it cannot start'; exit 1\n";

/// Runs the whole system on this machine: PostgreSQL, Redis, AWS, the API behind a load balancer, the daemon.
///
/// DATABASE_URL and REDIS_URL, when set, name stores to use instead of private ones.
#[derive(Debug, Args)]
pub struct Up {
    /// The load balancer's port; 0 picks a free one.
    #[arg(
        long,
        env = "EVENKEEL_LB_PORT",
        default_value_t = 8080,
        value_name = "PORT"
    )]
    lb_port: u16,
    /// The daemon's port; 0 picks a free one.
    #[arg(
        long,
        env = "EVENKEEL_HTTP_PORT",
        default_value_t = 9180,
        value_name = "PORT"
    )]
    http_port: u16,
    /// The port of the AWS endpoint; 0 picks a free one.
    #[arg(
        long,
        env = "EVENKEEL_AWS_PORT",
        default_value_t = 4566,
        value_name = "PORT"
    )]
    aws_port: u16,
    /// The directory of manifests.
    #[arg(
        long,
        env = "EVENKEEL_MANIFESTS",
        default_value = "manifests",
        value_name = "DIR"
    )]
    manifests: PathBuf,
    /// The state directory.
    #[arg(
        long,
        env = "EVENKEEL_STATE",
        default_value = ".local",
        value_name = "DIR"
    )]
    state: PathBuf,
    /// AWS's own delays are divided by this.
    #[arg(long, env = "EVENKEEL_SPEED", default_value_t = 10.0, value_parser = speed)]
    speed: f64,
    /// The API's executable; `api` beside this one by default.
    #[arg(long, value_name = "FILE")]
    api: Option<PathBuf>,
}

/// Starts everything, says `ready`, keeps it running, and ends it.
pub(super) async fn run(up: Up) -> Result<ExitCode, UpError> {
    let began = Instant::now();
    let signals = Signals::listen().map_err(UpError::Signals)?;
    let state = State::create(&up.state)?;
    let _lock: Lock = state.lock()?;
    let mut household = Household::new(state.processes()).await?;
    state.clear_logs()?;
    let progress = Progress::default();
    let mut ready = false;

    let outcome = tokio::select! {
        biased;
        () = signals.stop.cancelled() => Ok(()),
        lived = live(&up, &state, &mut household, &progress, &mut ready, began) => lived,
    };
    if outcome.is_ok() {
        progress.say("ending; a second signal ends it at once");
    }
    household.end(&signals.hurry).await;
    emulated::end_tasks_left(&state).await;
    for stale in [state.endpoints(), state.secrets(), state.aws()] {
        files::remove(&stale)?;
    }
    outcome?;
    Ok(if ready {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(INTERRUPTED)
    })
}

async fn live(
    up: &Up,
    state: &State,
    household: &mut Household,
    progress: &Progress,
    ready: &mut bool,
    began: Instant,
) -> Result<(), UpError> {
    let checked = Checked::new(up)?;
    let stores = progress
        .step("data tier", start_stores(&checked, state, household))
        .await?;
    progress
        .step("schema and seed", seed(&checked, &stores, state, household))
        .await?;

    let secrets = Secrets::new();
    files::write_json(
        &state.secrets(),
        &secrets.values(&stores.database, &stores.redis),
        0o600,
    )?;
    let (emulated, cloud) = progress
        .step("AWS", async {
            let emulated =
                emulated::start(household, state, checked.aws, checked.balancer, up.speed).await?;
            let laid = household
                .while_all_live(Cloud::lay_down(&cloud::clients(&emulated.endpoint)))
                .await??;
            Ok::<_, UpError>((emulated, laid))
        })
        .await?;
    let pushing = push_images(&checked.api, state, &emulated.endpoint);
    progress
        .step("images", async { household.while_all_live(pushing).await? })
        .await?;

    files::write_json(&state.terraform(), &cloud.outputs(&secrets), 0o644)?;
    let daemon_address = checked.daemon.address();
    let endpoints = Endpoints {
        load_balancer: format!("http://{}", emulated.balancer),
        daemon: format!("http://{daemon_address}"),
        aws: emulated.endpoint.clone(),
        state: state.dir().to_owned(),
        manifests: checked.manifests.clone(),
        database: stores.database.without_password(),
        redis: stores.redis.without_password(),
        pid: std::process::id(),
    };
    files::write_json(&state.endpoints(), &endpoints, 0o644)?;

    let daemon = Daemon {
        program: checked.evenkeel,
        manifests: checked.manifests,
        outputs: state.terraform(),
        address: checked.daemon.release(),
        aws: emulated.endpoint,
        log: state.log(Daemon::NAME),
    };
    tokio::select! {
        ended = supervise(&daemon, household, progress) => ended,
        never = async {
            announce(emulated.balancer, daemon_address, &endpoints, progress, began).await?;
            *ready = true;
            std::future::pending().await
        } => never,
    }
}

/// What is known to be right before anything is started.
struct Checked {
    evenkeel: PathBuf,
    api: PathBuf,
    manifests: PathBuf,
    balancer: Reserved,
    daemon: Reserved,
    aws: Reserved,
    database: Option<StoreUrl>,
    redis: Option<StoreUrl>,
}

impl Checked {
    fn new(up: &Up) -> Result<Self, UpError> {
        let variable = |name| env::var(name).ok();
        let database = StoreUrl::from_variable(
            "DATABASE_URL",
            variable("DATABASE_URL"),
            &["postgres", "postgresql"],
        )?;
        let redis =
            StoreUrl::from_variable("REDIS_URL", variable("REDIS_URL"), &["redis", "rediss"])?;
        if database.is_none() {
            postgres::Installation::find()?;
        }
        if redis.is_none() {
            redis::find()?;
        }
        let evenkeel = env::current_exe().map_err(UpError::OwnExecutable)?;
        let api = up
            .api
            .clone()
            .unwrap_or_else(|| evenkeel.with_file_name("api"));
        if !api.is_file() {
            return Err(UpError::NoApi(api));
        }
        if !up.manifests.is_dir() {
            return Err(UpError::NoManifests(up.manifests.clone()));
        }
        Ok(Self {
            evenkeel,
            api,
            manifests: std::path::absolute(&up.manifests)
                .map_err(files::io_error("find", &up.manifests))?,
            balancer: Reserved::new(up.lb_port, "load balancer", "EVENKEEL_LB_PORT")?,
            daemon: Reserved::new(up.http_port, "daemon", "EVENKEEL_HTTP_PORT")?,
            aws: Reserved::new(up.aws_port, "AWS endpoint", "EVENKEEL_AWS_PORT")?,
            database,
            redis,
        })
    }
}

struct Stores {
    database: StoreUrl,
    redis: StoreUrl,
}

async fn start_stores(
    checked: &Checked,
    state: &State,
    household: &mut Household,
) -> Result<Stores, UpError> {
    let place = || Place::lasting(state.dir());
    let database = match &checked.database {
        Some(given) => given.clone(),
        None => postgres::start(household, &place()?, Keep::Lasting, state.log("postgres")).await?,
    };
    let redis = match &checked.redis {
        Some(given) => given.clone(),
        None => redis::start(household, &place()?, state.log("redis")).await?,
    };
    Ok(Stores { database, redis })
}

async fn seed(
    checked: &Checked,
    stores: &Stores,
    state: &State,
    household: &mut Household,
) -> Result<(), UpError> {
    let (database, password) = stores.database.apart();
    let mut command = tokio::process::Command::new(&checked.api);
    command
        .args(["seed", SEED_ROWS])
        .env("DATABASE_URL", database)
        .env("DATABASE_PASSWORD", password)
        .env("REDIS_URL", stores.redis.expose());
    Ok(household
        .complete(super::child::Plan::brief(
            "seed",
            command,
            state.log("seed"),
        ))
        .await?)
}

async fn push_images(api: &std::path::Path, state: &State, endpoint: &str) -> Result<(), UpError> {
    const REPOSITORY: &str = "api";
    let clients = cloud::clients(endpoint);
    let blobs = state.images();
    let image = |tag: &str| Reference {
        repository: REPOSITORY.to_owned(),
        tag: tag.to_owned(),
    };

    let copied = (blobs.clone(), api.to_owned());
    // Copying and hashing tens of megabytes would hold up the signals.
    let executable = tokio::task::spawn_blocking(move || images::store(&copied.0, &copied.1))
        .await
        .map_err(|error| UpError::OwnExecutable(error.into()))??;
    for version in ["1.0.0", "1.1.0"] {
        let env = [("SERVICE_VERSION".to_owned(), version.to_owned())].into();
        images::push(
            &clients,
            &image(version),
            executable.clone(),
            env,
            Vec::new(),
        )
        .await?;
    }

    let script = state.dir().join("crashes.sh");
    files::write_atomically(&script, CRASHES.as_bytes(), 0o755)?;
    let executable = images::store(&blobs, &script)?;
    images::push(
        &clients,
        &image("crashes"),
        executable,
        [].into(),
        Vec::new(),
    )
    .await?;
    Ok(())
}

/// Restarts the daemon whenever it ends; anyone else's end is the end of all.
async fn supervise(
    daemon: &Daemon,
    household: &mut Household,
    progress: &Progress,
) -> Result<(), UpError> {
    let mut backoff = Backoff::default();
    let mut bound_logs = tokio::time::interval(LOGS_BOUNDED_EVERY);
    let mut started = Instant::now();
    let mut restart = Some(tokio::time::Instant::now());
    loop {
        let due = restart.unwrap_or_else(tokio::time::Instant::now);
        tokio::select! {
            () = tokio::time::sleep_until(due), if restart.is_some() => {
                household.start(daemon.plan())?;
                (started, restart) = (Instant::now(), None);
            }
            death = household.death() => {
                if death.name != Daemon::NAME {
                    return Err(ChildError::Died(death).into());
                }
                if let Some(reason) = Daemon::hopeless(&death) {
                    return Err(UpError::Daemon { reason, death });
                }
                let wait = backoff.next(started.elapsed());
                progress.say(format_args!(
                    "{}; it is started again in {}; its output is in {}",
                    death.how(), seconds(wait), death.log.display()
                ));
                restart = Some(tokio::time::Instant::now() + wait);
            }
            _tick = bound_logs.tick() => household.bound_logs(),
        }
    }
}

async fn announce(
    balancer: SocketAddr,
    daemon: SocketAddr,
    endpoints: &Endpoints,
    progress: &Progress,
    began: Instant,
) -> Result<(), UpError> {
    let waiting = async {
        readiness::wait(balancer, daemon, progress).await;
        Ok::<_, UpError>(())
    };
    progress.step("API behind the balancer", waiting).await?;
    let Endpoints {
        load_balancer,
        daemon,
        aws,
        manifests,
        state,
        ..
    } = endpoints;
    let program = env::current_exe().map_or_else(
        |_| "evenkeel".to_owned(),
        |program| program.display().to_string(),
    );
    let text = format!(
        "ready  api {load_balancer}  daemon {daemon}  aws {aws}  (first ready in {})\n\
         try    curl -i {load_balancer}/items/1\n\
         \x20      eval \"$({program} local env --state {})\"    in another terminal; then: evenkeel status\n\
         \x20      edit the tag in {} and watch it roll\n",
        seconds(began.elapsed()),
        state.display(),
        manifests.display(),
    );
    use std::io::Write;
    // Whoever closed standard output can still use the system.
    let _unread = anstream::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| anstream::stdout().flush());
    Ok(())
}
