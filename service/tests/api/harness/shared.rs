//! The PostgreSQL and the Redis that the whole run shares: a database of each for every test.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bb8_redis::redis;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::{Proxy, eventually};

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

/// An empty logical database of the shared Redis, nobody else's while this value lives.
pub(crate) struct RedisDatabase {
    pub(crate) url: String,
    number: u8,
}

/// A Redis has 16 databases unless told otherwise; 0 is left to whoever started it.
static FREE: Mutex<[bool; 16]> = Mutex::new({
    let mut free = [true; 16];
    free[0] = false;
    free
});

impl RedisDatabase {
    pub(crate) async fn take() -> Self {
        let number = eventually("a free Redis database", async || {
            let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
            let number = free.iter().position(|free| *free)?;
            free[number] = false;
            u8::try_from(number).ok()
        })
        .await;
        let database = Self {
            url: with_path(&variable("REDIS_URL"), &number.to_string()),
            number,
        };
        let client = redis::Client::open(database.url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let () = redis::cmd("FLUSHDB")
            .query_async(&mut connection)
            .await
            .unwrap();
        database
    }
}

impl RedisDatabase {
    /// The server's port.
    pub(crate) fn port(&self) -> u16 {
        port(&self.url)
    }

    /// How long a key still lives.
    pub(crate) async fn life(&self, key: &str) -> Duration {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let left: i64 = redis::cmd("PTTL")
            .arg(key)
            .query_async(&mut connection)
            .await
            .unwrap();
        Duration::from_millis(left.try_into().expect("it lives, and not for ever"))
    }

    /// Stores a value without an end.
    pub(crate) async fn set(&self, key: &str, value: &str) {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let () = redis::cmd("SET")
            .arg(key)
            .arg(value)
            .query_async(&mut connection)
            .await
            .unwrap();
    }

    /// This database's URL by way of a proxy.
    pub(crate) fn through(&self, proxy: &Proxy) -> String {
        let direct = format!(":{}/", self.port());
        self.url.replace(&direct, &format!(":{}/", proxy.port))
    }
}

impl Drop for RedisDatabase {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free[usize::from(self.number)] = true;
    }
}

pub(super) async fn connect(url: &str) -> Client {
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

/// The port in a URL that names one.
fn port(url: &str) -> u16 {
    let (_, authority) = url.split_once("://").unwrap();
    let authority = authority.split('/').next().unwrap();
    authority.rsplit(':').next().unwrap().parse().unwrap()
}
