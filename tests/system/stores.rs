//! The stores of one test: a database of its own in the run's PostgreSQL, and one of its own in the run's Redis.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Databases that Redis has beside the default one.
const REDIS_DATABASES: u32 = 15;

/// A new database; the URL of it.
pub async fn database() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let url =
        std::env::var("DATABASE_URL").expect("DATABASE_URL is not set: run through `make test`");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let name = format!(
        "system_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    client
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// An empty Redis database, given back when the test ends: there are fewer than tests.
pub struct Redis {
    server: String,
    index: u32,
}

static TAKEN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

impl Redis {
    /// Takes one that no running test has, and empties it.
    pub async fn take() -> Self {
        let url =
            std::env::var("REDIS_URL").expect("REDIS_URL is not set: run through `make test`");
        let index = {
            let mut taken = TAKEN.lock().unwrap_or_else(|broken| broken.into_inner());
            let free = (1..=REDIS_DATABASES).find(|index| taken.insert(*index));
            free.expect("more tests at once than Redis databases")
        };
        let redis = Self {
            server: url.trim_end_matches('/').to_owned(),
            index,
        };
        let address = redis.server.trim_start_matches("redis://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let commands = format!("SELECT {index}\r\nFLUSHDB\r\nQUIT\r\n");
        stream.write_all(commands.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "+OK\r\n+OK\r\n+OK\r\n");
        redis
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("{}/{}", self.server, self.index)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let mut taken = TAKEN.lock().unwrap_or_else(|broken| broken.into_inner());
        taken.remove(&self.index);
    }
}
