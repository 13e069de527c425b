//! The stores break; what can be answered is answered.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::{
    Answer, Api, Database, PostgresServer, RedisDatabase, RedisServer, eventually, get, request,
    run_to_end, send,
};

const BYPASS: &str = "api; fwd=bypass; detail=unavailable";

async fn seed(url: &str) {
    let seeded = run_to_end(&["seed", "10"], &[("DATABASE_URL", url)]).await;
    assert!(seeded.status.success(), "{seeded:?}");
}

/// Reads item 1, which must always succeed, until the cache's status begins so.
async fn read_until(api: &Api, status: &str) -> Answer {
    eventually(status, async || {
        let answer = get(api.address, "/items/1").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer
            .header("cache-status")
            .starts_with(status)
            .then_some(answer)
    })
    .await
}

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
    assert_eq!(read_until(&api, "api; hit").await.body, put.body);
    api.logged("Redis is available").await;
    assert_eq!(get(api.address, "/ready").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_redis_that_hangs_delays_nobody_for_long() {
    let database = Database::create().await;
    seed(&database.url).await;
    let redis = RedisServer::start().await;
    let api = Api::start(&database.url, &redis.url).await;
    read_until(&api, "api; hit").await;

    redis.signal(Signal::SIGSTOP);
    for _ in 0..5 {
        let started = Instant::now();
        let answer = get(api.address, "/items/1").await;
        assert_eq!(answer.header("cache-status"), BYPASS);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    redis.signal(Signal::SIGCONT);
    read_until(&api, "api; hit").await;
}

#[tokio::test]
async fn without_the_database_the_cache_answers() {
    let mut postgres = PostgresServer::start().await;
    seed(&postgres.url).await;
    let redis = RedisDatabase::take().await;
    let api = Api::start(&postgres.url, &redis.url).await;
    let cached = read_until(&api, "api; hit").await;

    postgres.kill().await;
    // A Redis that misses its deadline on a busy machine leaves nobody to answer, so a 503 is not yet a failure here.
    let still = eventually("a hit", async || {
        let answer = get(api.address, "/items/1").await;
        (answer.status == StatusCode::OK).then_some(answer)
    })
    .await;
    assert!(still.header("cache-status").starts_with("api; hit"));
    assert_eq!(still.body, cached.body);
    let started = Instant::now();
    let cold = get(api.address, "/items/2").await;
    assert_eq!(cold.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(cold.header("content-type"), "application/problem+json");
    assert_eq!(cold.header("retry-after"), "1");
    let took = started.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    let ready = get(api.address, "/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    let dependencies = &ready.json()["dependencies"];
    assert_eq!(dependencies["postgresql"]["status"], "unavailable");
    assert_eq!(dependencies["redis"]["status"], "ok");
    assert_eq!(get(api.address, "/health").await.status, StatusCode::OK);

    postgres.restart().await;
    eventually("a cold read", async || {
        let answer = get(api.address, "/items/2").await;
        (answer.status == StatusCode::OK).then_some(())
    })
    .await;
}
