//! Targets come and go under load.

use super::*;

/// Requests without a pause on several connections until told to stop; the count, and each one that failed.
struct Hammer {
    stop: Arc<AtomicBool>,
    workers: Vec<tokio::task::JoinHandle<(usize, Vec<String>)>>,
}

impl Hammer {
    fn start(world: &World, method: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let workers = (0..8).map(|_| {
            let (stop, client, at) = (Arc::clone(&stop), world.client.clone(), world.at);
            tokio::spawn(async move {
                let (mut count, mut failures) = (0, Vec::new());
                while !stop.load(Ordering::SeqCst) {
                    let request = Request::builder()
                        .method(method)
                        .uri(format!("http://{at}/"))
                        .body(Full::from(if method == "POST" { "hello" } else { "" }))
                        .unwrap();
                    count += 1;
                    match client.request(request).await {
                        Ok(response) if response.status() == 200 => {
                            if let Err(error) = response.into_body().collect().await {
                                failures.push(error.to_string());
                            }
                        }
                        Ok(response) => failures.push(response.status().to_string()),
                        Err(error) => failures.push(format!("{error:?}")),
                    }
                }
                (count, failures)
            })
        });
        Self {
            workers: workers.collect(),
            stop,
        }
    }

    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        let mut total = 0;
        for worker in self.workers {
            let (count, failures) = worker.await.unwrap();
            assert_eq!(failures, Vec::<String>::new(), "of {count} requests");
            total += count;
        }
        total
    }
}

/// Until the backend has been sent that many more requests.
async fn served(backend: &Backend, more: usize) {
    let goal = backend.requests.load(Ordering::SeqCst) + more;
    let deadline = Instant::now() + Duration::from_secs(20);
    while backend.requests.load(Ordering::SeqCst) < goal {
        assert!(Instant::now() < deadline, "the backend gets no requests");
        sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_rolling_change_fails_no_request() {
    for method in ["GET", "POST"] {
        let world = World::new();
        let mut old = Backend::start("0").await;
        world.put(0, old.at);
        world.route(&[0]);
        let hammer = Hammer::start(&world, method);
        for round in 1..20u8 {
            served(&old, 100).await;
            let new = Backend::start("next").await;
            world.put(round, new.at);
            world.route(&[round - 1, round]);
            served(&new, 20).await;
            let leaving = world.target(round - 1);
            world.route(&[round]);
            // What was being sent when the route changed arrives; AWS waits for the deregistration delay.
            let deadline = Instant::now() + Duration::from_secs(20);
            while leaving.strong_count() > 0 {
                assert!(Instant::now() < deadline, "a request is still being sent");
                sleep(Duration::from_millis(2)).await;
            }
            let requests = old.requests.load(Ordering::SeqCst);
            served(&new, 20).await;
            assert_eq!(old.requests.load(Ordering::SeqCst), requests);
            old.stop().await;
            old = new;
        }
        assert!(hammer.stop().await > 1_000);
    }
}

/// A target that answers once on each connection, and closes it when the next request comes: as if it had just been about
/// to. Every other time it has read that request. Counts its answers.
async fn one_answer_each() -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let answers = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answers);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = socket.accept().await.unwrap();
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                if stream.read(&mut buffer).await.unwrap() > 0 {
                    stream.write_all(answer).await.unwrap();
                    stream.readable().await.unwrap();
                    if count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
                        let _ = stream.read(&mut buffer).await;
                    }
                }
            });
        }
    });
    (at, answers)
}

/// A new connection that the target closes is another matter: that is a 502, as with ALB.
#[tokio::test]
async fn idle_connections_that_the_target_closes_fail_no_request() {
    let world = World::new();
    let (at, answers) = one_answer_each().await;
    world.put(1, at);
    world.route(&[1]);
    let hammer = Hammer::start(&world, "GET");
    let deadline = Instant::now() + Duration::from_secs(20);
    while answers.load(Ordering::SeqCst) < 1_000 {
        assert!(Instant::now() < deadline, "the target gets no requests");
        sleep(Duration::from_millis(2)).await;
    }
    assert!(hammer.stop().await >= 1_000);
}

#[tokio::test]
async fn a_target_that_left_finishes_its_requests_and_loses_its_connections() {
    let world = World::new();
    let backend = Backend::start("a").await;
    world.put(1, backend.at);
    world.route(&[1]);
    world.get("/").await;
    let slow = {
        let request = world.request("GET", "/slow").body(Full::default()).unwrap();
        let client = world.client.clone();
        tokio::spawn(async move { client.request(request).await.unwrap().status() })
    };
    served(&backend, 1).await;
    world.route(&[]);
    assert_eq!(world.get("/").await.status(), 503);
    assert_eq!(slow.await.unwrap(), 200);
    // Every connection is closed by the balancer: only then does the backend's last task end without being told.
    backend.running.close();
    let deadline = Instant::now() + Duration::from_secs(10);
    while backend.running.len() > 1 {
        assert!(Instant::now() < deadline, "a connection stays open");
        sleep(Duration::from_millis(5)).await;
    }
}
