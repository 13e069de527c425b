//! PostgreSQL's password in a variable of its own, and one that changes under a running process.

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use crate::harness::{Api, Ended, PostgresServer, RedisDatabase, get, request, run_to_end, send};

/// Full of what would mean something else in a URL, and beyond ASCII.
const SPECIAL: &str = "canary#%40:?&=+ [ü]~'\"";

/// A connection that outlives every change of the password.
async fn administrator(postgres: &PostgresServer, password: &str) -> Client {
    let mut config: tokio_postgres::Config = postgres.url.parse().unwrap();
    let (client, connection) = config.password(password).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn change_password(client: &Client, password: &str) {
    let password = password.replace('\'', "''");
    let change = format!("ALTER ROLE api PASSWORD '{password}'");
    client.batch_execute(&change).await.unwrap();
}

/// The error of the last line of the log.
fn last_error(ended: &Ended) -> String {
    let last: Value = serde_json::from_str(ended.stdout.last().unwrap()).unwrap();
    last["error"].as_str().unwrap().to_owned()
}

fn silent(ended: &Ended) {
    let shown = [ended.stdout.clone(), ended.stderr.clone()].concat();
    let shown = shown.join("\n");
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn the_password_stands_beside_the_url() {
    let postgres = PostgresServer::start_with_password().await;
    change_password(&administrator(&postgres, "canary").await, SPECIAL).await;
    for (password, code, said) in [
        (SPECIAL, 0, ""),
        (
            "canary-2",
            1,
            "or the password there or in DATABASE_PASSWORD",
        ),
        (
            "",
            1,
            "PostgreSQL asks for a password; set DATABASE_PASSWORD",
        ),
    ] {
        let variables = [
            ("DATABASE_URL", postgres.url.as_str()),
            ("DATABASE_PASSWORD", password),
            ("RUST_LOG", "trace"),
        ];
        let ended = run_to_end(&["migrate"], &variables).await;
        assert_eq!(ended.status.code(), Some(code), "{ended:?}");
        silent(&ended);
        if code != 0 {
            let error = last_error(&ended);
            assert!(error.contains(said), "{error}");
            // At once: waiting would not help.
            let waited = ended.stdout.iter().any(|line| line.contains("waiting for"));
            assert!(!waited, "{ended:?}");
        }
    }
}

/// It lets go of nothing that it has begun, and leaves the rest to a successor with the new password.
#[tokio::test]
async fn a_password_that_changes_ends_the_process_in_good_order() {
    let postgres = PostgresServer::start_with_password().await;
    let redis = RedisDatabase::take().await;
    let with = |password: &'static str| {
        [
            ("DATABASE_URL", postgres.url.as_str()),
            ("DATABASE_PASSWORD", password),
            ("REDIS_URL", redis.url.as_str()),
            ("RUST_LOG", "trace"),
        ]
    };
    let seeded = run_to_end(&["seed", "100"], &with("canary")).await;
    assert!(seeded.status.success(), "{seeded:?}");
    let mut api = Api::start_with(&with("canary")).await;
    let address = api.address;
    let put = move |id: i64| async move {
        let draft = json!({"name": "Lamp", "price_cents": id});
        let path = format!("/items/{id}");
        send(address, request("PUT", &path, &[], Some(&draft))).await
    };
    assert_eq!(put(1).await.status, StatusCode::OK);

    let administrator = administrator(&postgres, "canary").await;
    change_password(&administrator, "canary-2").await;
    // The connections that there are live on.
    assert_eq!(get(address, "/items/2").await.status, StatusCode::OK);
    // Writes that wait keep connections busy, so that more are wanted.
    let lock = "BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE";
    administrator.batch_execute(lock).await.unwrap();
    let writes: Vec<_> = (11..=20).map(|id| tokio::spawn(put(id))).collect();
    let draining = api.logged("draining").await;
    assert_eq!(draining["reason"], "password refused");
    administrator.batch_execute("COMMIT").await.unwrap();
    let mut answered = 0;
    for write in writes {
        let answer = write.await.unwrap();
        match answer.status {
            StatusCode::OK => answered += 1,
            status => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}"),
        }
    }
    assert!(answered > 0, "what held a connection was answered");
    let ended = api.ended().await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let error = last_error(&ended);
    assert!(error.contains("no longer takes the password"), "{error}");
    silent(&ended);

    let successor = Api::start_with(&with("canary-2")).await;
    assert_eq!(
        get(successor.address, "/items/1").await.status,
        StatusCode::OK
    );
    silent(&successor.terminate().await);
}
