//! The configuration, as a pure parse of an injected environment.
//!
//! Every problem is collected, so that one run shows all of them. A URL's value is never part of a message: it may hold a password.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use bb8_redis::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tracing_subscriber::EnvFilter;

use crate::secret::Secret;

/// Looks a variable up; `std::env::var_os` outside tests.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What serving needs.
#[derive(Debug)]
pub(crate) struct ServeConfig {
    pub(crate) address: SocketAddr,
    pub(crate) metrics_address: SocketAddr,
    pub(crate) redis: Secret<ConnectionInfo>,
    /// Fit for a `Server` header and a metric label.
    pub(crate) version: String,
    pub(crate) base: BaseConfig,
}

/// What every command that touches the database needs.
#[derive(Debug)]
pub(crate) struct BaseConfig {
    pub(crate) database: Secret<tokio_postgres::Config>,
    /// A filter that `EnvFilter` has accepted.
    pub(crate) log_filter: String,
}

/// One variable that is missing or malformed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {message}")]
pub(crate) struct Problem {
    variable: &'static str,
    message: String,
}

impl ServeConfig {
    /// Parses everything that serving needs, or names every problem.
    pub(crate) fn parse(environment: Environment<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(environment);
        let base = BaseConfig::read(&mut reader);
        let redis = reader.required("REDIS_URL", redis_url);
        let host = reader.or("HOST", IpAddr::V4(Ipv4Addr::UNSPECIFIED), |text| {
            text.parse().map_err(|_| {
                format!("is `{text}`, which is not an IP address such as 0.0.0.0 or 127.0.0.1")
            })
        });
        let port = reader.or("PORT", 80, port);
        let metrics_port = reader.or("METRICS_PORT", 9100, self::port);
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
        let database = reader.required("DATABASE_URL", database_url);
        let log_filter = reader.or("RUST_LOG", "info".to_owned(), |text| {
            EnvFilter::try_new(text)
                .map(|_| text.to_owned())
                .map_err(|error| format!("is not a log filter ({error}); try `info`"))
        });
        Some(Self {
            database: database?,
            log_filter: log_filter?,
        })
    }
}

struct Reader<'a> {
    environment: Environment<'a>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    const fn new(environment: Environment<'a>) -> Self {
        Self {
            environment,
            problems: Vec::new(),
        }
    }

    fn required<T>(
        &mut self,
        variable: &'static str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.text(variable)? {
            Some(text) => self.parsed(variable, parse(&text)),
            None => {
                self.problem(variable, "is not set and has no default".to_owned());
                None
            }
        }
    }

    fn or<T>(
        &mut self,
        variable: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.text(variable)? {
            Some(text) => self.parsed(variable, parse(&text)),
            None => Some(default),
        }
    }

    /// An empty variable counts as unset; `None` when the value is not UTF-8, which is then reported.
    fn text(&mut self, variable: &'static str) -> Option<Option<String>> {
        match (self.environment)(variable).map(OsString::into_string) {
            None => Some(None),
            Some(Ok(text)) => Some(Some(text).filter(|text| !text.is_empty())),
            Some(Err(_)) => {
                self.problem(variable, "is not UTF-8".to_owned());
                None
            }
        }
    }

    fn parsed<T>(&mut self, variable: &'static str, result: Result<T, String>) -> Option<T> {
        result
            .map_err(|message| self.problem(variable, message))
            .ok()
    }

    fn problem(&mut self, variable: &'static str, message: String) {
        self.problems.push(Problem { variable, message });
    }

    fn finish<T>(self, parsed: Option<T>) -> Result<T, Vec<Problem>> {
        match parsed {
            Some(value) if self.problems.is_empty() => Ok(value),
            Some(_) | None => Err(self.problems),
        }
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("is `{text}`, which is not a port between 0 and 65535"))
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

const NO_TLS: &str = "asks for TLS, which this build does not speak";

fn database_url(text: &str) -> Result<Secret<tokio_postgres::Config>, String> {
    // The parser knows no `verify-…` modes; without this they would read as a mere typing error.
    if text.contains("sslmode=verify-") {
        return Err(format!("{NO_TLS}; use sslmode=disable"));
    }
    let config = tokio_postgres::Config::from_str(text).map_err(|_| {
        "is not a PostgreSQL URL such as postgres://user:password@host:5432/database (the value is not shown, it may hold a password)".to_owned()
    })?;
    if config.get_ssl_mode() == SslMode::Require
        || config.get_ssl_negotiation() == SslNegotiation::Direct
    {
        return Err(format!("{NO_TLS}; use sslmode=disable"));
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err("names no host (the value is not shown)".to_owned());
    }
    Ok(Secret::new(config))
}

fn redis_url(text: &str) -> Result<Secret<ConnectionInfo>, String> {
    let scheme = text.split(':').next().unwrap_or_default();
    if matches!(scheme, "rediss" | "valkeys") {
        return Err(format!("{NO_TLS}; use redis://"));
    }
    let malformed = "is not a Redis URL such as redis://:password@host:6379/0 (the value is not shown, it may hold a password)";
    let info = text
        .into_connection_info()
        .map_err(|_| malformed.to_owned())?;
    match info.addr() {
        ConnectionAddr::Tcp(..) => Ok(Secret::new(info)),
        ConnectionAddr::TcpTls { .. } => Err(format!("{NO_TLS}; use redis://")),
        ConnectionAddr::Unix(_) | _ => Err(malformed.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(variables: &[(&str, &str)]) -> Result<ServeConfig, Vec<String>> {
        ServeConfig::parse(&|name| {
            variables
                .iter()
                .find(|(variable, _)| *variable == name)
                .map(|(_, value)| value.into())
        })
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    const DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://api:canary@db:5432/api");
    const REDIS: (&str, &str) = ("REDIS_URL", "redis://:canary@cache:6379/0");

    #[test]
    fn defaults_are_those_documented() {
        let config = serve(&[DATABASE, REDIS, ("PORT", "")]).unwrap();
        assert_eq!(config.address.to_string(), "0.0.0.0:80");
        assert_eq!(config.metrics_address.to_string(), "0.0.0.0:9100");
        assert_eq!(config.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(config.base.log_filter, "info");
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let problems = serve(&[
            ("PORT", "eighty"),
            ("METRICS_PORT", "70000"),
            ("HOST", "here"),
            ("SERVICE_VERSION", "1\r\n"),
            ("RUST_LOG", "a=b=c"),
        ])
        .unwrap_err();
        let names: Vec<_> = problems
            .iter()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(
            names,
            [
                "DATABASE_URL",
                "RUST_LOG",
                "REDIS_URL",
                "HOST",
                "PORT",
                "METRICS_PORT",
                "SERVICE_VERSION"
            ]
        );
        assert!(
            problems.iter().all(|line| !line.contains('\n')),
            "{problems:?}"
        );
    }

    #[test]
    fn tls_is_refused_not_downgraded() {
        for url in [
            "postgres://a:canary@h/d?sslmode=require",
            "postgres://a:canary@h/d?sslmode=verify-full",
            "host=h user=a password=canary sslmode=require",
        ] {
            let problems = serve(&[("DATABASE_URL", url), REDIS]).unwrap_err();
            assert_eq!(
                problems,
                ["DATABASE_URL asks for TLS, which this build does not speak; use sslmode=disable"]
            );
        }
        let problems = serve(&[DATABASE, ("REDIS_URL", "rediss://:canary@h")]).unwrap_err();
        assert_eq!(
            problems,
            ["REDIS_URL asks for TLS, which this build does not speak; use redis://"]
        );
    }

    #[test]
    fn a_malformed_url_is_never_shown() {
        for url in [
            "canary",
            "postgres://canary:canary@:x/",
            "http://canary@h",
            "unix:///canary",
        ] {
            let problems = serve(&[("DATABASE_URL", url), ("REDIS_URL", url)]).unwrap_err();
            assert_eq!(problems.len(), 2, "{problems:?}");
            assert!(
                !problems.iter().any(|line| line.contains("canary")),
                "{problems:?}"
            );
        }
        let shown = format!("{:?}", serve(&[DATABASE, REDIS]).unwrap());
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn equal_ports_are_refused_unless_free_ones_are_asked_for() {
        let equal = [DATABASE, REDIS, ("PORT", "9"), ("METRICS_PORT", "9")];
        assert_eq!(
            serve(&equal).unwrap_err(),
            ["METRICS_PORT is 9, the same as PORT; choose another"]
        );
        assert!(serve(&[DATABASE, REDIS, ("PORT", "0"), ("METRICS_PORT", "0")]).is_ok());
    }
}
