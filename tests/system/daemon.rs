//! `evenkeel run` by itself, before an AWS of the test's choice.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::time::{Duration, Instant};

use crate::world::{PATIENCE, try_get};

/// A running `evenkeel run`. It is killed with the test.
pub struct Daemon {
    process: Child,
    url: String,
    log: PathBuf,
}

impl Daemon {
    /// Starts it with these arguments besides where it serves, and waits until it says where that is. `log` is written.
    pub async fn start(
        arguments: &[&str],
        environment: BTreeMap<&'static str, String>,
        log: &Path,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command
            .args(["run", "--http", "127.0.0.1:0", "--log-format", "json"])
            .args(arguments)
            .envs(environment)
            .stdin(Stdio::null())
            .stderr(File::create(log).unwrap());
        let mut daemon = Self {
            process: command.spawn().unwrap(),
            url: String::new(),
            log: log.to_owned(),
        };
        let address = until("the daemon says where it listens", async || {
            let mut lines = daemon.log();
            lines.retain(|line| line["message"] == "listening");
            Some(lines.first()?["address"].as_str()?.to_owned())
        });
        daemon.url = format!("http://{}", address.await);
        daemon
    }

    /// Its log so far, line by line.
    pub fn log(&self) -> Vec<Value> {
        let said = fs::read_to_string(&self.log).unwrap();
        said.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The text of one of its pages, and whether its status is a success.
    pub async fn page(&self, path: &str) -> Option<(bool, String)> {
        let answer = try_get(&format!("{}{path}", self.url)).await.ok()?;
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        Some((answer.status().is_success(), text))
    }

    /// One of its pages in JSON.
    pub async fn json(&self, path: &str) -> Option<Value> {
        let (_, text) = self.page(path).await?;
        serde_json::from_str(&text).ok()
    }

    /// Waits until its one service is in sync.
    pub async fn until_synced(&self) {
        until("it is in sync", async || {
            let services = self.json("/api/v1/services").await?;
            (services[0]["phase"] == "Synced").then_some(())
        })
        .await;
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Stops it as ECS would.
    pub async fn stop(self) {
        self.stop_within(PATIENCE).await;
    }

    /// The same; it must have ended in this time.
    pub async fn stop_within(mut self, time: Duration) {
        self.signal(Signal::SIGTERM);
        let ended = within(time, "it has ended", async || {
            self.process.try_wait().unwrap()
        });
        let status = ended.await;
        assert!(status.success(), "{status}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Polls until there is an answer.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look).await
}

/// Polls until there is an answer, which must come in this time.
pub async fn within<T>(time: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + time;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {time:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
