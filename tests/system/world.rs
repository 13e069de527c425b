//! One whole system for one test: `evenkeel local up` on ports of its own, with a database and a Redis database of its
//! own, and a copy of the manifests to edit. It ends with the test.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use evenkeel::{event::Event, status::ServiceStatus};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

pub use crate::http::{client, fetch, get, post, try_get};
use crate::{
    record,
    stores::{Redis, database},
};

/// The longest that anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often the daemon looks at everything, in seconds.
pub const RESYNC: u64 = 5;

/// The access key that `local up` gives to its daemon.
pub const DAEMON: &str = "evenkeel-daemon";

/// A running system.
pub struct World {
    supervisor: Child,
    directory: TempDir,
    /// Where everything listens.
    pub endpoints: Endpoints,
    _redis: Redis,
}

/// The content of `endpoints.json` that tests need.
#[derive(Debug, Deserialize)]
pub struct Endpoints {
    /// The API through the load balancer.
    pub load_balancer: String,
    /// The daemon.
    pub daemon: String,
    /// The AWS endpoint.
    pub aws: String,
}

/// A call as the emulator wrote it down.
#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    /// The operation.
    pub operation: String,
    /// Whether it changes something.
    pub write: bool,
    /// The access key that signed it.
    pub caller: String,
    /// What was asked.
    pub input: Value,
    /// `OK`, or AWS's error code.
    pub code: String,
}

impl World {
    /// Starts everything and waits for `ready`.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, with the manifest changed first.
    pub async fn start_with(change: impl FnOnce(&mut String)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let manifests = directory.path().join("manifests");
        fs::create_dir(&manifests).unwrap();
        let mut manifest =
            fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/api.yaml")).unwrap();
        change(&mut manifest);
        fs::write(manifests.join("api.yaml"), manifest).unwrap();
        let redis = Redis::take().await;
        let mut up = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        up.args(["local", "up"])
            .env("EVENKEEL_LB_PORT", "0")
            .env("EVENKEEL_HTTP_PORT", "0")
            .env("EVENKEEL_AWS_PORT", "0")
            .env("EVENKEEL_SPEED", "20")
            .env("EVENKEEL_RESYNC", RESYNC.to_string())
            .env("EVENKEEL_STATE", directory.path().join("state"))
            .env("EVENKEEL_MANIFESTS", &manifests)
            .env("DATABASE_URL", database().await)
            .env("REDIS_URL", redis.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut supervisor = up.spawn().unwrap();
        wait_for_ready(&mut supervisor).await;
        let written = fs::read_to_string(directory.path().join("state/endpoints.json")).unwrap();
        Self {
            supervisor,
            endpoints: serde_json::from_str(&written).unwrap(),
            directory,
            _redis: redis,
        }
    }

    /// The manifest that the daemon reads.
    pub fn manifest(&self) -> PathBuf {
        self.directory.path().join("manifests/api.yaml")
    }

    /// Another manifest beside it.
    pub fn beside(&self, file: &str) -> PathBuf {
        self.directory.path().join("manifests").join(file)
    }

    /// Edits the manifest as a person does: by writing it anew. `from` must be there.
    pub fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.manifest()).unwrap();
        assert!(text.contains(from), "{from} is not in the manifest");
        fs::write(self.manifest(), text.replace(from, to)).unwrap();
    }

    /// Rolls out another tag.
    pub fn set_tag(&self, tag: &str) {
        let text = fs::read_to_string(self.manifest()).unwrap();
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with("tag:"))
            .unwrap();
        self.edit(line, &format!("    tag: \"{tag}\""));
    }

    /// The status of `api`, as the daemon tells it; `None` while it is being restarted.
    pub async fn status(&self) -> Option<ServiceStatus> {
        let services: Vec<ServiceStatus> = self.daemon("/api/v1/services").await?;
        services.into_iter().find(|status| status.name == "api")
    }

    /// The daemon's events, newest first.
    pub async fn events(&self) -> Vec<Event> {
        self.daemon("/api/v1/events").await.unwrap()
    }

    /// A page of the daemon, decoded; `None` while it cannot be reached.
    async fn daemon<T: serde::de::DeserializeOwned>(&self, path: &str) -> Option<T> {
        let response = try_get(&format!("{}{path}", self.endpoints.daemon))
            .await
            .ok()?;
        Some(serde_json::from_slice(&response.into_body()).unwrap())
    }

    /// Waits until `api`'s status is as wanted, and returns it.
    pub async fn until(
        &self,
        what: &str,
        wanted: impl Fn(&ServiceStatus) -> bool,
    ) -> ServiceStatus {
        let api = |status: &&ServiceStatus| status.name == "api" && status.cluster == "evenkeel";
        let all = self
            .until_all(what, |all| all.iter().find(api).is_some_and(&wanted))
            .await;
        all.iter().find(api).unwrap().clone()
    }

    /// Waits until the status of all services together is as wanted, and returns it.
    pub async fn until_all(
        &self,
        what: &str,
        wanted: impl Fn(&[ServiceStatus]) -> bool,
    ) -> Vec<ServiceStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let all: Option<Vec<ServiceStatus>> = self.daemon("/api/v1/services").await;
            if let Some(all) = all.as_ref().filter(|all| wanted(all)) {
                return all.clone();
            }
            if Instant::now() > deadline {
                self.show_logs();
                panic!("not {what} within {PATIENCE:?}; the status is {all:#?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Every call that AWS has had so far.
    pub async fn journal(&self) -> Vec<Call> {
        let response = get(&format!("{}/_emulator/journal", self.endpoints.aws)).await;
        let mut journal: Value = serde_json::from_slice(response.body()).unwrap();
        serde_json::from_value(journal["entries"].take()).unwrap()
    }

    /// The daemon's writes so far.
    pub async fn daemon_writes(&self) -> Vec<Call> {
        let mut calls = self.journal().await;
        calls.retain(|call| call.write && call.caller == DAEMON);
        calls
    }

    /// Waits for so many more full looks of the daemon at its service, each of which begins with DescribeServices.
    pub async fn resyncs(&self, many: usize) {
        let looks = async || {
            let calls = self.journal().await;
            calls
                .iter()
                .filter(|call| call.operation == "DescribeServices" && call.caller == DAEMON)
                .count()
        };
        let before = looks().await;
        let deadline = Instant::now() + PATIENCE;
        // One more than asked for: the last one has only begun.
        while looks().await <= before + many {
            assert!(Instant::now() < deadline, "the daemon has stopped looking");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// `evenkeel` with these arguments, as in another terminal; signed as `caller`.
    pub async fn evenkeel(&self, caller: &str, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command
            .args(arguments)
            .envs(self.environment(caller))
            .kill_on_drop(true);
        tokio::time::timeout(PATIENCE, command.output())
            .await
            .expect("the command did not end")
            .unwrap()
    }

    /// What another terminal exports.
    pub fn environment(&self, caller: &str) -> BTreeMap<&'static str, String> {
        let state = self.state();
        BTreeMap::from([
            ("AWS_ENDPOINT_URL", self.endpoints.aws.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", caller.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret".to_owned()),
            (
                "EVENKEEL_MANIFESTS",
                self.directory
                    .path()
                    .join("manifests")
                    .display()
                    .to_string(),
            ),
            (
                "EVENKEEL_TERRAFORM_OUTPUTS",
                state.join("terraform.json").display().to_string(),
            ),
            ("EVENKEEL_URL", self.endpoints.daemon.clone()),
        ])
    }

    /// The SDK's ECS client, as another hand would use it.
    pub fn ecs(&self) -> aws_sdk_ecs::Client {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let credentials = aws_sdk_ecs::config::Credentials::new(
            "another-hand",
            "not-a-secret",
            None,
            None,
            "test",
        );
        let config = aws_sdk_ecs::Config::builder()
            .behavior_version(aws_sdk_ecs::config::BehaviorVersion::v2026_01_12())
            .region(aws_sdk_ecs::config::Region::new("us-east-1"))
            .credentials_provider(credentials)
            .endpoint_url(&self.endpoints.aws)
            .http_client(http)
            .build();
        aws_sdk_ecs::Client::from_conf(config)
    }

    /// Kills the daemon at once, as a crash would, and waits until its successor answers.
    pub async fn kill_daemon(&self) {
        let pid = self.daemon_pid().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while self.daemon_pid().is_none_or(|now| now == pid) || self.status().await.is_none() {
            assert!(
                Instant::now() < deadline,
                "the daemon was not started again"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops the daemon where it stands, or lets it go on.
    pub fn signal_daemon(&self, signal: Signal) {
        kill(Pid::from_raw(self.daemon_pid().unwrap()), signal).unwrap();
    }

    fn daemon_pid(&self) -> Option<i32> {
        let processes = fs::read(self.state().join("processes.json")).ok()?;
        let processes: Vec<Value> = serde_json::from_slice(&processes).ok()?;
        let daemon = processes
            .iter()
            .rfind(|process| process["name"] == "daemon")?;
        i32::try_from(daemon["pid"].as_i64()?).ok()
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The process that runs it all.
    pub fn supervisor_pid(&self) -> u32 {
        self.supervisor.id()
    }

    /// The daemon's log so far.
    pub fn daemon_log(&self) -> String {
        fs::read_to_string(self.state().join("logs/daemon.log")).unwrap()
    }

    fn show_logs(&self) {
        for name in ["daemon", "aws"] {
            let path = self.state().join(format!("logs/{name}.log"));
            eprintln!(
                "== {name}\n{}",
                fs::read_to_string(path).unwrap_or_default()
            );
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let has_ended = !matches!(self.supervisor.try_wait(), Ok(None));
        let recorded = if has_ended {
            Ok(())
        } else {
            record::record(&self.endpoints.aws)
        };
        let pid = Pid::from_raw(i32::try_from(self.supervisor.id()).unwrap());
        // It may have ended by itself.
        let _ = kill(pid, Signal::SIGTERM);
        let _ = self.supervisor.wait();
        // Of a test that fails nothing is wanted.
        if let (Err(why), false) = (recorded, std::thread::panicking()) {
            panic!("what the daemon has asked for cannot be recorded: {why}");
        }
    }
}

async fn wait_for_ready(supervisor: &mut Child) {
    let stdout = supervisor.stdout.take().unwrap();
    let mut stderr = supervisor.stderr.take().unwrap();
    // Read to the end, so that the supervisor never waits for a reader.
    let said = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let mut ready = Some(ready);
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if line.starts_with("ready")
                && let Some(ready) = ready.take()
            {
                let _ = ready.send(());
            }
        }
    });
    match tokio::time::timeout(PATIENCE, is_ready).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => panic!("it ended before it was ready:\n{}", said.await.unwrap()),
        Err(_) => panic!("not ready within {PATIENCE:?}"),
    }
}
