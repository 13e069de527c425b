//! The stores over TLS: verified or not at all.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{
    Api, Authority, Database, Ended, PostgresServer, Process, RedisServer, Validity, eventually,
    get, run_to_end,
};

/// Waits until the log says why a store cannot be reached. Keeps asking for the stores, because only that makes the pools try again.
async fn complained(api: &mut Api, store: &str, why: &str) {
    let address = api.address;
    let asking = async {
        loop {
            get(address, "/ready").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let line = tokio::select! {
        line = api.complained("cannot connect; will try again", why) => line,
        () = asking => unreachable!(),
    };
    assert_eq!(line["store"], store);
}

/// The same URL, with the bundle to trust in it.
fn trusting(url: &str, bundle: &str) -> String {
    format!("{url}&sslrootcert={bundle}")
}

/// Both stores with a certificate for `localhost`, unless a test says otherwise.
async fn stores(authority: &Authority, name: &str) -> (PostgresServer, RedisServer) {
    let certificate = authority.issue(name, Validity::Now);
    tokio::join!(
        PostgresServer::start_tls(name, &certificate),
        RedisServer::start_tls(name, &certificate)
    )
}

/// Everything that is said about a store while the log is as talkative as it can be.
fn silent_about_the_password(ended: &Ended) {
    let shown = [ended.stdout.clone(), ended.stderr.clone()]
        .concat()
        .join("\n");
    assert!(!shown.contains("canary"), "{shown}");
}

async fn cached(api: &Api) {
    eventually("a hit", async || {
        let answer = get(api.address, "/items/1").await;
        let hit = answer.header("cache-status").starts_with("api; hit");
        (answer.status == StatusCode::OK && hit).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_command_speaks_tls_and_comes_back_after_a_restart() {
    let authority = Authority::new();
    let bundle = authority.bundle();
    let (mut postgres, mut redis) = stores(&authority, "localhost").await;
    let database = trusting(&postgres.url, &bundle);
    let variables = [
        ("DATABASE_URL", database.as_str()),
        ("REDIS_URL", &redis.url),
        ("REDIS_CA_FILE", &bundle),
        ("RUST_LOG", "trace"),
    ];
    for command in [&["migrate"][..], &["seed", "10"]] {
        let ended = run_to_end(command, &variables).await;
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        silent_about_the_password(&ended);
    }
    let api = Api::start_with(&variables).await;
    cached(&api).await;
    let ready = get(api.address, "/ready").await;
    assert_eq!(ready.status, StatusCode::OK, "{ready:?}");

    postgres.kill().await;
    redis.kill().await;
    tokio::join!(postgres.restart(), redis.restart());
    eventually("both stores", async || {
        let ready = get(api.address, "/ready").await;
        (ready.status == StatusCode::OK).then_some(())
    })
    .await;
    cached(&api).await;
    let ended = api.terminate().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    silent_about_the_password(&ended);
}

/// As in an image whose only CA certificates are a file; the stores are named by their address here.
#[tokio::test]
async fn the_systems_certificates_serve_where_no_bundle_is_named() {
    let authority = Authority::new();
    let bundle = authority.bundle();
    let (postgres, redis) = stores(&authority, "127.0.0.1").await;
    let seeded = run_to_end(
        &["seed", "10"],
        &[("DATABASE_URL", &postgres.url), ("SSL_CERT_FILE", &bundle)],
    )
    .await;
    assert_eq!(seeded.status.code(), Some(0), "{seeded:?}");
    let api = Api::start_with(&[
        ("DATABASE_URL", &postgres.url),
        ("REDIS_URL", &redis.url),
        ("SSL_CERT_FILE", &bundle),
    ])
    .await;
    cached(&api).await;
}

/// The password's proof is bound to the certificate (SCRAM-SHA-256-PLUS), so whoever sits in between with another certificate cannot use it.
#[tokio::test]
async fn channel_binding_can_be_required() {
    let authority = Authority::new();
    let certificate = authority.issue("localhost", Validity::Now);
    let postgres = PostgresServer::start_tls("localhost", &certificate).await;
    let url = format!("{}&channel_binding=require", postgres.url);
    let url = trusting(&url, &authority.bundle());
    let ended = run_to_end(&["migrate"], &[("DATABASE_URL", &url)]).await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

/// What is wrong with a certificate, and how the log says so.
struct Flaw {
    name: &'static str,
    validity: Validity,
    trusted: bool,
    said: &'static str,
}

const FLAWS: [Flaw; 3] = [
    Flaw {
        name: "localhost",
        validity: Validity::Now,
        trusted: false,
        said: "UnknownIssuer",
    },
    Flaw {
        name: "elsewhere.example",
        validity: Validity::Now,
        trusted: true,
        said: "not valid for name \"localhost\"",
    },
    Flaw {
        name: "localhost",
        validity: Validity::LongAgo,
        trusted: true,
        said: "certificate expired",
    },
];

#[tokio::test]
async fn a_database_that_does_not_verify_is_refused_at_once() {
    for flaw in FLAWS {
        let (authority, other) = (Authority::new(), Authority::new());
        let certificate = authority.issue(flaw.name, flaw.validity);
        let postgres = PostgresServer::start_tls("localhost", &certificate).await;
        let trusted = if flaw.trusted { &authority } else { &other };
        let url = trusting(&postgres.url, &trusted.bundle());
        let variables = [("DATABASE_URL", url.as_str()), ("RUST_LOG", "trace")];
        let started = Instant::now();
        let ended = run_to_end(&["migrate"], &variables).await;
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(started.elapsed() < Duration::from_secs(20), "{ended:?}");
        let last: Value = serde_json::from_str(ended.stdout.last().unwrap()).unwrap();
        let error = last["error"].as_str().unwrap();
        assert!(
            error.contains("PostgreSQL's certificate does not verify"),
            "{error}"
        );
        assert!(error.contains(flaw.said), "{error}");
        silent_about_the_password(&ended);
    }
}

/// The pool verifies as well as the migration before it did.
#[tokio::test]
async fn a_database_that_becomes_another_one_is_not_used() {
    let (authority, other) = (Authority::new(), Authority::new());
    let bundle = authority.bundle();
    let (mut postgres, redis) = stores(&authority, "localhost").await;
    let mut api = Api::start_with(&[
        ("DATABASE_URL", trusting(&postgres.url, &bundle).as_str()),
        ("REDIS_URL", &redis.url),
        ("REDIS_CA_FILE", &bundle),
        ("RUST_LOG", "trace"),
    ])
    .await;
    postgres.kill().await;
    postgres
        .restart_as(&other.issue("localhost", Validity::Now))
        .await;
    let answer = get(api.address, "/items/1").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    complained(&mut api, "PostgreSQL", "UnknownIssuer").await;

    postgres.kill().await;
    postgres
        .restart_as(&authority.issue("localhost", Validity::Now))
        .await;
    eventually("the database", async || {
        let ready = get(api.address, "/ready").await;
        (ready.status == StatusCode::OK).then_some(())
    })
    .await;
    silent_about_the_password(&api.terminate().await);
}

#[tokio::test]
async fn a_cache_that_does_not_verify_is_not_used() {
    let database = Database::create().await;
    for flaw in FLAWS {
        let (authority, other) = (Authority::new(), Authority::new());
        let certificate = authority.issue(flaw.name, flaw.validity);
        let redis = RedisServer::start_tls("localhost", &certificate).await;
        let trusted = if flaw.trusted { &authority } else { &other };
        refused_cache(&database.url, &redis.url, &trusted.bundle(), flaw.said).await;
    }
}

/// Starts with a Redis that cannot be used, and waits until the log says why.
async fn refused_cache(database: &str, redis: &str, bundle: &str, why: &str) {
    let mut api = Api::start_with(&[
        ("DATABASE_URL", database),
        ("REDIS_URL", redis),
        ("REDIS_CA_FILE", bundle),
        ("RUST_LOG", "trace"),
    ])
    .await;
    complained(&mut api, "Redis", why).await;
    let ready = get(api.address, "/ready").await.json();
    let dependencies = &ready["dependencies"];
    assert_eq!(dependencies["redis"]["status"], "unavailable");
    assert_eq!(dependencies["postgresql"]["status"], "ok");
    silent_about_the_password(&api.terminate().await);
}

/// Waits for the database with TLS, and returns why the log says so.
async fn awaited_database(url: &str, bundle: &str) -> String {
    let url = trusting(url, bundle);
    let variables = [
        ("DATABASE_URL", url.as_str()),
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("RUST_LOG", "trace"),
    ];
    let mut waiting = Process::start(&[], &variables);
    let line = waiting.logged("waiting for PostgreSQL").await;
    waiting.signal(Signal::SIGTERM);
    silent_about_the_password(&waiting.ended().await);
    line["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_server_without_tls_is_not_used() {
    let bundle = Authority::new();
    let postgres = PostgresServer::start().await;
    let plain = postgres
        .url
        .replace("sslmode=disable", "sslmode=verify-full");
    let said = awaited_database(&plain, &bundle.bundle()).await;
    assert!(said.contains("server does not support TLS"), "{said}");

    let database = Database::create().await;
    let redis = RedisServer::start().await;
    let url = redis.url.replace("redis://", "rediss://:canary@");
    let why = "is the server's TLS on?";
    refused_cache(&database.url, &url, &bundle.bundle(), why).await;
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_at_its_deadline() {
    let bundle = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(tokio::spawn(agree_and_hang(stream)));
        }
    });

    let url = format!("postgres://api:canary@localhost:{port}/api?sslmode=verify-full");
    let said = awaited_database(&url, &bundle.bundle()).await;
    assert_eq!(said, "no connection within 3s");

    let database = Database::create().await;
    let url = format!("rediss://:canary@localhost:{port}");
    let why = "no answer within 400ms";
    refused_cache(&database.url, &url, &bundle.bundle(), why).await;
}

/// Answers PostgreSQL's request for TLS, says nothing more, and keeps the connection until the other side leaves it.
async fn agree_and_hang(mut stream: TcpStream) {
    let mut request = [0; 8];
    let ssl_request = [0, 0, 0, 8, 4, 210, 22, 47];
    if stream.read_exact(&mut request).await.is_ok() && request == ssl_request {
        stream.write_all(b"S").await.unwrap();
    }
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn a_bundle_that_cannot_be_used_is_said_at_the_start() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let empty = empty.path().to_str().unwrap();
    let ended = run_to_end(
        &[],
        &[
            (
                "DATABASE_URL",
                "postgres://api:canary@db/api?sslmode=verify-full&sslrootcert=/nowhere.pem",
            ),
            ("REDIS_URL", "rediss://:canary@cache"),
            ("REDIS_CA_FILE", empty),
        ],
    )
    .await;
    assert_eq!(ended.status.code(), Some(64), "{ended:?}");
    assert_eq!(
        ended.stderr,
        [
            "error: DATABASE_URL names /nowhere.pem, which cannot be read: No such file or directory (os error 2)".to_owned(),
            format!("error: REDIS_CA_FILE names {empty}, which has no PEM certificate (-----BEGIN CERTIFICATE-----)"),
        ]
    );
    let ended = run_to_end(
        &["migrate"],
        &[
            (
                "DATABASE_URL",
                "postgres://api:canary@db/api?sslmode=verify-full",
            ),
            ("SSL_CERT_FILE", "/nowhere.pem"),
        ],
    )
    .await;
    assert_eq!(ended.status.code(), Some(64), "{ended:?}");
    let [line] = ended.stderr.as_slice() else {
        panic!("{ended:?}");
    };
    assert!(
        line.starts_with("error: SSL_CERT_FILE does not help DATABASE_URL: "),
        "{line}"
    );
    assert!(line.ends_with("set sslrootcert in the URL"), "{line}");
    silent_about_the_password(&ended);
}
