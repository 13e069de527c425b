//! The configuration, parsed from an injected environment. Bundles of CA certificates, which some variables name, are read here too.
//!
//! Every problem is collected, so that one run shows all of them. A URL's value is never part of a message: it may hold a password.

mod url;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use bb8_redis::redis::ConnectionInfo;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing_subscriber::EnvFilter;

use self::url::Asked;
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
    /// Fit for a `Server` header and a metric label.
    pub(crate) version: String,
    pub(crate) base: BaseConfig,
}

/// What every command that touches the database needs.
#[derive(Debug)]
pub(crate) struct BaseConfig {
    pub(crate) database: Secret<Database>,
    /// A filter that `EnvFilter` has accepted.
    pub(crate) log_filter: String,
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
        let database = reader
            .store(&DATABASE, url::database)
            .and_then(|(config, tls)| {
                // Never asked for a handshake under `sslmode=disable`; if it were, it would trust nobody.
                let tls =
                    tls.map_or_else(|| reader.client(&DATABASE, Ok(tls::no_roots())), Some)?;
                let tls = MakeRustlsConnect::new(tls);
                Some(Secret::new(Database { config, tls }))
            });
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

/// The variables of a store.
struct StoreVariables {
    url: &'static str,
    ca_file: &'static str,
    /// What turns TLS on.
    ask: &'static str,
}

const DATABASE: StoreVariables = StoreVariables {
    url: "DATABASE_URL",
    ca_file: "DATABASE_CA_FILE",
    ask: "sslmode=verify-full",
};

const REDIS: StoreVariables = StoreVariables {
    url: "REDIS_URL",
    ca_file: "REDIS_CA_FILE",
    ask: "rediss://",
};

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

    /// A store's URL, and the TLS client if it asks for TLS.
    fn store<T>(
        &mut self,
        names: &StoreVariables,
        parse: fn(&str) -> Result<Asked<T>, String>,
    ) -> Option<(T, Option<ClientConfig>)> {
        let url = self.required(names.url, parse);
        // Read even when the URL is wrong, so that its problems are said in the same run.
        let roots = self.text(names.ca_file)?.map(|path| {
            tls::bundle(Path::new(&path)).map_err(|error| (names.ca_file, error.to_string()))
        });
        if url.is_none()
            && let Some(Err((variable, message))) = roots
        {
            self.problem(variable, message);
            return None;
        }
        match (url?, roots) {
            (Asked::Verified(target), roots) => {
                let roots = roots.unwrap_or_else(|| self.system_roots(names));
                Some((target, Some(self.client(names, roots)?)))
            }
            (Asked::Plain(target), None) => Some((target, None)),
            (Asked::Plain(_), Some(_)) => {
                let message = format!(
                    "is set, but {} does not ask for TLS; write {} there, or unset this",
                    names.url, names.ask
                );
                self.problem(names.ca_file, message);
                None
            }
        }
    }

    fn system_roots(
        &self,
        names: &StoreVariables,
    ) -> Result<RootCertStore, (&'static str, String)> {
        tls::system().map_err(|error| {
            let configured = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
                .into_iter()
                .find(|name| (self.environment)(name).is_some());
            let remedy = format!("{error}; correct it or set {}", names.ca_file);
            match configured {
                Some(variable) => (variable, format!("does not help {}: {remedy}", names.url)),
                None => (names.url, format!("asks for TLS, but {remedy}")),
            }
        })
    }

    fn client(
        &mut self,
        names: &StoreVariables,
        roots: Result<RootCertStore, (&'static str, String)>,
    ) -> Option<ClientConfig> {
        roots
            .and_then(|roots| {
                tls::client(roots).map_err(|error| (names.url, format!("cannot use TLS: {error}")))
            })
            .map_err(|(variable, message)| self.problem(variable, message))
            .ok()
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
    fn a_bundle_that_nothing_would_use_is_refused() {
        let bundle = tempfile::NamedTempFile::new().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let ca = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        std::fs::write(bundle.path(), ca.pem()).unwrap();
        let path = bundle.path().to_str().unwrap();
        let plain = [
            DATABASE,
            REDIS,
            ("DATABASE_CA_FILE", path),
            ("REDIS_CA_FILE", path),
        ];
        assert_eq!(
            serve(&plain).unwrap_err(),
            [
                "DATABASE_CA_FILE is set, but DATABASE_URL does not ask for TLS; write sslmode=verify-full there, or unset this",
                "REDIS_CA_FILE is set, but REDIS_URL does not ask for TLS; write rediss:// there, or unset this",
            ]
        );
        let verified = [
            (
                "DATABASE_URL",
                "postgres://api:canary@db/api?sslmode=verify-full",
            ),
            ("REDIS_URL", "rediss://:canary@cache"),
            ("DATABASE_CA_FILE", path),
            ("REDIS_CA_FILE", path),
        ];
        let config = serve(&verified).unwrap();
        assert!(config.redis.reveal().tls.is_some());
        let shown = format!("{config:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_bundle_is_checked_even_where_the_url_is_wrong() {
        let problems = serve(&[("DATABASE_CA_FILE", "/nowhere.pem"), REDIS]).unwrap_err();
        let [url, bundle] = problems.as_slice() else {
            panic!("{problems:?}");
        };
        assert_eq!(url, "DATABASE_URL is not set and has no default");
        assert!(
            bundle.starts_with("DATABASE_CA_FILE names /nowhere.pem"),
            "{bundle}"
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
