//! What answers and log lines say of a request for the sake of finding it again.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{
    Answer, Api, Connection, Database, RedisDatabase, eventually, free_port, get, request, send,
};

async fn start(access_log: &str) -> (Database, RedisDatabase, Api) {
    let database = Database::create().await;
    let redis = RedisDatabase::take().await;
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("REDIS_URL", &redis.url),
        ("ACCESS_LOG", access_log),
    ];
    let api = Api::start_with(&variables).await;
    (database, redis, api)
}

/// Ends the process; gives its `answered` lines.
async fn answered(api: Api) -> Vec<Value> {
    let lines = api.terminate().await.stdout;
    let lines = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["message"] == "answered").collect()
}

#[tokio::test]
async fn a_trace_is_continued_and_logged() {
    let (_database, _redis, api) = start("on").await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let given = format!("00-{trace}-00f067aa0ba902b7-01");
    let ask = async |given: &str| {
        let headers = [("traceparent", given)];
        let answer = send(api.address, request("GET", "/health", &headers, None)).await;
        answer.header("traceparent").to_owned()
    };
    let (first, second) = (ask(&given).await, ask(&given).await);
    assert!(
        first.starts_with(&format!("00-{trace}-")) && first.ends_with("-01"),
        "{first}"
    );
    assert_ne!(first[36..52], given[36..52]);
    assert_ne!(first, second);
    let made = ask("00-broken").await;
    assert_eq!(made.len(), given.len(), "{made}");
    assert!(!made.contains(trace), "{made}");
    // A load balancer's own id is logged in place of it.
    let amazon = "Root=1-67891233-abcdef012345678912345678";
    let headers = [("x-amzn-trace-id", amazon), ("traceparent", &given)];
    send(api.address, request("GET", "/health", &headers, None)).await;

    let logged: Vec<_> = answered(api)
        .await
        .iter()
        .map(|line| line["trace"].clone())
        .collect();
    assert_eq!(logged, [first, second, made, amazon.to_owned()]);
}

/// The milliseconds that `Server-Timing` gives, by name.
fn timings(answer: &Answer) -> BTreeMap<String, f64> {
    let entries = answer.header("server-timing").split(", ");
    entries
        .map(|entry| {
            let (name, took) = entry.split_once(";dur=").unwrap();
            (name.to_owned(), took.parse().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn timings_are_for_those_who_ask() {
    let (_database, _redis, api) = start("on").await;
    assert_eq!(get(api.address, "/items").await.header("server-timing"), "");
    let asks = [("prefer", "return=minimal, server-timing")];
    let ask = async |method: &str, path: &str, body: Option<&Value>| {
        send(api.address, request(method, path, &asks, body)).await
    };
    let draft = json!({"name": "Lamp", "price_cents": 1});
    for (method, path, waits) in [
        ("GET", "/health", &[][..]),
        ("GET", "/items", &["database"]),
        ("GET", "/items/new", &["cache", "database"]),
        ("GET", "/items/100", &["cache"]),
        ("POST", "/items", &["cache", "database"]),
        ("PUT", "/items/1", &["cache", "database"]),
        ("GET", "/ready", &["cache", "database"]),
        ("DELETE", "/items/1", &["cache", "database"]),
    ] {
        let body = ["POST", "PUT"].contains(&method).then_some(&draft);
        let mut news = 101..;
        // On a busy machine Redis may miss its deadline, and is then away for a moment.
        let timings = eventually(&format!("{method} {path}: {waits:?}"), async || {
            let new = news.next()?.to_string();
            let answer = ask(method, &path.replace("new", &new), body).await;
            let timings = timings(&answer);
            let names: Vec<_> = timings.keys().map(String::as_str).collect();
            (names == [waits, &["total"]].concat()).then_some(timings)
        })
        .await;
        assert!(timings.values().all(|took| *took > 0.0), "{timings:?}");
        let waited: f64 = waits.iter().map(|name| timings[*name]).sum();
        // It asks both at once.
        let most = if path == "/ready" { 2.0 } else { 1.0 };
        assert!(waited < timings["total"] * most, "{path}: {timings:?}");
    }
}

#[tokio::test]
async fn the_access_log_is_sampled() {
    for (access_log, least, most) in [("on", 400, 400), ("0.5", 100, 300), ("off", 0, 0)] {
        let (_database, _redis, api) = start(access_log).await;
        let mut connection = Connection::open(api.address).await.unwrap();
        for _ in 0..400 {
            connection
                .send(request("GET", "/health", &[], None))
                .await
                .unwrap();
        }
        let lines = answered(api).await.len();
        assert!(
            (least..=most).contains(&lines),
            "{access_log}: {lines} lines"
        );
    }
}

#[tokio::test]
async fn what_failed_is_logged_though_the_log_is_off() {
    let database = Database::create().await;
    let nowhere = format!("redis://127.0.0.1:{}", free_port());
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("REDIS_URL", &nowhere),
        ("ACCESS_LOG", "off"),
    ];
    let api = Api::start_with(&variables).await;
    let broken = database.connect().await;
    broken.batch_execute("DROP TABLE items").await.unwrap();
    // A store that is away is no mistake, and would fill the log.
    for (path, status) in [
        ("/health", 200),
        ("/ready", 503),
        ("/nothing", 404),
        ("/items", 500),
    ] {
        assert_eq!(get(api.address, path).await.status, status, "{path}");
    }
    let lines = answered(api).await;
    let logged: Vec<_> = lines
        .iter()
        .map(|line| (&line["path"], &line["status"]))
        .collect();
    assert_eq!(logged, [(&Value::from("/items"), &Value::from(500))]);
}

/// Whoever collects the log may die, and takes both pipes with it.
#[tokio::test]
async fn a_log_that_nobody_reads_fails_no_request() {
    let (_database, _redis, mut api) = start("on").await;
    let mut connection = Connection::open(api.address).await.unwrap();
    api.unheard().await;
    for _ in 0..3 {
        let health = request("GET", "/health", &[], None);
        let answer = connection.send(health).await.unwrap();
        assert_eq!(answer.status, 200);
    }
}
