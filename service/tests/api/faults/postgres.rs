//! PostgreSQL is away, stands still, or comes back.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::json;

use super::{read_until, seed};
use crate::harness::{
    Api, PostgresServer, Proxy, RedisDatabase, Way, eventually, get, request, send,
};

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
    let cold = get(api.address, "/items/2").await;
    assert_eq!(cold.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(cold.header("content-type"), "application/problem+json");
    assert_eq!(cold.header("retry-after"), "1");
    assert!(quickest_failure(&api).await < Duration::from_millis(100));
    let ready = get(api.address, "/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    let dependencies = &ready.json()["dependencies"];
    assert_eq!(dependencies["postgresql"]["status"], "unavailable");
    assert_eq!(dependencies["redis"]["status"], "ok");
    assert_eq!(get(api.address, "/health").await.status, StatusCode::OK);

    postgres.restart().await;
    returns(&api).await;
    // Each worker has connections of its own, and the other one may come back a little later.
    eventually("a write", async || {
        let draft = json!({"name": "Lamp", "price_cents": 1});
        let put = send(api.address, request("PUT", "/items/1", &[], Some(&draft))).await;
        (put.status == StatusCode::OK).then_some(())
    })
    .await;
}

/// It takes connections and says nothing, as a server does whose disk or network is gone.
#[tokio::test]
async fn a_database_that_stands_still_is_given_up_within_a_second() {
    let postgres = PostgresServer::start().await;
    seed(&postgres.url).await;
    let proxy = Proxy::start(postgres.port()).await;
    let redis = RedisDatabase::take().await;
    let api = Api::start(&postgres.through(&proxy), &redis.url).await;
    let cached = read_until(&api, "api; hit").await;

    proxy.set(Way::Hangs).await;
    assert!(quickest_failure(&api).await < Duration::from_secs(1));
    assert_eq!(read_until(&api, "api; hit").await.body, cached.body);
    proxy.set(Way::Open).await;
    returns(&api).await;
}

/// PostgreSQL answers again, and so cold reads are answered.
async fn returns(api: &Api) {
    let back = Instant::now();
    eventually("a cold read", async || {
        let answer = get(api.address, "/items/2").await;
        (answer.status == StatusCode::OK).then_some(())
    })
    .await;
    let took = back.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// Of several cold reads; a busy machine may delay one or another.
async fn quickest_failure(api: &Api) -> Duration {
    let mut quickest = Duration::MAX;
    for id in 500..506 {
        let started = Instant::now();
        let answer = get(api.address, &format!("/items/{id}")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        assert_eq!(answer.header("retry-after"), "1");
        quickest = quickest.min(started.elapsed());
    }
    quickest
}
