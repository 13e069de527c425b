//! Many clients, two processes, few keys: nobody sees what is older than what was seen before he asked.
#![expect(clippy::print_stdout, reason = "how much was seen is worth a line")]

mod checker;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::{Value, json};

use self::checker::{DELETED, Event, Violation, check};
use crate::harness::{
    Answer, Api, Connection, Database, Meddling, Proxy, RedisDatabase, request, run_to_end,
};

/// How long a history is; `make soak` makes longer ones.
const SECONDS: &str = "HISTORY_SECONDS";
const CLIENTS: u64 = 8;
/// Keys that are asked for at a time.
const KEYS: usize = 4;
/// Entries end, and are read anew early, many times in a history.
const TTL: &str = "3";
/// What passes between a process and Redis, either way, is late by up to this, so that everything may overtake everything.
const DELAY: Duration = Duration::from_millis(3);
/// The longest that a history may take to show what is wrong with it.
const PATIENCE: Duration = Duration::from_secs(120);

/// One history at a time: where processes wait for a core, Redis misses its deadline and answers bind nobody.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn length() -> Duration {
    let seconds = std::env::var(SECONDS).ok();
    Duration::from_secs(seconds.map_or(8, |seconds| seconds.parse().unwrap()))
}

#[tokio::test]
async fn nothing_stale_is_seen() {
    let _turn = TURN.lock().await;
    let system = System::start("off", Meddling::default).await;
    judge(system.history(length()).await);
}

#[tokio::test]
async fn nothing_stale_is_seen_with_the_near_cache() {
    let _turn = TURN.lock().await;
    let system = System::start("on", Meddling::default).await;
    let history = system.history(length()).await;
    let near = history.iter().filter(|event| event.by.contains("near"));
    assert!(near.count() > 100, "the near-cache is part of it");
    judge(history);
}

fn judge(history: Vec<Event>) {
    let binding = history.iter().filter(|event| event.binds);
    let writes = binding.clone().filter(|event| event.wrote).count();
    assert!(
        writes > 50 && binding.count() > 500,
        "hardly anything happened"
    );
    assert_eq!(check(history), []);
}

/// The checker can see what it is for: without the condition in Redis, a reader that was overtaken puts the old row back.
#[tokio::test]
async fn without_the_condition_on_versions_the_checker_finds_stale_reads() {
    let meddling = || Meddling {
        requests: Some((
            "if held > ours then return 0 end",
            "if false       then return 0 end",
        )),
        ..Meddling::default()
    };
    let _turn = TURN.lock().await;
    System::start("off", meddling).await.until_stale().await;
}

/// And it can see the near-cache: one that hears no news of changes tells what is old.
#[tokio::test]
async fn without_news_of_changes_the_checker_finds_stale_reads() {
    let meddling = || Meddling {
        replies: Some(("invalidate", "nothing_at")),
        ..Meddling::default()
    };
    let _turn = TURN.lock().await;
    System::start("on", meddling).await.until_stale().await;
}

/// Two processes over one database and one Redis.
struct System {
    processes: [Api; 2],
    keys: Arc<Keys>,
    _proxies: [Proxy; 2],
    _stores: (Database, RedisDatabase),
}

/// The ids that clients ask for; one that is deleted is replaced.
struct Keys {
    current: [AtomicI64; KEYS],
    next: AtomicI64,
}

impl System {
    async fn start(near: &str, meddling: fn() -> Meddling) -> Self {
        let database = Database::create().await;
        let seeded = run_to_end(&["seed", "10000"], &[("DATABASE_URL", &database.url)]).await;
        assert!(seeded.status.success(), "{seeded:?}");
        let redis = RedisDatabase::take().await;
        let proxy = async || {
            let meddling = Meddling {
                delay: DELAY,
                ..meddling()
            };
            Proxy::start_meddling(redis.port(), meddling).await
        };
        let proxies = [proxy().await, proxy().await];
        let api = async |proxy: &Proxy| {
            Api::start_with(&[
                ("DATABASE_URL", &database.url),
                ("REDIS_URL", &redis.through(proxy)),
                ("CACHE_TTL", TTL),
                ("NEAR_CACHE", near),
                ("RUST_LOG", "warn,api::app=info"),
            ])
            .await
        };
        Self {
            processes: [api(&proxies[0]).await, api(&proxies[1]).await],
            keys: Arc::new(Keys {
                current: std::array::from_fn(|slot| AtomicI64::new(slot as i64 + 1)),
                next: AtomicI64::new(KEYS as i64 + 1),
            }),
            _proxies: proxies,
            _stores: (database, redis),
        }
    }

    async fn history(&self, length: Duration) -> Vec<Event> {
        let started = Instant::now();
        let events = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::new(AtomicU64::new(0));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = Client {
                    addresses: [self.processes[0].address, self.processes[1].address],
                    random: fastrand::Rng::with_seed(number),
                    keys: Arc::clone(&self.keys),
                    written: Arc::clone(&written),
                    events: Arc::clone(&events),
                    started,
                };
                tokio::spawn(client.run(length))
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        let events = std::mem::take(&mut *events.lock().unwrap());
        let writes = events.iter().filter(|event| event.wrote).count();
        println!(
            "{} answers, {writes} of them to writes, in {length:?}",
            events.len()
        );
        assert!(
            writes > 50 && events.len() > 500,
            "hardly anything happened"
        );
        events
    }

    async fn until_stale(self) {
        let started = Instant::now();
        loop {
            let violations = check(self.history(Duration::from_secs(2)).await);
            if violations.iter().any(|v| matches!(v, Violation::Stale(..))) {
                println!("{} after {:?}", violations.len(), started.elapsed());
                return;
            }
            assert!(started.elapsed() < PATIENCE, "nothing stale was seen");
        }
    }
}

struct Client {
    addresses: [SocketAddr; 2],
    random: fastrand::Rng,
    keys: Arc<Keys>,
    written: Arc<AtomicU64>,
    events: Arc<Mutex<Vec<Event>>>,
    started: Instant,
}

impl Client {
    async fn run(mut self, length: Duration) {
        let mut connections = [
            Connection::open(self.addresses[0]).await.unwrap(),
            Connection::open(self.addresses[1]).await.unwrap(),
        ];
        while self.started.elapsed() < length {
            let slot = self.random.usize(..KEYS);
            let key = self.keys.current[slot].load(Ordering::SeqCst);
            let process = self.random.usize(..2);
            let path = format!("/items/{key}");
            let (what, request) = match self.random.u32(..1_000) {
                0..2 => ("DELETE", request("DELETE", &path, &[], None)),
                2..150 => {
                    let write = self.written.fetch_add(1, Ordering::Relaxed);
                    let draft = json!({"name": format!("write {write}"), "price_cents": 1});
                    ("PUT", request("PUT", &path, &[], Some(&draft)))
                }
                _ => ("GET", request("GET", &path, &[], None)),
            };
            let began = self.started.elapsed();
            let answer = connections[process].send(request).await.unwrap();
            let answered = self.started.elapsed();
            // Of these nobody was told anything, and a write among them may or may not be done.
            if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                continue;
            }
            let (version, content) = seen(&answer);
            if version == DELETED {
                let next = self.keys.next.fetch_add(1, Ordering::SeqCst);
                let current = &self.keys.current[slot];
                let _ = current.compare_exchange(key, next, Ordering::SeqCst, Ordering::SeqCst);
            }
            self.events.lock().unwrap().push(Event {
                key,
                began,
                answered,
                version,
                content,
                wrote: what != "GET" && answer.status.is_success(),
                binds: binds(&answer),
                by: format!("{what} by {process}: {}", answer.header("cache-status")),
            });
        }
    }
}

/// Whether Redis has what was answered.
fn binds(answer: &Answer) -> bool {
    let status = answer.header("cache-status");
    status.contains("hit") || status.contains("stored")
}

fn seen(answer: &Answer) -> (i64, String) {
    match answer.status {
        StatusCode::OK => {
            let item: Value = answer.json();
            let version = item["version"].as_i64().unwrap();
            assert_eq!(answer.header("etag"), format!("\"{version}\""));
            (version, item["name"].as_str().unwrap().to_owned())
        }
        StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => (DELETED, String::new()),
        _ => panic!("{answer:?}"),
    }
}
