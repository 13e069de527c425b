//! The stores' URLs, and whether they ask for TLS. There is verified TLS and there is plain text, and nothing between them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use bb8_redis::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};

/// What a URL names, and how it wants to be reached.
#[derive(Debug)]
pub(super) enum Asked<T> {
    Plain(T),
    /// With the bundle of CA certificates, if the URL names one.
    Verified(T, Option<PathBuf>),
}

const NO_DATABASE_URL: &str = "is not a PostgreSQL URL such as postgres://user:password@host:5432/database (the value is not shown, it may hold a password)";
const NO_REDIS_URL: &str = "is not a Redis URL such as redis://:password@host:6379/0 (the value is not shown, it may hold a password)";

/// `sslmode=verify-full` asks for TLS, `disable` or no `sslmode` for plain text. The modes between them are refused, and so is the
/// `key=value` form, in which a mode could hide. `sslrootcert` is a path, or `system` as in libpq.
pub(super) fn database(text: &str) -> Result<Asked<Config>, String> {
    let Parts {
        rest,
        verified,
        bundle,
    } = without_tls(text)?;
    let mut config = Config::from_str(&rest).map_err(|_| NO_DATABASE_URL.to_owned())?;
    if config.get_ssl_negotiation() == SslNegotiation::Direct {
        return Err("asks for sslnegotiation=direct, which is not supported; leave it out".into());
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err("names no host (the value is not shown)".to_owned());
    }
    if !verified {
        if bundle.is_some() {
            return Err(
                "names an sslrootcert, but does not ask for TLS; add sslmode=verify-full, or leave it out"
                    .to_owned(),
            );
        }
        config.ssl_mode(SslMode::Disable);
        return Ok(Asked::Plain(config));
    }
    let named = |host: &Host| matches!(host, Host::Tcp(_));
    if config.get_hosts().is_empty() || !config.get_hosts().iter().all(named) {
        return Err("asks for TLS but names no host to verify; use a host name".to_owned());
    }
    config.ssl_mode(SslMode::Require);
    let system = bundle.as_ref().is_some_and(|path| path == "system");
    Ok(Asked::Verified(
        config,
        bundle.filter(|_| !system).map(PathBuf::from),
    ))
}

/// `rediss://` asks for TLS, `redis://` for plain text (`valkeys://` and `valkey://` likewise).
pub(super) fn redis(text: &str) -> Result<Asked<ConnectionInfo>, String> {
    let malformed = || NO_REDIS_URL.to_owned();
    let (scheme, rest) = text.split_once(':').ok_or_else(malformed)?;
    let verified = ["rediss", "valkeys"]
        .iter()
        .any(|tls| scheme.eq_ignore_ascii_case(tls));
    if verified && rest.contains('#') {
        return Err("has a #fragment such as #insecure; the server is always verified".to_owned());
    }
    // TLS is ours to add; the client library is built without it.
    let plain = format!("redis:{rest}");
    let info = if verified { plain.as_str() } else { text }
        .into_connection_info()
        .map_err(|_| malformed())?;
    match info.addr() {
        ConnectionAddr::Tcp(..) if verified => Ok(Asked::Verified(info, None)),
        ConnectionAddr::Tcp(..) => Ok(Asked::Plain(info)),
        ConnectionAddr::TcpTls { .. } | ConnectionAddr::Unix(_) | _ => Err(malformed()),
    }
}

/// A PostgreSQL URL taken apart.
#[derive(Default)]
struct Parts {
    /// What the parser understands.
    rest: String,
    /// Whether `sslmode` is `verify-full`.
    verified: bool,
    /// `sslrootcert`, decoded.
    bundle: Option<OsString>,
}

/// Takes what is said about TLS out of the URL: the parser knows neither `verify-…` nor `sslrootcert`.
fn without_tls(text: &str) -> Result<Parts, String> {
    let malformed = || NO_DATABASE_URL.to_owned();
    let scheme = ["postgres://", "postgresql://"];
    if !scheme.iter().any(|scheme| text.starts_with(scheme)) {
        return Err(malformed());
    }
    // As the parser does it: credentials end at the first `@`, so a `?` before it belongs to the password.
    let credentials = text.find('@').unwrap_or(0);
    let (before, after) = text.split_at(credentials);
    let Some((address, query)) = after.split_once('?') else {
        return Ok(Parts {
            rest: text.to_owned(),
            ..Parts::default()
        });
    };
    let mut mode = None;
    let mut bundle = None;
    let mut others = Vec::new();
    for parameter in query.split('&') {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match key {
            "sslmode" if mode.is_some() => return Err("names sslmode twice".to_owned()),
            "sslmode" => mode = Some(value),
            "sslrootcert" if bundle.is_some() => return Err("names sslrootcert twice".to_owned()),
            "sslrootcert" if value.is_empty() => {
                return Err(
                    "has an sslrootcert without a path; name the file, or leave it out".to_owned(),
                );
            }
            "sslrootcert" => {
                bundle = Some(OsString::from_vec(percent_decode_str(value).collect()));
            }
            // An encoded `sslmode` would get past us to the parser.
            _ if key.contains('%') => return Err(malformed()),
            _ => others.push(parameter),
        }
    }
    let verified = match mode {
        None => false,
        Some(mode) => is_verified(mode)?,
    };
    let others = others.join("&");
    let mark = if others.is_empty() { "" } else { "?" };
    Ok(Parts {
        rest: format!("{before}{address}{mark}{others}"),
        verified,
        bundle,
    })
}

/// <https://www.postgresql.org/docs/17/libpq-ssl.html#LIBPQ-SSL-PROTECTION>
fn is_verified(mode: &str) -> Result<bool, String> {
    let weakness = match mode {
        "verify-full" => return Ok(true),
        "disable" => return Ok(false),
        "allow" | "prefer" => "may fall back to plain text",
        "require" => "does not verify the server",
        "verify-ca" => "does not verify the server's name",
        _ => return Err("has an sslmode that is neither verify-full nor disable".to_owned()),
    };
    Err(format!(
        "asks for sslmode={mode}, which {weakness}; use verify-full, or disable for plain text"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The port tells whether what surrounds `sslmode` is still understood.
    fn database_says(text: &str) -> Result<(bool, Vec<u16>), String> {
        database(text).map(|asked| match asked {
            Asked::Plain(config) => {
                assert_eq!(config.get_ssl_mode(), SslMode::Disable);
                (false, config.get_ports().to_vec())
            }
            Asked::Verified(config, _) => {
                assert_eq!(config.get_ssl_mode(), SslMode::Require);
                (true, config.get_ports().to_vec())
            }
        })
    }

    #[test]
    fn the_database_is_verified_or_plain() {
        for (query, verified) in [
            ("", false),
            ("?sslmode=disable", false),
            ("?sslmode=verify-full", true),
            ("?connect_timeout=2&sslmode=verify-full", true),
            ("?sslmode=verify-full&channel_binding=require", true),
            ("?sslmode=verify-full&sslrootcert=/rds.pem", true),
        ] {
            let url = format!("postgresql://api:canary@db:6543/api{query}");
            assert_eq!(database_says(&url), Ok((verified, vec![6543])), "{query}");
        }
    }

    #[test]
    fn the_bundle_is_in_the_url() {
        for (query, bundle) in [
            ("sslmode=verify-full", None),
            ("sslmode=verify-full&sslrootcert=system", None),
            ("sslmode=verify-full&sslrootcert=/rds.pem", Some("/rds.pem")),
            (
                "sslrootcert=%2Fa%20b.pem&sslmode=verify-full",
                Some("/a b.pem"),
            ),
        ] {
            let Ok(Asked::Verified(_, found)) = database(&format!("postgres://db/api?{query}"))
            else {
                panic!("{query}");
            };
            assert_eq!(found, bundle.map(PathBuf::from), "{query}");
        }
    }

    #[test]
    fn a_password_may_look_like_a_query() {
        let url = "postgres://api:a?sslmode=verify-full@db:6543/api";
        assert_eq!(database_says(url), Ok((false, vec![6543])));
        let Ok(Asked::Plain(config)) = database(url) else {
            panic!("refused");
        };
        assert_eq!(config.get_password(), Some(&b"a?sslmode=verify-full"[..]));
    }

    #[test]
    fn weaker_modes_are_refused_not_downgraded() {
        for (query, message) in [
            (
                "sslmode=prefer",
                "asks for sslmode=prefer, which may fall back to plain text; use verify-full, or disable for plain text",
            ),
            (
                "sslmode=require",
                "asks for sslmode=require, which does not verify the server; use verify-full, or disable for plain text",
            ),
            (
                "sslmode=verify-ca",
                "asks for sslmode=verify-ca, which does not verify the server's name; use verify-full, or disable for plain text",
            ),
            (
                "sslmode=canary",
                "has an sslmode that is neither verify-full nor disable",
            ),
            (
                "sslmode",
                "has an sslmode that is neither verify-full nor disable",
            ),
            ("sslmode=disable&sslmode=verify-full", "names sslmode twice"),
            ("ssl%6dode=require", NO_DATABASE_URL),
            (
                "sslrootcert=/rds.pem",
                "names an sslrootcert, but does not ask for TLS; add sslmode=verify-full, or leave it out",
            ),
            (
                "sslmode=verify-full&sslrootcert=",
                "has an sslrootcert without a path; name the file, or leave it out",
            ),
            (
                "sslrootcert=/a&sslrootcert=/b&sslmode=verify-full",
                "names sslrootcert twice",
            ),
            (
                "sslmode=verify-full&sslnegotiation=direct",
                "asks for sslnegotiation=direct, which is not supported; leave it out",
            ),
        ] {
            let url = format!("postgres://api:canary@db/api?{query}");
            assert_eq!(database_says(&url), Err(message.to_owned()), "{query}");
        }
        for form in ["sslmode=require", "sslmode=verify-full", "sslmode=prefer"] {
            let pairs = format!("host=db user=api password=canary {form}");
            assert_eq!(database_says(&pairs), Err(NO_DATABASE_URL.to_owned()));
        }
    }

    #[test]
    fn a_socket_has_no_name_to_verify() {
        let url = "postgres://api:canary@%2Frun%2Fpostgresql/api?sslmode=verify-full";
        assert_eq!(
            database_says(url),
            Err("asks for TLS but names no host to verify; use a host name".to_owned())
        );
    }

    #[test]
    fn redis_is_verified_or_plain() {
        for scheme in ["rediss", "REDISS", "valkeys"] {
            let Ok(Asked::Verified(info, None)) = redis(&format!("{scheme}://:canary@cache:7/2"))
            else {
                panic!("{scheme}");
            };
            assert!(matches!(info.addr(), ConnectionAddr::Tcp(host, 7) if host == "cache"));
            assert_eq!(info.redis_settings().db(), 2);
        }
        assert!(matches!(redis("redis://cache"), Ok(Asked::Plain(_))));
        assert_eq!(
            redis("rediss://:canary@cache/#insecure").unwrap_err(),
            "has a #fragment such as #insecure; the server is always verified"
        );
    }
}
