//! A real Prometheus: it finds the daemon and every task, and can read all that they say.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use evenkeel::status::Phase;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Duration, Instant};

use crate::world::{PATIENCE, World, get, try_get};

/// A Prometheus with its data in a directory of its own; ends with the test.
struct Prometheus {
    process: Child,
    url: String,
    directory: TempDir,
}

impl Prometheus {
    fn start(world: &World) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let daemon = world.endpoints.daemon.trim_start_matches("http://");
        // JSON is YAML.
        let config = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [
                {"job_name": "evenkeel", "static_configs": [{"targets": [daemon]}]},
                {"job_name": "tasks", "file_sd_configs": [{"files": [world.state().join("tasks.json")]}]},
            ],
        });
        let file = directory.path().join("prometheus.yml");
        fs::write(&file, config.to_string()).unwrap();
        // Prometheus does not say which port it took: one is taken for it, and given back.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus is not installed: run through `make test`");
        Self {
            process,
            url: format!("http://{address}"),
            directory,
        }
    }

    /// Asks its API; null while it starts.
    async fn ask(&self, path: &str) -> Value {
        match try_get(&format!("{}/api/v1/{path}", self.url)).await {
            Ok(answer) => serde_json::from_slice(answer.body()).unwrap_or_default(),
            Err(_) => Value::Null,
        }
    }

    /// Waits until its targets are as wanted, and returns them.
    async fn targets(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask("targets?state=active").await;
            let targets = answer["data"]["activeTargets"].as_array().cloned();
            let targets = targets.unwrap_or_default();
            if wanted(&targets) {
                return targets;
            }
            assert!(
                Instant::now() < deadline,
                "not {what}: {targets:#?}\n{}",
                fs::read_to_string(self.directory.path().join("log")).unwrap()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        // It may have ended by itself.
        let _ = kill(pid, Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

fn is_up(target: &Value) -> bool {
    target["health"] == "up" && target["lastError"] == ""
}

fn task_of(target: &Value) -> Option<&str> {
    target["labels"]["task"].as_str()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_scrapes_the_daemon_and_every_task() {
    let world = World::start().await;
    world
        .until("in sync", |status| status.phase == Phase::Synced)
        .await;
    let prometheus = Prometheus::start(&world);
    let before = prometheus
        .targets("all up", |targets| {
            targets.len() == 3 && targets.iter().all(is_up)
        })
        .await;
    let tasks: Vec<_> = before.iter().filter_map(task_of).collect();
    assert_eq!(tasks.len(), 2, "{before:#?}");
    for target in before.iter().filter(|target| task_of(target).is_some()) {
        assert_eq!(
            (&target["labels"]["service"], &target["labels"]["container"]),
            (&json!("api"), &json!("api"))
        );
    }
    for target in &before {
        let page = get(target["scrapeUrl"].as_str().unwrap()).await;
        check_metrics(page.body());
    }
    let answer = prometheus
        .ask("query?query=evenkeel_service_running_tasks")
        .await;
    let sample = &answer["data"]["result"][0];
    assert_eq!(
        (&sample["metric"]["service"], &sample["value"][1]),
        (&json!("api"), &json!("2")),
        "{answer}"
    );

    // The list follows a rollout: new tasks come, old ones leave.
    world.set_tag("1.1.0");
    prometheus
        .targets("only the new tasks", |targets| {
            targets.len() == 3
                && targets.iter().all(is_up)
                && !targets
                    .iter()
                    .filter_map(task_of)
                    .any(|task| tasks.contains(&task))
        })
        .await;
}

/// What promtool thinks of a page of metrics: nothing.
fn check_metrics(page: &[u8]) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is not installed: run through `make test`");
    promtool.stdin.take().unwrap().write_all(page).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success() && text.is_empty(), "{text}");
}
