//! Redis first, PostgreSQL on a miss, and nothing stale after a write.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Api, Connection, Database, RedisDatabase, eventually, get, request, run_to_end, send,
};

async fn api() -> (Api, (Database, RedisDatabase)) {
    let database = Database::create().await;
    let seeded = run_to_end(&["seed", "30"], &[("DATABASE_URL", &database.url)]).await;
    assert!(seeded.status.success(), "{seeded:?}");
    let redis = RedisDatabase::take().await;
    let api = Api::start(&database.url, &redis.url).await;
    (api, (database, redis))
}

/// Reads an item until the cache answers: on a busy machine Redis may miss its deadline, and the answer is then a bypass.
async fn hit(api: &Api, path: &str) -> Answer {
    eventually("a hit", async || {
        let answer = get(api.address, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer
            .header("cache-status")
            .starts_with("api; hit")
            .then_some(answer)
    })
    .await
}

#[tokio::test]
async fn a_miss_is_followed_by_hits_that_live_60_seconds() {
    let (api, (database, _redis)) = api().await;
    // On a busy machine Redis may miss its deadline, so another item is tried until one is stored.
    let mut paths = (1..=30).map(|id| format!("/items/{id}"));
    let (path, first) = eventually("a miss that is stored", async || {
        let path = paths.next().expect("no read was a miss that is stored");
        let answer = get(api.address, &path).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        (answer.header("cache-status") == "api; fwd=miss; stored").then_some((path, answer))
    })
    .await;

    let second = hit(&api, &path).await;
    let ttl = second.header("cache-status").strip_prefix("api; hit; ttl=");
    assert!(ttl.unwrap().parse::<u64>().unwrap() <= 60, "{second:?}");
    assert_eq!(second.body, first.body);
    assert_eq!(second.header("etag"), first.header("etag"));

    // The row itself is no longer looked at.
    let client = database.connect().await;
    client.execute("TRUNCATE items", &[]).await.unwrap();
    let third = eventually("the entry", async || {
        let answer = get(api.address, &path).await;
        (answer.status == StatusCode::OK).then_some(answer)
    })
    .await;
    assert_eq!(third.body, first.body);
}

#[tokio::test]
async fn what_was_written_is_what_is_read() {
    let (api, _stores) = api().await;
    let mut connection = Connection::open(api.address).await.unwrap();
    for price in 0..50 {
        let draft = json!({"name": "Lamp", "price_cents": price});
        let put = request("PUT", "/items/2", &[], Some(&draft));
        let put = connection.send(put).await.unwrap();
        assert_eq!(put.status, StatusCode::OK, "{put:?}");
        let read = connection
            .send(request("GET", "/items/2", &[], None))
            .await
            .unwrap();
        assert_eq!(read.body, put.body);
        hit(&api, "/items/2").await;
    }
    let delete = send(api.address, request("DELETE", "/items/2", &[], None)).await;
    assert_eq!(delete.status, StatusCode::NO_CONTENT);
    assert_eq!(
        get(api.address, "/items/2").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_write_whose_client_goes_away_still_invalidates() {
    let (api, (database, _redis)) = api().await;
    get(api.address, "/items/4").await;
    hit(&api, "/items/4").await;
    let holder = database.connect().await;
    let lock = "BEGIN; SELECT FROM items WHERE id = 4 FOR UPDATE";
    holder.batch_execute(lock).await.unwrap();

    let address = api.address;
    let client = tokio::spawn(async move {
        let draft = json!({"name": "Lamp", "price_cents": 4});
        send(address, request("PUT", "/items/4", &[], Some(&draft))).await
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    // Another session: within a transaction PostgreSQL shows the activity as it was when it was first asked for.
    let observer = database.connect().await;
    eventually("a write that waits for the row", async || {
        let row = observer.query_one(waiting, &[]).await.unwrap();
        (row.get::<_, i64>(0) == 1).then_some(())
    })
    .await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    holder.batch_execute("COMMIT").await.unwrap();

    eventually("the new row", async || {
        let item = get(api.address, "/items/4").await.json();
        (item["name"] == "Lamp").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_created_item_is_found_at_its_location() {
    let (api, _stores) = api().await;
    let draft = json!({"name": "Stuhl ⑂", "description": "\"wood\"", "price_cents": 4_900});
    let created = send(api.address, request("POST", "/items", &[], Some(&draft))).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let found = get(api.address, created.header("location")).await;
    assert_eq!(found.body, created.body);
    let item = found.json();
    assert_eq!(item["name"], draft["name"]);
    assert_eq!(item["description"], draft["description"]);
    assert_eq!(item["version"], 1);
}

#[tokio::test]
async fn conditions_are_honoured() {
    let (api, _stores) = api().await;
    let etag = get(api.address, "/items/3").await.header("etag").to_owned();
    let known = [("if-none-match", etag.as_str())];
    let unchanged = send(api.address, request("GET", "/items/3", &known, None)).await;
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
    assert!(unchanged.body.is_empty());

    let prior = [("if-match", etag.as_str())];
    let draft = json!({"name": "Lamp", "price_cents": 1});
    let put = || request("PUT", "/items/3", &prior, Some(&draft));
    assert_eq!(send(api.address, put()).await.status, StatusCode::OK);
    let late = send(api.address, put()).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    let delete = send(api.address, request("DELETE", "/items/3", &prior, None)).await;
    assert_eq!(delete.status, StatusCode::PRECONDITION_FAILED);
    let missing = request("PUT", "/items/999", &prior, Some(&draft));
    assert_eq!(
        send(api.address, missing).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_listing_leads_through_everything_once() {
    let (api, _stores) = api().await;
    let mut path = "/items?limit=7".to_owned();
    let mut ids = Vec::new();
    loop {
        let page = get(api.address, &path).await;
        assert_eq!(page.status, StatusCode::OK);
        let items = page.json()["items"].as_array().unwrap().clone();
        ids.extend(items.iter().map(|item| item["id"].clone()));
        let link = page.header("link");
        if link.is_empty() {
            break;
        }
        let target = link.strip_suffix(">; rel=\"next\"").unwrap();
        path = target.strip_prefix('<').unwrap().to_owned();
    }
    let all: Vec<Value> = (1..=30).map(Value::from).collect();
    assert_eq!(ids, all);
}

/// Another process has written a later version, and made Redis forget the one before just now: for 10 ms some process may still tell that,
/// so nothing newer is told until they are over.
#[tokio::test]
async fn with_near_caches_a_write_that_was_overtaken_waits_as_long_as_others() {
    let database = Database::create().await;
    let seeded = run_to_end(&["seed", "1"], &[("DATABASE_URL", &database.url)]).await;
    assert!(seeded.status.success(), "{seeded:?}");
    let redis = RedisDatabase::take().await;
    let api = Api::start_with(&[
        ("DATABASE_URL", &database.url),
        ("REDIS_URL", &redis.url),
        ("NEAR_CACHE", "on"),
    ])
    .await;
    let minute = SystemTime::now() + Duration::from_secs(60);
    let until = minute.duration_since(UNIX_EPOCH).unwrap().as_millis();
    let forgotten = format!("{:019}{until:013}?", 1_000);
    let mut connection = Connection::open(api.address).await.unwrap();
    let mut quickest = Duration::MAX;
    for price in 0..20 {
        redis.set("api:item:2:1", &forgotten).await;
        let draft = json!({"name": "Lamp", "price_cents": price});
        let started = Instant::now();
        let put = connection.send(request("PUT", "/items/1", &[], Some(&draft)));
        let put = put.await.unwrap();
        quickest = quickest.min(started.elapsed());
        assert_eq!(put.status, StatusCode::OK, "{put:?}");
    }
    assert!(quickest >= Duration::from_millis(10), "{quickest:?}");
}
