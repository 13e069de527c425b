//! What is seen of a running task: its metrics, its probes, its health checks.

use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

use super::*;

#[tokio::test]
async fn metrics_addresses_are_listed_while_the_task_lives() {
    let mut world = World::start().await;
    let mut container = world.container("api", "exec sleep 600");
    container.ports = vec![Port {
        name: Some("metrics".into()),
        container_port: 9100,
    }];
    world.launch(vec![container]);
    world.started().await;
    let address = world
        .driver
        .addresses()
        .find(Ipv4Addr::new(10, 0, 0, 4), 9100);
    assert_eq!(
        world.file("tasks.json"),
        serde_json::json!([{
            "targets": [address.unwrap().to_string()],
            "labels": {"service": "api", "task": "0123abcd", "container": "api"},
        }])
    );
    world.driver.stop_task(TASK);
    assert_eq!(world.end().await.1, 143);
    world.until_empty("tasks.json").await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while world
        .driver
        .addresses()
        .find(Ipv4Addr::new(10, 0, 0, 4), 9100)
        .is_some()
    {
        assert!(Instant::now() < deadline, "the address is still known");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn status(request: Request<Incoming>) -> Result<Response<String>, hyper::Error> {
    let agent = request.headers()["user-agent"].to_str().unwrap();
    let ours = agent == "ELB-HealthChecker/2.0" && request.uri() == "/health?deep=1";
    let mut response = Response::new(String::new());
    *response.status_mut() = if ours { 204 } else { 400 }.try_into().unwrap();
    Ok(response)
}

#[tokio::test]
async fn probes_say_what_came_back() {
    let mut world = World::start().await;
    let listen = || async { tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap() };
    let (good, silent) = (listen().await, listen().await);
    let address = Ipv4Addr::new(10, 0, 0, 9);
    let addresses = world.driver.addresses();
    addresses.put(address, 1, good.local_addr().unwrap());
    addresses.put(address, 2, silent.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = good.accept().await.unwrap();
        http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(status))
            .await
    });
    for (port, expected) in [
        (1, ProbeResult::Status(204)),
        (2, ProbeResult::TimedOut),
        (3, ProbeResult::Failed),
    ] {
        world.driver.probe(Probe {
            id: 7,
            address,
            port,
            path: "/health?deep=1".into(),
            timeout: Duration::from_millis(500),
        });
        let event = world.event().await;
        let finished = Event::ProbeFinished {
            id: 7,
            result: expected,
        };
        assert_eq!(event, finished, "port {port}");
    }
}

/// The outcome of a shell script as a check of container `api`.
async fn check(world: &mut World, script: &str, timeout: Duration) -> bool {
    world.driver.check(Check {
        task: TASK.into(),
        container: "api".into(),
        command: vec!["/bin/sh".into(), "-c".into(), script.into()],
        timeout,
    });
    loop {
        if let Event::CheckFinished { passed, .. } = world.event().await {
            return passed;
        }
    }
}

#[tokio::test]
async fn a_check_has_its_containers_environment_and_passes_with_exit_code_0() {
    let mut world = World::start().await;
    let mut container = world.container("api", "sleep 600");
    container.environment = BTreeMap::from([("ROLE".into(), "api".into())]);
    world.launch(vec![container]);
    world.started().await;
    let (long, short) = (Duration::from_secs(20), Duration::from_millis(200));
    assert!(
        check(
            &mut world,
            "test $ROLE = api && test $HOST = 127.0.0.1",
            long
        )
        .await
    );
    assert!(!check(&mut world, "exit 3", long).await);
    assert!(!check(&mut world, "sleep 600 & sleep 600", short).await);
    // Only the container itself is left.
    assert_eq!(world.file("tasks.pids").as_array().unwrap().len(), 1);
    let before = Instant::now();
    world.driver.check(Check {
        task: TASK.into(),
        container: "api".into(),
        command: vec!["sleep".into(), "600".into()],
        timeout: long,
    });
    world.driver.stop_task(TASK);
    world.end().await;
    world.until_empty("tasks.pids").await;
    assert!(before.elapsed() < long, "a check ends with its container");
}
