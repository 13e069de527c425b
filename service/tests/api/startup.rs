//! Arguments, environment, migrations, and the secrets that must not get out.

use hyper::StatusCode;
use nix::sys::signal::Signal;

use crate::harness::{
    Api, Database, Process, RedisDatabase, eventually, free_port, get, run_to_end,
};

#[tokio::test]
async fn two_processes_that_start_at_once_migrate_once() {
    let database = Database::create().await;
    let redis = RedisDatabase::take().await;
    let (one, two) = tokio::join!(
        Api::start(&database.url, &redis.url),
        Api::start(&database.url, &redis.url)
    );
    for api in [&one, &two] {
        assert_eq!(get(api.address, "/items").await.status, StatusCode::OK);
    }
    let client = database.connect().await;
    let applied = "SELECT count(*) FROM refinery_schema_history";
    let row = client.query_one(applied, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}

/// Another process migrates a new database meanwhile; what it is about to make is not needed to connect.
#[tokio::test]
async fn it_connects_beside_migrating_and_serves_after_it() {
    let database = Database::create().await;
    let redis = RedisDatabase::take().await;
    let other = database.connect().await;
    let lock = "SELECT pg_advisory_lock(6385769)";
    other.batch_execute(lock).await.unwrap();
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("REDIS_URL", &redis.url),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("METRICS_PORT", "0"),
        ("WORKERS", "2"),
    ];
    let mut process = Process::start(&[], &variables);
    let connected = "SELECT count(*) FROM pg_stat_activity
                     WHERE application_name = 'api' AND datname = current_database()";
    eventually("a connection for the readers of each worker", async || {
        let row = other.query_one(connected, &[]).await.unwrap();
        (row.get::<_, i64>(0) == 2).then_some(())
    })
    .await;
    assert!(!process.has_logged("listening"));

    other
        .batch_execute("SELECT pg_advisory_unlock_all()")
        .await
        .unwrap();
    let listening = process.logged("listening").await;
    let address = listening["address"].as_str().unwrap().parse().unwrap();
    let unknown = get(address, "/items/1").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{unknown:?}");
}

#[tokio::test]
async fn two_seeders_at_once_seed_once() {
    let database = Database::create().await;
    let seed = || async {
        let ended = run_to_end(&["seed", "100"], &[("DATABASE_URL", &database.url)]).await;
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        ended.stdout.join("\n")
    };
    let (one, two) = tokio::join!(seed(), seed());
    let said = [one, two].join("\n");
    assert_eq!(said.matches("seeded the empty table").count(), 1, "{said}");
    assert_eq!(said.matches("nothing was inserted").count(), 1, "{said}");
    let client = database.connect().await;
    let row = client
        .query_one("SELECT count(*), min(id), max(id) FROM items", &[])
        .await
        .unwrap();
    let found: (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(found, (100, 1, 100));
}

#[tokio::test]
async fn a_schema_of_a_newer_version_does_not_stop_an_older_one() {
    let database = Database::create().await;
    let variables = [("DATABASE_URL", database.url.as_str())];
    let migrate = || run_to_end(&["migrate"], &variables);
    assert!(migrate().await.status.success());
    let client = database.connect().await;
    let newer = "INSERT INTO refinery_schema_history
                 SELECT 999, 'newer', applied_on, '1' FROM refinery_schema_history";
    client.execute(newer, &[]).await.unwrap();
    let again = migrate().await;
    assert!(again.status.success(), "{again:?}");
}

#[tokio::test]
async fn everything_wrong_in_the_environment_is_said_at_once() {
    let ended = run_to_end(
        &[],
        &[
            (
                "DATABASE_URL",
                "postgres://api:canary@db/api?sslmode=require",
            ),
            ("PORT", "eighty"),
            ("METRICS_PORT", "99999"),
            ("RUST_LOG", "loud"),
        ],
    )
    .await;
    assert_eq!(ended.status.code(), Some(64));
    assert_eq!(
        ended.stderr,
        [
            "error: DATABASE_URL asks for sslmode=require, which does not verify the server; use verify-full, or disable for plain text",
            "error: RUST_LOG is `loud`, which is not a log filter: a level (error, warn, info, debug, trace, off), and others for some modules, such as info,api::http=debug",
            "error: REDIS_URL is not set and has no default",
            "error: PORT is `eighty`, which is not a port between 0 and 65535",
            "error: METRICS_PORT is `99999`, which is not a port between 0 and 65535",
        ]
    );
    assert_eq!(ended.stdout, [""; 0]);
}

#[tokio::test]
async fn arguments_that_are_not_known_are_refused() {
    for arguments in [&["serve"][..], &["seed"], &["seed", "0"], &["--port", "1"]] {
        let ended = run_to_end(arguments, &[]).await;
        assert_eq!(ended.status.code(), Some(64), "{ended:?}");
        assert_eq!(ended.stderr.len(), 1, "{ended:?}");
    }
    let help = run_to_end(&["--help"], &[]).await;
    assert!(help.status.success());
    assert!(help.stdout.iter().any(|line| line.contains("DATABASE_URL")));
}

#[tokio::test]
async fn a_taken_port_is_said_with_its_variable() {
    let database = Database::create().await;
    let redis = RedisDatabase::take().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = run_to_end(
        &[],
        &[
            ("DATABASE_URL", &database.url),
            ("REDIS_URL", &redis.url),
            ("HOST", "127.0.0.1"),
            ("PORT", &port),
            ("METRICS_PORT", "0"),
        ],
    )
    .await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let last = ended.stdout.last().unwrap();
    assert!(last.contains(&port) && last.contains("PORT"), "{last}");
}

/// Waiting would not mend it.
#[tokio::test]
async fn a_database_that_is_not_there_is_said_at_once() {
    let database = Database::create().await;
    let (server, _) = database.url.rsplit_once('/').unwrap();
    let url = format!("{server}/no_such_database");
    let ended = run_to_end(&["migrate"], &[("DATABASE_URL", &url)]).await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let [line] = ended.stdout.as_slice() else {
        panic!("one line, without waiting: {ended:?}");
    };
    assert!(line.contains("refuses DATABASE_URL"), "{line}");
    assert!(line.contains("no_such_database"), "{line}");
}

/// No process ever prints a password, however its stores behave.
#[tokio::test]
async fn passwords_never_get_out() {
    let closed = free_port();
    let database = format!("postgres://api:canary@127.0.0.1:{closed}/api");
    let redis = format!("redis://:canary@127.0.0.1:{closed}/0");
    let mut outputs = Vec::new();

    // Both stores away, the log as talkative as it can be.
    let variables = [
        ("DATABASE_URL", database.as_str()),
        ("REDIS_URL", &redis),
        ("RUST_LOG", "trace"),
    ];
    let mut waiting = Process::start(&[], &variables);
    waiting.logged("waiting for PostgreSQL").await;
    waiting.signal(Signal::SIGTERM);
    let ended = waiting.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    outputs.push(ended);

    // A Redis that refuses the password, while serving.
    let shared = Database::create().await;
    let taken = RedisDatabase::take().await;
    let redis = taken.url.replace("redis://", "redis://:canary@");
    let api = Api::start_with(&[
        ("DATABASE_URL", &shared.url),
        ("REDIS_URL", &redis),
        ("RUST_LOG", "trace"),
    ])
    .await;
    get(api.address, "/ready").await;
    outputs.push(api.terminate().await);

    // URLs that are malformed.
    let malformed = [
        ("DATABASE_URL", "postgres://api:canary@:port/"),
        ("REDIS_URL", "redis:canary"),
    ];
    outputs.push(run_to_end(&[], &malformed).await);

    for ended in outputs {
        let shown = [ended.stdout, ended.stderr].concat().join("\n");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
