//! The configuration, parsed from an injected environment. Bundles of CA certificates, which some variables name, are read here too.
//!
//! Every problem is collected, so that one run shows all of them. A URL's value is never part of a message, but for the path of a bundle:
//! it may hold a password.

mod reader;
#[cfg(test)]
mod tests;
mod url;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use bb8_redis::redis::ConnectionInfo;
use rustls::ClientConfig;
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing_subscriber::filter::{LevelFilter, Targets};

pub(crate) use self::reader::Problem;
use self::reader::{Reader, StoreVariables};
use crate::http::AccessLog;
use crate::items::Settings;
use crate::logging;
use crate::secret::Secret;
use crate::tls;

/// Looks a variable up; `std::env::var_os` outside tests.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What serving needs.
#[derive(Debug)]
pub(crate) struct ServeConfig {
    pub(crate) address: SocketAddr,
    pub(crate) metrics_address: SocketAddr,
    pub(crate) redis: Secret<Redis>,
    pub(crate) cache: Settings,
    /// Threads that serve.
    pub(crate) workers: NonZeroUsize,
    pub(crate) access_log: AccessLog,
    /// Fit for a `Server` header and a metric label.
    pub(crate) version: String,
    pub(crate) base: BaseConfig,
}

/// What every command that touches the database needs.
#[derive(Debug)]
pub(crate) struct BaseConfig {
    pub(crate) database: Secret<Database>,
    /// Which lines are logged.
    pub(crate) log_filter: Targets,
}

/// How to reach PostgreSQL.
pub(crate) struct Database {
    /// Its `sslmode` is `disable` or `require`, and `tls` makes the latter a `verify-full`.
    pub(crate) config: tokio_postgres::Config,
    pub(crate) tls: MakeRustlsConnect,
}

/// How to reach Redis.
pub(crate) struct Redis {
    /// A TCP address, also where TLS is spoken.
    pub(crate) info: ConnectionInfo,
    /// `None` for plain text.
    pub(crate) tls: Option<ClientConfig>,
}

impl ServeConfig {
    /// Parses everything that serving needs, or names every problem.
    pub(crate) fn parse(environment: Environment<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(environment);
        let base = BaseConfig::read(&mut reader);
        let redis = reader
            .store(&REDIS, url::redis)
            .map(|(info, tls)| Secret::new(Redis { info, tls }));
        let host = reader.or("HOST", IpAddr::V4(Ipv4Addr::UNSPECIFIED), |text| {
            text.parse().map_err(|_| {
                format!("is `{text}`, which is not an IP address such as 0.0.0.0 or 127.0.0.1")
            })
        });
        let port = reader.or("PORT", 80, port);
        let metrics_port = reader.or("METRICS_PORT", 9100, self::port);
        let ttl = reader.or("CACHE_TTL", Duration::from_secs(60), ttl);
        let near = reader.or("NEAR_CACHE", false, switch);
        let workers = reader.or("WORKERS", default_workers(), workers);
        let access_log = reader.or("ACCESS_LOG", AccessLog::ON, AccessLog::parse);
        let version = reader.or(
            "SERVICE_VERSION",
            env!("CARGO_PKG_VERSION").to_owned(),
            version,
        );
        if let (Some(port), Some(metrics_port)) = (port, metrics_port)
            && port == metrics_port
            && port != 0
        {
            reader.problem(
                "METRICS_PORT",
                format!("is {port}, the same as PORT; choose another"),
            );
        }
        let parsed = (|| {
            Some(Self {
                address: SocketAddr::new(host?, port?),
                metrics_address: SocketAddr::new(host?, metrics_port?),
                redis: redis?,
                cache: Settings {
                    ttl: ttl?,
                    near: near?,
                },
                workers: workers?,
                access_log: access_log?,
                version: version?,
                base: base?,
            })
        })();
        reader.finish(parsed)
    }
}

impl BaseConfig {
    /// Parses what `migrate` and `seed` need, or names every problem.
    pub(crate) fn parse(environment: Environment<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(environment);
        let parsed = Self::read(&mut reader);
        reader.finish(parsed)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let database = Self::database(reader).map(Secret::new);
        let log_filter = reader.or(
            "RUST_LOG",
            Targets::new().with_default(LevelFilter::INFO),
            logging::filter,
        );
        Some(Self {
            database: database?,
            log_filter: log_filter?,
        })
    }

    fn database(reader: &mut Reader<'_>) -> Option<Database> {
        let (mut config, tls) = reader.store(&DATABASE, url::database)?;
        // Never asked for a handshake under `sslmode=disable`; if it were, it would trust nobody.
        let tls = tls.map_or_else(|| reader.client(&DATABASE, Ok(tls::no_roots())), Some)?;
        if let Some(password) = reader.secret(DATABASE_PASSWORD) {
            // Which of two is the stale one cannot be known here.
            if config.get_password().is_some_and(|held| !held.is_empty()) {
                let message =
                    "is set, and DATABASE_URL holds a password too; leave one of them out";
                reader.problem(DATABASE_PASSWORD, message.to_owned());
                return None;
            }
            config.password(password.reveal());
        }
        let tls = MakeRustlsConnect::new(tls);
        Some(Database { config, tls })
    }
}

const DATABASE: StoreVariables = StoreVariables {
    url: "DATABASE_URL",
    ca_file: None,
    bundle: "sslrootcert in the URL",
    ask: "sslmode=verify-full",
};

/// Each has connections of its own to both stores.
const MAX_WORKERS: usize = 64;

const DATABASE_PASSWORD: &str = "DATABASE_PASSWORD";

const REDIS: StoreVariables = StoreVariables {
    url: "REDIS_URL",
    ca_file: Some("REDIS_CA_FILE"),
    bundle: "REDIS_CA_FILE",
    ask: "rediss://",
};

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("is `{text}`, which is not a port between 0 and 65535"))
}

/// At least a second, which a read may take: an entry must outlive the readers that it overtakes.
fn ttl(text: &str) -> Result<Duration, String> {
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| (1..=86_400).contains(seconds));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| format!("is `{text}`, which is not a number of seconds from 1 to 86400"))
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("is `{text}`, which is neither `on` nor `off`")),
    }
}

fn workers(text: &str) -> Result<NonZeroUsize, String> {
    let workers = text.parse::<NonZeroUsize>().ok();
    workers
        .filter(|workers| workers.get() <= MAX_WORKERS)
        .ok_or_else(|| format!("is `{text}`, which is not a number from 1 to {MAX_WORKERS}"))
}

/// As many as there are cores that this process may use.
fn default_workers() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    cores.min(NonZeroUsize::MIN.saturating_add(MAX_WORKERS - 1))
}

fn version(text: &str) -> Result<String, String> {
    let fits = text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b));
    if fits {
        Ok(text.to_owned())
    } else {
        Err("is not a version: at most 64 letters, digits and `._+-`".to_owned())
    }
}
