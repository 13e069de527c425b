//! Redis is away, stands still, becomes a replica, or comes back.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use nix::sys::signal::Signal;
use serde_json::json;

use super::{BYPASS, read_until, seed};
use crate::harness::{
    Api, Database, Proxy, RedisDatabase, RedisServer, Way, eventually, get, request, send,
};

#[tokio::test]
async fn without_redis_the_database_answers() {
    let database = Database::create().await;
    seed(&database.url).await;
    let mut redis = RedisServer::start().await;
    let mut api = Api::start(&database.url, &redis.url).await;
    read_until(&api, "api; hit").await;

    redis.kill().await;
    for _ in 0..20 {
        let answer = get(api.address, "/items/1").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("cache-status"), BYPASS);
    }
    let draft = json!({"name": "Lamp", "price_cents": 1});
    let put = send(api.address, request("PUT", "/items/1", &[], Some(&draft))).await;
    assert_eq!(put.status, StatusCode::OK);
    assert_eq!(get(api.address, "/items/1").await.body, put.body);
    let ready = get(api.address, "/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    let dependencies = &ready.json()["dependencies"];
    assert_eq!(dependencies["redis"]["status"], "unavailable");
    assert_eq!(dependencies["postgresql"]["status"], "ok");

    redis.restart().await;
    returns(&api).await;
    assert_eq!(read_until(&api, "api; hit").await.body, put.body);
    api.logged("Redis is available").await;
    // Each worker has a connection of its own, and the other one may come back a little later.
    eventually("all workers", async || {
        let ready = get(api.address, "/ready").await;
        (ready.status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_stands_still_delays_nobody_for_long() {
    let database = Database::create().await;
    seed(&database.url).await;
    let redis = RedisServer::start().await;
    let mut api = Api::start(&database.url, &redis.url).await;
    read_until(&api, "api; hit").await;
    redis.signal(Signal::SIGSTOP);
    delays_nobody(&mut api).await;
    redis.signal(Signal::SIGCONT);
    returns(&api).await;
}

#[tokio::test]
async fn a_network_that_swallows_everything_delays_nobody_for_long() {
    let database = Database::create().await;
    seed(&database.url).await;
    let redis = RedisDatabase::take().await;
    let proxy = Proxy::start(redis.port()).await;
    let mut api = Api::start(&database.url, &redis.through(&proxy)).await;
    read_until(&api, "api; hit").await;
    proxy.set(Way::Hangs).await;
    delays_nobody(&mut api).await;
    proxy.set(Way::Open).await;
    returns(&api).await;
}

/// Redis does not answer: after a second at most nobody asks it any more.
async fn delays_nobody(api: &mut Api) {
    let stopped = Instant::now();
    read_until(api, BYPASS).await;
    // Every worker has to find out for itself, and the last of them says so.
    let found = eventually("the last worker", async || {
        get(api.address, "/items/1").await;
        api.has_logged("Redis is unavailable")
            .then(|| stopped.elapsed())
    })
    .await;
    assert!(found < Duration::from_secs(5), "{found:?}");
    let mut quickest = Duration::MAX;
    for _ in 0..50 {
        let started = Instant::now();
        let answer = get(api.address, "/items/1").await;
        assert_eq!(answer.header("cache-status"), BYPASS);
        quickest = quickest.min(started.elapsed());
    }
    // Below the deadline of a call to Redis.
    assert!(quickest < Duration::from_millis(25), "{quickest:?}");
}

/// Redis answers again, and so hits come back.
async fn returns(api: &Api) {
    let back = Instant::now();
    read_until(api, "api; hit").await;
    let took = back.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// The old primary becomes a replica, which answers reads and refuses writes; then the endpoint moves.
#[tokio::test]
async fn after_a_failover_the_new_primary_is_used() {
    let database = Database::create().await;
    seed(&database.url).await;
    let (old, new) = (RedisServer::start().await, RedisServer::start().await);
    let proxy = Proxy::start(old.port()).await;
    let url = format!("redis://127.0.0.1:{}/0", proxy.port);
    let api = Api::start(&database.url, &url).await;
    read_until(&api, "api; hit").await;

    old.replicate(new.port()).await;
    // A replica is not asked: it would not know of writes.
    let draft = json!({"name": "Lamp", "price_cents": 1});
    let put = || send(api.address, request("PUT", "/items/1", &[], Some(&draft)));
    let mut written = put().await;
    eventually("reads by way of PostgreSQL", async || {
        written = put().await;
        assert_eq!(written.status, StatusCode::OK, "{written:?}");
        let read = get(api.address, "/items/1").await;
        assert_eq!(read.body, written.body);
        (read.header("cache-status") == BYPASS).then_some(())
    })
    .await;

    proxy.point_at(new.port());
    let moved = Instant::now();
    assert_eq!(read_until(&api, "api; hit").await.body, written.body);
    let took = moved.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    let held = new.get("api:item:2:1").await;
    assert!(held.contains("Lamp"), "{held}");
}

/// The write is done, and what Redis has is older; the process that knows removes it before it reads there again.
#[tokio::test]
async fn a_write_that_redis_did_not_take_is_made_good() {
    let database = Database::create().await;
    seed(&database.url).await;
    let redis = RedisDatabase::take().await;
    let proxy = Proxy::start(redis.port()).await;
    let api = Api::start(&database.url, &redis.through(&proxy)).await;
    let other = Api::start(&database.url, &redis.url).await;
    let before = read_until(&api, "api; hit").await;

    proxy.set(Way::Closed).await;
    read_until(&api, BYPASS).await;
    let draft = json!({"name": "Lamp", "price_cents": 1});
    let put = send(api.address, request("PUT", "/items/1", &[], Some(&draft))).await;
    assert_eq!(put.status, StatusCode::OK);
    assert_eq!(
        put.header("cache-status"),
        "api; fwd=method; detail=unavailable"
    );
    assert_eq!(
        read_until(&other, "api; hit").await.body,
        before.body,
        "nobody has told it"
    );

    proxy.set(Way::Open).await;
    eventually("a hit", async || {
        let read = get(api.address, "/items/1").await;
        assert_eq!(read.body, put.body, "{read:?}");
        read.header("cache-status").contains("hit").then_some(())
    })
    .await;
    assert_eq!(get(other.address, "/items/1").await.body, put.body);
}
