use std::{collections::BTreeMap, fs, net::Ipv4Addr, os::unix::fs::PermissionsExt};

use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::*;
use crate::core::{Check, ContainerLaunch, LocalImage, LogTarget, Port, ProbeResult};

const TASK: &str = "arn:aws:ecs:us-east-1:000000000000:task/main/0123abcd";

struct World {
    driver: Driver,
    events: mpsc::Receiver<Event>,
    state: TempDir,
}

impl World {
    async fn start() -> Self {
        let state = tempfile::tempdir().unwrap();
        let (sender, events) = mpsc::channel(16);
        let driver = Driver::start(state.path(), state.path(), Clock::start(), sender);
        Self {
            driver: driver.await.unwrap(),
            events,
            state,
        }
    }

    /// A container that runs a shell script.
    fn container(&self, name: &str, script: &str) -> ContainerLaunch {
        let script = format!("#!/bin/sh\n{script}\n");
        let digest = hex::encode(Sha256::digest(&script));
        let directory = self.state.path().join("sha256");
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join(&digest);
        if !path.exists() {
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        ContainerLaunch {
            name: name.into(),
            image: LocalImage {
                schema_version: 2,
                media_type: LocalImage::MEDIA_TYPE.into(),
                executable: format!("sha256:{digest}"),
                env: BTreeMap::new(),
                args: Vec::new(),
            },
            command: None,
            environment: BTreeMap::new(),
            ports: Vec::new(),
            log: Some(LogTarget {
                group: "/ecs/test".into(),
                stream: format!("ecs/{name}/0123abcd"),
            }),
            stop_timeout: Duration::from_secs(30),
        }
    }

    fn launch(&self, containers: Vec<ContainerLaunch>) {
        self.driver.start_task(TaskLaunch {
            task: TASK.into(),
            address: Ipv4Addr::new(10, 0, 0, 4),
            group: "service:api".into(),
            containers,
        });
    }

    async fn event(&mut self) -> Event {
        let event = timeout(Duration::from_secs(20), self.events.recv()).await;
        event.expect("an event within 20 s").unwrap()
    }

    async fn started(&mut self) {
        let event = self.event().await;
        assert_eq!(event, Event::TaskStarted { task: TASK.into() });
    }

    /// Until a line with this text has come.
    async fn line(&mut self, text: &str) {
        loop {
            if let Event::Output { lines, .. } = self.event().await
                && lines.iter().any(|(_, line)| line == text)
            {
                return;
            }
        }
    }

    /// Until the container has ended: its lines, and its exit code.
    async fn end(&mut self) -> (Vec<String>, i32) {
        let mut lines = Vec::new();
        loop {
            match self.event().await {
                Event::Output { lines: more, .. } => {
                    lines.extend(more.into_iter().map(|(_, line)| line));
                }
                Event::ContainerExited { exit_code, .. } => return (lines, exit_code),
                Event::TaskStarted { .. } => {}
                other @ (Event::TaskFailedToStart { .. }
                | Event::CheckFinished { .. }
                | Event::ProbeFinished { .. }) => {
                    panic!("{other:?}")
                }
            }
        }
    }

    fn file(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.state.path().join(name)).unwrap()).unwrap()
    }

    async fn until_empty(&self, name: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.file(name) != serde_json::json!([]) {
            assert!(Instant::now() < deadline, "{name}: {}", self.file(name));
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The one process in the ledger.
    fn pid(&self) -> i32 {
        let pid = self.file("tasks.pids")[0]["pid"].as_i64().unwrap();
        i32::try_from(pid).unwrap()
    }
}

fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|it| it.1.chars().next());
    state.is_some_and(|state| state != 'Z')
}

#[tokio::test]
async fn the_environment_is_image_then_definition_then_ours_and_nothing_else() {
    let mut world = World::start().await;
    let mut container = world.container("api", "env; echo args: \"$@\"");
    let map = |pairs: &[(&str, &str)]| {
        let owned = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        owned.collect::<BTreeMap<String, String>>()
    };
    container.image.env = map(&[("A", "image"), ("B", "image"), ("PORT", "image")]);
    container.environment = map(&[("B", "definition"), ("HOST", "definition")]);
    container.image.args = vec!["one".into(), "two words".into()];
    container.ports = vec![
        Port {
            name: Some("web-1".into()),
            container_port: 80,
        },
        Port {
            name: Some("metrics".into()),
            container_port: 9100,
        },
    ];
    world.launch(vec![container]);
    world.started().await;
    let address = Ipv4Addr::new(10, 0, 0, 4);
    let web = world.driver.addresses().find(address, 80).unwrap();
    let metrics = world.driver.addresses().find(address, 9100).unwrap();
    let (mut lines, code) = world.end().await;
    assert_eq!(code, 0);
    lines.retain(|line| !line.starts_with("PWD=") && !line.starts_with("_="));
    lines.sort();
    let port = web.port();
    assert_eq!(
        lines,
        [
            "A=image".to_owned(),
            "B=definition".to_owned(),
            "HOST=127.0.0.1".to_owned(),
            format!("METRICS_PORT={}", metrics.port()),
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            format!("PORT={port}"),
            format!("WEB_1_PORT={port}"),
            "args: one two words".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_command_replaces_the_images_arguments() {
    let mut world = World::start().await;
    let mut container = world.container("api", "echo \"$#:$*\"");
    container.image.args = vec!["image".into()];
    container.command = Some(vec!["given".into(), "args".into()]);
    world.launch(vec![container]);
    assert_eq!(world.end().await, (vec!["2:given args".to_owned()], 0));
}

#[tokio::test]
async fn all_output_comes_before_the_end() {
    let mut world = World::start().await;
    let script = "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done; echo last >&2; printf tail; exit 3";
    world.launch(vec![world.container("api", script)]);
    let (lines, code) = world.end().await;
    assert_eq!(code, 3);
    assert_eq!(lines.len(), 5_002);
    assert!(lines.contains(&"last".into()) && lines.contains(&"tail".into()));
    world.until_empty("tasks.pids").await;
}

#[tokio::test]
async fn a_descendant_that_keeps_the_pipe_does_not_hold_up_the_end() {
    let mut world = World::start().await;
    // `setsid` takes it out of the process group, as a daemon does.
    let script = "setsid sleep 60 & echo $!; exit 1";
    world.launch(vec![world.container("api", script)]);
    let before = Instant::now();
    let (lines, code) = world.end().await;
    assert_eq!(code, 1);
    assert!(before.elapsed() < Duration::from_secs(15));
    let pid = nix::unistd::Pid::from_raw(lines[0].parse().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn what_the_process_started_ends_with_it() {
    let mut world = World::start().await;
    world.launch(vec![world.container("api", "sleep 600 & echo $!; exit 0")]);
    let (lines, _) = world.end().await;
    let pid: i32 = lines[0].parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while lives(pid) {
        assert!(Instant::now() < deadline, "{pid} still runs");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn stopping_is_sigterm_first() {
    let mut world = World::start().await;
    let script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    world.launch(vec![world.container("api", script)]);
    world.line("up").await;
    world.driver.stop_task(TASK);
    assert_eq!(world.end().await, (vec!["bye".to_owned()], 0));
    assert!(lock(&world.driver.stops).is_empty() || world.driver.running.len() <= 1);
}

#[tokio::test]
async fn what_ignores_sigterm_is_killed_after_its_stop_timeout() {
    let mut world = World::start().await;
    let mut container =
        world.container("api", "trap '' TERM; echo up; while :; do sleep 0.05; done");
    container.stop_timeout = Duration::from_millis(300);
    world.launch(vec![container]);
    world.line("up").await;
    let before = Instant::now();
    world.driver.stop_task(TASK);
    assert_eq!(world.end().await.1, 137);
    assert!(before.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_signal_is_128_and_its_number() {
    let mut world = World::start().await;
    world.launch(vec![world.container("api", "kill -TERM $$")]);
    assert_eq!(world.end().await.1, 143);
}

#[tokio::test]
async fn a_container_that_cannot_start_stops_the_others() {
    let mut world = World::start().await;
    let first = world.container("first", "sleep 600");
    let mut missing = world.container("missing", "");
    missing.image.executable = format!("sha256:{}", "0".repeat(64));
    missing.environment = BTreeMap::from([("TOKEN".into(), "s3cret".into())]);
    world.launch(vec![first, missing]);
    let Event::TaskFailedToStart { reason, .. } = world.event().await else {
        panic!("it did start");
    };
    assert!(reason.starts_with("CannotPullContainerError: the executable is not at /"));
    assert!(!reason.contains("s3cret"));
    assert_eq!(world.end().await.1, 143);
    world.until_empty("tasks.pids").await;
}

#[tokio::test]
async fn what_is_not_a_digest_or_not_a_program_is_said() {
    for (executable, word) in [
        ("sha256:../../../bin/sh", "CannotPullContainerError"),
        ("bin/sh", "CannotPullContainerError"),
        ("", "CannotPullContainerError"),
    ] {
        let mut world = World::start().await;
        let mut container = world.container("api", "");
        container.image.executable = executable.into();
        world.launch(vec![container]);
        let Event::TaskFailedToStart { reason, .. } = world.event().await else {
            panic!("it did start");
        };
        assert!(reason.starts_with(word), "{reason}");
    }
    let mut world = World::start().await;
    let container = world.container("api", "");
    let digest = container.image.executable.trim_start_matches("sha256:");
    let path = world.state.path().join("sha256").join(digest);
    fs::write(&path, [0x7f, b'E', b'L', b'F', 0, 0]).unwrap();
    world.launch(vec![container]);
    let Event::TaskFailedToStart { reason, .. } = world.event().await else {
        panic!("it did start");
    };
    assert!(
        reason.starts_with("CannotStartContainerError: /"),
        "{reason}"
    );
}

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

#[tokio::test]
async fn the_end_of_the_driver_ends_every_process() {
    let mut world = World::start().await;
    world.launch(vec![world.container(
        "api",
        "trap '' TERM; echo up; while :; do sleep 0.05; done",
    )]);
    world.line("up").await;
    let pid = world.pid();
    assert!(lives(pid));
    let World {
        driver,
        events,
        state,
    } = world;
    drop(events);
    driver.shutdown().await;
    assert!(!lives(pid));
    assert_eq!(fs::read(state.path().join("tasks.pids")).unwrap(), b"[]");
}

#[tokio::test]
async fn a_new_driver_ends_what_a_killed_one_left() {
    let mut world = World::start().await;
    world.launch(vec![world.container("api", "echo up; exec sleep 600")]);
    world.line("up").await;
    let pid = world.pid();
    let (sender, _events) = mpsc::channel(1);
    let path = world.state.path();
    let _next = Driver::start(path, path, Clock::start(), sender)
        .await
        .unwrap();
    assert!(!lives(pid));
    assert_eq!(world.end().await.1, 143);
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
