//! What a client reads when something is wrong, and what every answer carries.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, Database, RedisDatabase, get, request, send};

fn assert_problem(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["status"], status);
    assert_eq!(
        problem["title"].as_str(),
        StatusCode::from_u16(status).unwrap().canonical_reason()
    );
    assert!(problem["detail"].is_string());
    assert_eq!(problem["request_id"], answer.header("x-request-id"));
    problem
}

#[tokio::test]
async fn every_error_is_a_problem_document() {
    let database = Database::create().await;
    let redis = RedisDatabase::take().await;
    let api = Api::start(&database.url, &redis.url).await;
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>| {
        send(api.address, request(method, path, headers, body))
    };

    for path in ["/", "/items/1", "/items/x", "/items/0", "/items/1/2"] {
        assert_problem(&get(api.address, path).await, 404);
    }
    for query in ["limit=0", "limit=x", "cursor=x", "page=1"] {
        assert_problem(&get(api.address, &format!("/items?{query}")).await, 400);
    }
    assert_problem(&send("GET", "/health", &[("host", "b")], None).await, 400);
    let mut hostless = request("GET", "/health", &[], None);
    hostless.headers_mut().remove("host");
    assert_problem(&crate::harness::send(api.address, hostless).await, 400);
    let wrong_method = send("PATCH", "/items/1", &[], None).await;
    assert_problem(&wrong_method, 405);
    assert_eq!(
        wrong_method.header("allow"),
        "GET, HEAD, PUT, DELETE, OPTIONS"
    );

    let text = [("content-type", "text/plain")];
    assert_problem(&send("POST", "/items", &text, None).await, 415);
    assert_problem(&send("POST", "/items", &[], None).await, 415);
    let gzip = [("content-encoding", "gzip")];
    let draft = json!({"name": "Lamp", "price_cents": 1});
    assert_problem(&send("POST", "/items", &gzip, Some(&draft)).await, 415);
    let large = json!({"name": "x".repeat(1 << 20), "price_cents": 1});
    assert_problem(&send("POST", "/items", &[], Some(&large)).await, 413);

    let draft = json!({"description": 1, "price_cents": -1, "colour": "red"});
    for (method, path) in [("POST", "/items"), ("PUT", "/items/1")] {
        let problem = assert_problem(&send(method, path, &[], Some(&draft)).await, 422);
        let pointers: Vec<_> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(
            pointers,
            ["#/name", "#/description", "#/price_cents", "#/colour"]
        );
    }
    let json = [("content-type", "application/json")];
    let mut twice = request("POST", "/items", &json, None);
    *twice.body_mut() = r#"{"name":"Lamp","price_cents":1,"name":"Lamp"}"#.into();
    let twice = assert_problem(&crate::harness::send(api.address, twice).await, 422);
    assert_eq!(twice["errors"].as_array().unwrap().len(), 1, "{twice}");
    assert_eq!(twice["errors"][0]["pointer"], "#/name");
    let empty = assert_problem(&send("POST", "/items", &json, None).await, 422);
    assert_eq!(empty["errors"][0]["pointer"], "#");
}

#[tokio::test]
async fn every_answer_says_who_answered_and_which_request() {
    let database = Database::create().await;
    let redis = RedisDatabase::take().await;
    let api = Api::start_with(&[
        ("DATABASE_URL", &database.url),
        ("REDIS_URL", &redis.url),
        ("SERVICE_VERSION", "1.1.0"),
    ])
    .await;
    for path in ["/health", "/ready", "/items", "/nothing"] {
        let given = [("x-request-id", "req-1")];
        let answer = send(api.address, request("GET", path, &given, None)).await;
        assert_eq!(answer.header("server"), "api/1.1.0");
        assert_eq!(answer.header("x-request-id"), "req-1");
        let unfit = [("x-request-id", "not fit")];
        let answer = send(api.address, request("GET", path, &unfit, None)).await;
        assert_eq!(answer.header("x-request-id").len(), 36);
    }
    let health = get(api.address, "/health").await.json();
    assert_eq!(health, json!({"status": "ok", "version": "1.1.0"}));

    let scrape = get(api.metrics_address, "/metrics").await;
    let text = String::from_utf8(scrape.body.to_vec()).unwrap();
    for line in [
        "api_build_info{version=\"1.1.0\"} 1",
        "http_requests_total{method=\"GET\",route=\"/health\",status=\"200\"} 3",
        "http_requests_total{method=\"GET\",route=\"unknown\",status=\"404\"} 2",
        "cache_requests_total{result=\"hit\"} 0",
        "db_pool_connections{pool=\"postgresql\",state=\"in_use\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let ended = api.terminate().await;
    assert!(ended.stdout.iter().any(|line| {
        let line: Value = serde_json::from_str(line).expect("every log line is JSON");
        line["request_id"] == "req-1" && line["route"] == "/health"
    }));
}
