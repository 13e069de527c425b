//! The end of the process: nothing that was begun is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::net::TcpStream;

use crate::harness::{
    Api, Connection, Database, RedisDatabase, eventually, get, request, run_to_end,
};

async fn api() -> (Api, (Database, RedisDatabase)) {
    let database = Database::create().await;
    let seeded = run_to_end(&["seed", "1000"], &[("DATABASE_URL", &database.url)]).await;
    assert!(seeded.status.success(), "{seeded:?}");
    let redis = RedisDatabase::take().await;
    let api = Api::start(&database.url, &redis.url).await;
    (api, (database, redis))
}

#[tokio::test]
async fn slow_requests_are_finished_after_sigterm() {
    let (mut api, (database, _redis)) = api().await;
    let address = api.address;
    let holder = database.connect().await;
    let lock = "BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE";
    holder.batch_execute(lock).await.unwrap();

    let slow: Vec<_> = (1..=5)
        .map(|id| tokio::spawn(async move { get(address, &format!("/items/{id}")).await }))
        .collect();
    let waiting = "SELECT count(*) FROM pg_locks
                   WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    // Readers share connections, and on each of them one statement waits for the lock and the others for it.
    eventually("requests that wait for the lock", async || {
        let row = holder.query_one(waiting, &[]).await.unwrap();
        (row.get::<_, i64>(0) > 1).then_some(())
    })
    .await;

    api.signal(Signal::SIGTERM);
    api.logged("draining").await;
    holder.batch_execute("COMMIT").await.unwrap();
    for answer in slow {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.header("connection"), "close");
    }
    let ended = api.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[tokio::test]
async fn sigterm_under_load_fails_no_request() {
    let (api, _stores) = api().await;
    let address = api.address;
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..16_usize)
        .map(|number| {
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                // Ends when nothing listens any more; an error on a connection that was accepted fails the test.
                while let Ok(mut connection) = Connection::open(address).await {
                    loop {
                        let nth = answered.load(Ordering::Relaxed);
                        let draft = json!({"name": "Lamp", "price_cents": nth});
                        let path = format!("/items/{}", (nth * 31 + number) % 1000 + 1);
                        let next = if nth.is_multiple_of(10) {
                            request("PUT", &path, &[], Some(&draft))
                        } else {
                            request("GET", &path, &[], None)
                        };
                        let answer = connection.send(next).await.unwrap();
                        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
                        answered.fetch_add(1, Ordering::Relaxed);
                        if answer.header("connection") == "close" {
                            break;
                        }
                    }
                }
            })
        })
        .collect();
    eventually("load", async || {
        (answered.load(Ordering::Relaxed) > 500).then_some(())
    })
    .await;
    let ended = api.terminate().await;
    assert_eq!(ended.status.code(), Some(0));
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn an_idle_connection_still_gets_its_answer() {
    let (mut api, _stores) = api().await;
    let mut used = Connection::open(api.address).await.unwrap();
    let health = || request("GET", "/health", &[], None);
    used.send(health()).await.unwrap();
    let mut unused = Connection::open(api.address).await.unwrap();
    let silent = TcpStream::connect(api.address).await.unwrap();
    // Answered after `silent` was accepted: connections are accepted in order.
    get(api.address, "/health").await;

    let started = Instant::now();
    api.signal(Signal::SIGTERM);
    api.logged("draining").await;
    for connection in [&mut used, &mut unused] {
        let answer = connection.send(health()).await.unwrap();
        assert_eq!(answer.header("connection"), "close");
    }
    let ended = api.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let took = started.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(silent);
}

#[tokio::test]
async fn connections_in_the_kernels_queue_are_answered() {
    let (api, _stores) = api().await;
    // While it stands still, the kernel completes connections on its behalf; then the signal is the first thing it sees.
    api.signal(Signal::SIGSTOP);
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut connection = Connection::open(api.address).await.unwrap();
        clients.push(tokio::spawn(async move {
            connection.send(request("GET", "/health", &[], None)).await
        }));
    }
    api.signal(Signal::SIGTERM);
    api.signal(Signal::SIGCONT);
    for client in clients {
        let answer = client.await.unwrap().unwrap();
        assert_eq!(answer.status, StatusCode::OK);
    }
    let ended = api.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}
