mod ending;
mod starting;
mod watching;

use std::{collections::BTreeMap, fs, net::Ipv4Addr, os::unix::fs::PermissionsExt};

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
