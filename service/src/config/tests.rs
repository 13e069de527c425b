use std::os::unix::ffi::OsStringExt as _;

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
    assert_eq!(
        config.base.log_filter,
        Targets::new().with_default(LevelFilter::INFO)
    );
    assert_eq!(config.cache.ttl.as_secs(), 60);
    assert!(!config.cache.near);
    assert_eq!(
        config.workers,
        std::thread::available_parallelism().unwrap()
    );
}

#[test]
fn every_problem_is_named_at_once() {
    let problems = serve(&[
        ("PORT", "eighty"),
        ("METRICS_PORT", "70000"),
        ("HOST", "here"),
        ("SERVICE_VERSION", "1\r\n"),
        ("RUST_LOG", "loud"),
        ("CACHE_TTL", "0"),
        ("NEAR_CACHE", "maybe"),
        ("WORKERS", "0"),
        ("ACCESS_LOG", "maybe"),
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
            "CACHE_TTL",
            "NEAR_CACHE",
            "WORKERS",
            "ACCESS_LOG",
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
    let plain = format!("postgres://api:canary@db/api?sslrootcert={path}");
    let plain = [
        ("DATABASE_URL", plain.as_str()),
        REDIS,
        ("REDIS_CA_FILE", path),
    ];
    assert_eq!(
        serve(&plain).unwrap_err(),
        [
            "DATABASE_URL names an sslrootcert, but does not ask for TLS; add sslmode=verify-full, or leave it out",
            "REDIS_CA_FILE is set, but REDIS_URL does not ask for TLS; write rediss:// there, or unset this",
        ]
    );
    let verified = format!("postgres://api:canary@db/api?sslmode=verify-full&sslrootcert={path}");
    let verified = [
        ("DATABASE_URL", verified.as_str()),
        ("REDIS_URL", "rediss://:canary@cache"),
        ("REDIS_CA_FILE", path),
    ];
    let config = serve(&verified).unwrap();
    assert!(config.redis.reveal().tls.is_some());
    let shown = format!("{config:?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_bundle_is_checked_even_where_the_url_is_wrong() {
    let problems = serve(&[DATABASE, ("REDIS_CA_FILE", "/nowhere.pem")]).unwrap_err();
    let [url, bundle] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    assert_eq!(url, "REDIS_URL is not set and has no default");
    assert!(
        bundle.starts_with("REDIS_CA_FILE names /nowhere.pem"),
        "{bundle}"
    );
}

#[test]
fn the_password_may_be_a_variable_of_its_own() {
    // Whatever would mean something in a URL stands for itself.
    let password = "c#an%40ry:?&=+ ü";
    for url in ["postgres://api@db/api", "postgres://api:@db/api"] {
        let config = serve(&[
            ("DATABASE_URL", url),
            ("DATABASE_PASSWORD", password),
            REDIS,
        ])
        .unwrap();
        let database = &config.base.database.reveal().config;
        assert_eq!(database.get_user(), Some("api"));
        assert_eq!(database.get_password(), Some(password.as_bytes()));
        let shown = format!("{config:?} {database:?}");
        assert!(!shown.contains("an%40ry"), "{shown}");
    }
}

#[test]
fn a_password_need_not_be_text() {
    let bytes = OsString::from_vec(b"c\xff\xfe".to_vec());
    let config = BaseConfig::parse(&|name| match name {
        "DATABASE_URL" => Some("postgres://api@db/api".into()),
        "DATABASE_PASSWORD" => Some(bytes.clone()),
        _ => None,
    })
    .unwrap();
    let database = &config.database.reveal().config;
    assert_eq!(database.get_password(), Some(&b"c\xff\xfe"[..]));
}

#[test]
fn an_empty_password_is_none_and_two_are_refused() {
    let config = serve(&[DATABASE, ("DATABASE_PASSWORD", ""), REDIS]).unwrap();
    let database = &config.base.database.reveal().config;
    assert_eq!(database.get_password(), Some(&b"canary"[..]));
    for url in [DATABASE.1, "postgres://api@db/api?password=canary"] {
        let two = [
            ("DATABASE_URL", url),
            ("DATABASE_PASSWORD", "canary"),
            REDIS,
        ];
        assert_eq!(
            serve(&two).unwrap_err(),
            [
                "DATABASE_PASSWORD is set, and DATABASE_URL holds a password too; leave one of them out"
            ]
        );
    }
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
