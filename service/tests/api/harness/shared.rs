//! The PostgreSQL and the Redis that the whole run shares: a database of each for every test.

use std::sync::atomic::{AtomicU32, Ordering};

use bb8_redis::redis;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// A fresh database of the shared PostgreSQL, dropped with this value.
pub(crate) struct Database {
    pub(crate) url: String,
    name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        let name = format!("api_{}", Uuid::new_v4().simple());
        let shared = variable("DATABASE_URL");
        let client = connect(&shared).await;
        client
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        Self {
            url: with_path(&shared, &name),
            name,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        connect(&self.url).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A runtime cannot be entered from within another, so this takes a thread.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let client = connect(&variable("DATABASE_URL")).await;
                client.batch_execute(&drop).await.unwrap();
            });
        });
        // A test that fails already must not be drowned out by its cleaning.
        let _ = dropped.join();
    }
}

/// A logical database of the shared Redis, empty and nobody else's in this run.
pub(crate) async fn redis_url() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(
        number < 16,
        "a Redis has 16 databases; start one of the test's own"
    );
    let url = with_path(&variable("REDIS_URL"), &number.to_string());
    let client = redis::Client::open(url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let () = redis::cmd("FLUSHDB")
        .query_async(&mut connection)
        .await
        .unwrap();
    url
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run through `make test`"))
}

/// The same URL with another path, which names the database.
fn with_path(url: &str, path: &str) -> String {
    let (url, query) = url
        .split_once('?')
        .map_or((url, String::new()), |(url, query)| {
            (url, format!("?{query}"))
        });
    let (scheme, rest) = url.split_once("://").unwrap();
    let authority = rest.split('/').next().unwrap();
    format!("{scheme}://{authority}/{path}{query}")
}
