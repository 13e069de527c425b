//! Many ask at once, for one item, for none, or for more than there is time for.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{BYPASS, read_until, seed};
use crate::harness::{
    Answer, Api, Connection, PostgresServer, RedisDatabase, RedisServer, eventually, get, request,
};

/// A request on a connection of its own, that is open before `send` is asked for.
async fn connections(address: SocketAddr, number: usize) -> Vec<Connection> {
    let mut connections = Vec::new();
    for _ in 0..number {
        connections.push(Connection::open(address).await.unwrap());
    }
    connections
}

async fn all(connections: Vec<Connection>, path: impl Fn(usize) -> String) -> Vec<Answer> {
    let mut answers = JoinSet::new();
    for (number, mut connection) in connections.into_iter().enumerate() {
        let request = request("GET", &path(number), &[], None);
        answers.spawn(async move { connection.send(request).await.unwrap() });
    }
    answers.join_all().await
}

/// The item has been in the cache and has just left it.
#[tokio::test]
async fn ten_thousand_requests_at_once_for_an_expired_item_are_one_query() {
    const CONNECTIONS: usize = 1_000;
    const EACH: usize = 10;
    let postgres = PostgresServer::start_counting().await;
    seed(&postgres.url).await;
    let redis = RedisServer::start().await;
    let api = Api::start_with(&[
        ("DATABASE_URL", &postgres.url),
        ("REDIS_URL", &redis.url),
        ("RUST_LOG", "warn,api::app=info"),
    ])
    .await;
    read_until(&api, "api; hit").await;
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        streams.push(TcpStream::connect(api.address).await.unwrap());
    }
    let before = postgres.finds().await;
    redis.delete("api:item:2:1").await;

    let one = |end| format!("GET /items/1 HTTP/1.1\r\nhost: api\r\n{end}\r\n");
    let requests = one("").repeat(EACH - 1) + &one("connection: close\r\n");
    let mut clients = JoinSet::new();
    for mut stream in streams {
        let requests = requests.clone();
        clients.spawn(async move {
            stream.write_all(requests.as_bytes()).await.unwrap();
            let mut answers = String::new();
            stream.read_to_string(&mut answers).await.unwrap();
            answers.matches("HTTP/1.1 200 OK").count()
        });
    }
    let answered: usize = clients.join_all().await.into_iter().sum();
    assert_eq!(answered, CONNECTIONS * EACH);
    // Where a busy Redis missed its deadline, the database was asked instead, and still once at a time.
    let bypassed = api.metric("cache_requests_total{result=\"bypass\"}").await;
    let queries = postgres.finds().await - before;
    if bypassed == 0.0 {
        assert_eq!(queries, 1);
    }
    assert!(
        (1..100).contains(&queries),
        "{queries} queries, {bypassed} requests without Redis"
    );
}

/// Every other client goes away as soon as it has asked; whoever shares its look-up is answered.
#[tokio::test]
async fn clients_that_go_away_take_nobody_down() {
    let postgres = PostgresServer::start_counting().await;
    seed(&postgres.url).await;
    let redis = RedisDatabase::take().await;
    let api = Api::start(&postgres.url, &redis.url).await;
    for id in 1..=50 {
        let path = format!("/items/{id}");
        let mut leaving = TcpStream::connect(api.address).await.unwrap();
        let staying = connections(api.address, 5).await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: api\r\n\r\n");
        leaving.write_all(request.as_bytes()).await.unwrap();
        drop(leaving);
        for answer in all(staying, |_| path.clone()).await {
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        }
    }
}

/// Nobody has to wait for it, and it is read once and again.
#[tokio::test]
async fn a_hot_item_is_read_anew_before_it_ends() {
    const TTL: Duration = Duration::from_secs(5);
    let postgres = PostgresServer::start_counting().await;
    seed(&postgres.url).await;
    let redis = RedisDatabase::take().await;
    let api = Api::start_with(&[
        ("DATABASE_URL", &postgres.url),
        ("REDIS_URL", &redis.url),
        ("CACHE_TTL", &TTL.as_secs().to_string()),
        ("RUST_LOG", "warn,api::app=info"),
    ])
    .await;
    read_until(&api, "api; hit").await;
    let before = postgres.finds().await;
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for mut connection in connections(api.address, 8).await {
        clients.spawn(async move {
            let mut hits = 0;
            while started.elapsed() < TTL * 5 / 2 {
                let answer = connection.send(request("GET", "/items/1", &[], None));
                let answer = answer.await.unwrap();
                let status = answer.header("cache-status");
                assert!(!status.contains("miss"), "after {hits} hits: {answer:?}");
                hits += 1;
            }
        });
    }
    clients.join_all().await;
    let bypassed = api.metric("cache_requests_total{result=\"bypass\"}").await;
    let queries = postgres.finds().await - before;
    assert!(queries >= 2, "{queries}");
    assert!(
        bypassed > 0.0 || queries <= 5,
        "{queries} in two and a half lives"
    );
}

#[tokio::test]
async fn an_id_that_is_unknown_is_asked_for_once() {
    let postgres = PostgresServer::start_counting().await;
    seed(&postgres.url).await;
    let redis = RedisDatabase::take().await;
    let api = Api::start(&postgres.url, &redis.url).await;
    let before = postgres.finds().await;
    let mut excused = 0;
    for id in 1_000_000..1_000_200 {
        for time in 0..3 {
            let answer = get(api.address, &format!("/items/{id}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
            // A busy Redis may miss its deadline, and then the database is asked.
            if time > 0 && !answer.header("cache-status").starts_with("api; hit") {
                excused += 1;
            }
        }
    }
    let queries = postgres.finds().await - before;
    assert!(excused < 200, "{excused} of 400 were no hits");
    assert!(
        (200..=200 + excused).contains(&queries),
        "{queries} queries, {excused} excused"
    );
    let life = redis.life("api:item:2:1000199").await;
    assert!(life <= Duration::from_secs(5), "{life:?}");
}

/// Redis is away and PostgreSQL takes its time: what it cannot do is refused at once, and what it has begun is finished.
#[tokio::test]
async fn what_the_database_has_no_time_for_is_refused_at_once() {
    const CLIENTS: usize = 400;
    let postgres = PostgresServer::start().await;
    seed(&postgres.url).await;
    let mut redis = RedisServer::start().await;
    let api = Api::start(&postgres.url, &redis.url).await;
    redis.kill().await;
    read_until(&api, BYPASS).await;

    let holder = postgres.connect().await;
    let lock = "BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE";
    let clients = connections(api.address, CLIENTS).await;
    holder.batch_execute(lock).await.unwrap();
    let answers = tokio::spawn(all(clients, |number| format!("/items/{}", number + 1)));
    let refused = "http_requests_total{method=\"GET\",route=\"/items/{id}\",status=\"503\"}";
    eventually("refusals while the database stands still", async || {
        (api.metric(refused).await >= (CLIENTS / 2) as f64).then_some(())
    })
    .await;
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'api'";
    let connected: i64 = holder.query_one(connected, &[]).await.unwrap().get(0);
    assert!(connected <= 8, "{connected} connections for two workers");
    holder.batch_execute("COMMIT").await.unwrap();

    for answer in answers.await.unwrap() {
        match answer.status {
            StatusCode::OK => {}
            StatusCode::SERVICE_UNAVAILABLE => assert_eq!(answer.header("retry-after"), "1"),
            _ => panic!("{answer:?}"),
        }
    }
    read_until(&api, BYPASS).await;
}
