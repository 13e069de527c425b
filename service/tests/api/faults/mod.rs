//! The stores break; what can be answered is answered.

mod crowds;
mod postgres;
mod redis;

use hyper::StatusCode;

use crate::harness::{Answer, Api, eventually, get, run_to_end};

const BYPASS: &str = "api; fwd=bypass; detail=unavailable";

async fn seed(url: &str) {
    let seeded = run_to_end(&["seed", "1000"], &[("DATABASE_URL", url)]).await;
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
