//! HTTP/1.1 on the wire, byte by byte: what is answered, in which order, and whether the connection goes on.

mod cases;

use std::time::{Duration, Instant};

use tokio::time::sleep;

use self::cases::{After, CASES, Case};
use crate::harness::{
    Api, Connection, Database, Raw, RawAnswer, RedisDatabase, eventually, get, request,
};

const GET: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

async fn start() -> (Database, RedisDatabase, Api) {
    let database = Database::create().await;
    let redis = RedisDatabase::take().await;
    let api = Api::start(&database.url, &redis.url).await;
    (database, redis, api)
}

/// The method of each request in `bytes` that is answered, as far as an answer depends on it.
fn is_head(case: &Case) -> &'static str {
    if case.bytes.starts_with("HEAD") {
        "HEAD"
    } else {
        "GET"
    }
}

/// The case's answers, and then what it says of the connection. Another request's answer in between would be seen: it has another id.
async fn check(api: &Api, case: &Case, pieces: &[&[u8]]) {
    let what = case.what;
    let mut raw = Raw::open(api.address).await;
    for piece in pieces {
        raw.send(piece).await;
    }
    for (place, status) in case.answers.iter().enumerate() {
        let answer = raw.answer(is_head(case)).await;
        let answer = answer.unwrap_or_else(|| panic!("{what}: no answer {place}"));
        assert_eq!(answer.status, *status, "{what}: {answer:?}");
    }
    if matches!(case.after, After::Open | After::Either) {
        let probe = "GET /health HTTP/1.1\r\nHost: a\r\nX-Request-Id: probe\r\n\r\n";
        raw.send(probe.as_bytes()).await;
    }
    match (case.after, raw.answer("GET").await) {
        (After::Closed | After::Either, None) => {}
        (After::Open | After::Either, Some(answer)) => {
            let id = answer.field("x-request-id");
            assert_eq!(
                (answer.status, id.as_deref()),
                (200, Some("probe")),
                "{what}"
            );
        }
        (After::Open, None) => panic!("{what}: closed"),
        (After::Closed, Some(answer)) => panic!("{what}: still open: {answer:?}"),
    }
}

#[tokio::test]
async fn every_case_is_answered_as_its_table_says() {
    let (_database, _redis, api) = start().await;
    for case in CASES {
        check(&api, case, &[case.bytes.as_bytes()]).await;
    }
    assert_eq!(get(api.address, "/health").await.status, 200);
    assert!(api.terminate().await.status.success());
}

#[tokio::test]
async fn every_case_is_answered_alike_in_two_pieces() {
    let (_database, _redis, api) = start().await;
    for case in CASES {
        for cut in 1..case.bytes.len() {
            let (first, second) = case.bytes.as_bytes().split_at(cut);
            check(&api, case, &[first, second]).await;
        }
    }
}

/// hyper says nothing to HTTP/2's first bytes where it recognises them, and 400 where it has read too few.
#[tokio::test]
async fn http_2_is_not_spoken() {
    let (_database, _redis, api) = start().await;
    let mut raw = Raw::open(api.address).await;
    raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
    let answer = raw.answer("GET").await;
    assert!(answer.is_none_or(|answer| answer.status == 400));
    assert!(raw.has_ended().await);
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let (_database, _redis, api) = start().await;
    let answer = async |request: String| {
        let mut raw = Raw::open(api.address).await;
        raw.send(request.as_bytes()).await;
        let answer = raw.answer("GET").await.unwrap();
        (answer.status, raw)
    };
    let target = |size: usize| {
        format!(
            "GET /items?{} HTTP/1.1\r\nHost: a\r\n\r\n",
            "x".repeat(size)
        )
    };
    let fields = |count: usize| {
        let fields: String = (0..count)
            .map(|place| format!("X-{place}: y\r\n"))
            .collect();
        format!("GET /health HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
    };
    let field = |size: usize| {
        format!(
            "GET /health HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(size)
        )
    };
    for (request, status, closes) in [
        (target(8 * 1024 - 7), 400, false),
        (target(8 * 1024 - 6), 414, true),
        (target(60_000), 414, true),
        (fields(99), 200, false),
        (fields(100), 431, true),
        (field(60_000), 200, false),
        (field(64 << 10), 431, true),
        (field(1 << 20), 431, true),
        // Without an end.
        (
            format!("GET /health HTTP/1.1\r\nX: {}", "x".repeat(200_000)),
            431,
            true,
        ),
    ] {
        let size = request.len();
        let (found, mut raw) = answer(request).await;
        assert_eq!(found, status, "{size} bytes");
        if closes {
            assert!(raw.has_ended().await, "{size} bytes: still open");
        } else {
            raw.send(GET.as_bytes()).await;
            assert_eq!(raw.answer("GET").await.unwrap().status, 200, "{size} bytes");
        }
    }
}

/// Everything but the date and what names the one request.
fn comparable(answer: &RawAnswer) -> Vec<(String, String)> {
    let own = ["date", "x-request-id", "traceparent"];
    let mut fields = answer.fields();
    fields.retain(|(name, _)| !own.contains(&name.as_str()));
    fields
}

#[tokio::test]
async fn head_answers_as_get_does_without_the_body() {
    let (_database, _redis, api) = start().await;
    let draft = serde_json::json!({"name": "Lamp", "price_cents": 1});
    let mut connection = Connection::open(api.address).await.unwrap();
    let created = connection
        .send(request("POST", "/items", &[], Some(&draft)))
        .await
        .unwrap();
    let item = created.header("location").to_owned();
    // So that both find it in the cache.
    get(api.address, &item).await;
    let mut raw = Raw::open(api.address).await;
    for path in [
        item.as_str(),
        "/items",
        "/health",
        "/ready",
        "/docs",
        "/openapi.json",
        "/nothing",
        "/items/0",
    ] {
        let mut answers = Vec::new();
        for method in ["GET", "HEAD"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: same\r\n\r\n");
            raw.send(request.as_bytes()).await;
            answers.push(raw.answer(method).await.unwrap());
        }
        let [get, head] = answers.try_into().unwrap();
        assert_eq!(get.status, head.status, "{path}");
        assert_eq!(comparable(&get), comparable(&head), "{path}");
        assert!(!get.body.is_empty() && head.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn options_and_wrong_methods_say_what_is_allowed() {
    let (_database, _redis, api) = start().await;
    let mut raw = Raw::open(api.address).await;
    for (target, allow) in [
        ("*", "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
        ("/items", "GET, HEAD, POST, OPTIONS"),
        ("/items/7", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/health", "GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
    ] {
        for (method, status) in [
            ("OPTIONS", 204),
            ("BREW", 405),
            ("TRACE", 405),
            ("PATCH", 405),
        ] {
            if target == "*" && method != "OPTIONS" {
                continue;
            }
            raw.send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
                .await;
            let answer = raw.answer(method).await.unwrap();
            assert_eq!(answer.status, status, "{method} {target}");
            assert_eq!(
                answer.field("allow").as_deref(),
                Some(allow),
                "{method} {target}"
            );
        }
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (_database, _redis, api) = start().await;
    let mut raw = Raw::open(api.address).await;
    // Of different speed: the stores are asked, or not; there is a body, or not.
    let paths = ["/ready", "/health", "/items", "/nothing", "/items/1"];
    let mut sent = String::new();
    for place in 0..100 {
        let path = paths[place % paths.len()];
        sent += &format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: {place}\r\n\r\n");
        sent += &format!(
            "POST /items HTTP/1.1\r\nHost: a\r\nX-Request-Id: {place}b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
        );
    }
    raw.send(sent.as_bytes()).await;
    for place in 0..100 {
        for id in [place.to_string(), format!("{place}b")] {
            let answer = raw.answer("GET").await.unwrap();
            assert_eq!(answer.field("x-request-id"), Some(id));
        }
    }
}

#[tokio::test]
async fn a_body_is_asked_for_only_where_it_is_wanted() {
    let (_database, _redis, api) = start().await;
    let head = |content_type: &str, length: usize| {
        format!(
            "POST /items HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    let mut raw = Raw::open(api.address).await;
    raw.send(head("application/json", 2).as_bytes()).await;
    assert_eq!(raw.answer("POST").await.unwrap().status, 100);
    raw.send(b"{}").await;
    assert_eq!(raw.answer("POST").await.unwrap().status, 422);
    raw.send(GET.as_bytes()).await;
    assert_eq!(raw.answer("GET").await.unwrap().status, 200);
    // What is refused without its body leaves open whether the body follows.
    for (content_type, length, status) in
        [("text/plain", 2, 415), ("application/json", 2 << 20, 413)]
    {
        let mut raw = Raw::open(api.address).await;
        raw.send(head(content_type, length).as_bytes()).await;
        assert_eq!(raw.answer("POST").await.unwrap().status, status);
        assert!(raw.has_ended().await);
    }
}

/// Nothing that a client begins and does not end holds a connection; the real deadlines, side by side.
#[tokio::test]
async fn what_is_not_ended_is_closed_after_ten_seconds() {
    let (_database, _redis, api) = start().await;
    let closes = async |sent: &str, answers: &[u16], drips: bool| {
        let mut raw = Raw::open(api.address).await;
        raw.send(sent.as_bytes()).await;
        let started = Instant::now();
        if drips {
            // Never quiet for a second, to well beyond the deadline or the end.
            for _ in 0..24 {
                sleep(Duration::from_millis(500)).await;
                raw.send(b"x").await;
            }
        }
        for status in answers {
            assert_eq!(raw.answer("GET").await.unwrap().status, *status, "{sent}");
        }
        assert!(raw.has_ended().await, "{sent}");
        (started.elapsed(), sent.len())
    };
    let behind = format!("{GET}GET /health HT");
    let body = "POST /items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    let ended = tokio::join!(
        closes("GET /health HTTP/1.1\r\nHost: a\r\n", &[], false),
        closes("GET /health HTTP/1.1\r\nX: ", &[], true),
        closes(&behind, &[200], false),
        closes(body, &[408], false),
    );
    for (took, sent) in [ended.0, ended.1, ended.2, ended.3] {
        assert!(
            took >= Duration::from_secs(10),
            "{sent} bytes: after {took:?}"
        );
        assert!(
            took < Duration::from_secs(20),
            "{sent} bytes: after {took:?}"
        );
    }
    assert_eq!(get(api.address, "/health").await.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_so() {
    let database = Database::create().await;
    let redis = RedisDatabase::take().await;
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("REDIS_URL", &redis.url),
        ("WORKERS", "1"),
    ];
    // 400 files leave room for 32 connections.
    let api = Api::start_limited(400, &variables).await;
    let mut held = Vec::new();
    for _ in 0..32 {
        let mut raw = Raw::open(api.address).await;
        raw.send(GET.as_bytes()).await;
        assert_eq!(raw.answer("GET").await.unwrap().status, 200);
        held.push(raw);
    }
    let mut refused = Raw::open(api.address).await;
    refused.send(GET.as_bytes()).await;
    let answer = refused.answer("GET").await.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.field("retry-after").as_deref(), Some("1"));
    assert_eq!(answer.field("connection").as_deref(), Some("close"));
    assert!(refused.has_ended().await);
    // Those within go on, and scrapes have room of their own.
    held[0].send(GET.as_bytes()).await;
    assert_eq!(held[0].answer("GET").await.unwrap().status, 200);
    assert_eq!(get(api.metrics_address, "/metrics").await.status, 200);
    held.pop();
    eventually("room again", async || {
        let mut raw = Raw::open(api.address).await;
        raw.send(GET.as_bytes()).await;
        (raw.answer("GET").await?.status == 200).then_some(())
    })
    .await;
}
