//! Requests on their way, and listeners.

use super::*;

#[tokio::test]
async fn requests_go_to_the_targets_in_turn_over_kept_connections() {
    let world = World::new();
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.put(1, a.at);
    world.put(2, b.at);
    world.route(&[1, 2]);
    let mut names = Vec::new();
    for _ in 0..20 {
        let response = world.get("/").await;
        names.push(response.headers()["x-backend"].to_str().unwrap().to_owned());
    }
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    // A connection is given back by a task of its own, so now and then one more is opened.
    assert!(a.connections.load(Ordering::SeqCst) < 10);
}

#[tokio::test]
async fn the_target_sees_the_client_and_the_host() {
    let world = World::new();
    let backend = Backend::start("a").await;
    world.put(1, backend.at);
    world.route(&[1]);
    let request = world
        .request("POST", "/items?x=1")
        .header("host", "shop.example")
        .header("connection", "close, x-drop")
        .header("x-drop", "1")
        .header("x-forwarded-for", "10.9.9.9")
        .header("expect", "100-continue")
        .body(Full::from("body"))
        .unwrap();
    let response = world.send(request).await;
    assert_eq!(response.body(), "body");
    let saw = |name: &str| {
        let value = response.headers().get(format!("saw-{name}"));
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(saw("host").unwrap(), "shop.example");
    assert_eq!(saw("x-forwarded-for").unwrap(), "10.9.9.9, 127.0.0.1");
    assert_eq!(saw("x-forwarded-proto").unwrap(), "http");
    assert_eq!(saw("x-forwarded-port").unwrap(), "80");
    assert!(saw("x-amzn-trace-id").unwrap().starts_with("Root=1-"));
    assert_eq!(
        (saw("connection"), saw("x-drop"), saw("expect")),
        (None, None, None)
    );
}

#[tokio::test]
async fn a_refused_connection_is_tried_elsewhere_for_every_method() {
    let world = World::new();
    let (gone, here) = (Backend::start("gone").await, Backend::start("here").await);
    world.put(1, gone.at);
    world.put(2, here.at);
    gone.stop().await;
    // The third is not anywhere at all.
    world.route(&[1, 2, 3]);
    for _ in 0..6 {
        let request = world
            .request("POST", "/")
            .body(Full::from("x".repeat(100_000)));
        let response = world.send(request.unwrap()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.body().len(), 100_000);
    }
    world.route(&[1, 3]);
    assert_eq!(world.get("/").await.status(), 502);
}

#[tokio::test]
async fn listeners_come_and_go_with_the_routes() {
    let world = World::new();
    let route = |listener: &str, port| route(listener, port, Vec::new());
    world.balancer.apply(vec![
        route("arn:a", 80),
        route("arn:b", 80),
        route("arn:c", 8443),
    ]);
    let arns = world.balancer.listener_arns();
    assert_eq!(arns["arn:a"], world.at);
    assert_eq!(world.balancer.listeners()[&8443], arns["arn:c"]);
    assert_eq!(arns.values().collect::<BTreeSet<_>>().len(), 3);

    world.balancer.apply(vec![route("arn:b", 80)]);
    assert_eq!(world.balancer.listeners()[&80], world.at);
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(arns["arn:c"]).await.is_ok() {
        assert!(Instant::now() < deadline, "the listener is still open");
        sleep(Duration::from_millis(5)).await;
    }
    world.balancer.apply(vec![route("arn:d", 80)]);
    assert_eq!(world.balancer.listener_arns()["arn:d"], world.at);
}

#[tokio::test]
async fn a_listener_that_moves_leaves_its_port() {
    let world = World::new();
    world.balancer.apply(vec![route("arn:a", 80, Vec::new())]);
    world.balancer.apply(vec![route("arn:a", 81, Vec::new())]);
    let arns = world.balancer.listener_arns();
    assert_eq!(world.balancer.listeners()[&81], arns["arn:a"]);
    assert_ne!(arns["arn:a"], world.at);
    world.balancer.apply(vec![route("arn:a", 80, Vec::new())]);
    assert_eq!(world.balancer.listener_arns()["arn:a"], world.at);
    assert!(!world.balancer.listeners().contains_key(&81));
}
