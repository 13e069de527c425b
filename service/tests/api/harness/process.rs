//! The binary as a process.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{get, patiently};

const BINARY: &str = env!("CARGO_BIN_EXE_api");

/// A serving `api`.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) metrics_address: SocketAddr,
    process: Process,
}

/// A process that runs, killed when dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

struct Output {
    lines: watch::Receiver<Vec<String>>,
    reader: JoinHandle<()>,
}

impl Api {
    /// Starts on free ports of the loopback and waits until it listens.
    pub(crate) async fn start(database_url: &str, redis_url: &str) -> Self {
        Self::start_with(&[("DATABASE_URL", database_url), ("REDIS_URL", redis_url)]).await
    }

    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        Self::start_by(Command::new(BINARY), variables).await
    }

    /// Starts where no more than so many files may be open.
    pub(crate) async fn start_limited(files: u32, variables: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("ulimit -n {files} && exec {BINARY}")]);
        Self::start_by(shell, variables).await
    }

    async fn start_by(command: Command, variables: &[(&str, &str)]) -> Self {
        let local = [("HOST", "127.0.0.1"), ("PORT", "0"), ("METRICS_PORT", "0")];
        let mut process = Process::spawn(command, &[&local, variables].concat());
        let line = process.logged("listening").await;
        let address = |field: &str| line[field].as_str().unwrap().parse().unwrap();
        Self {
            address: address("address"),
            metrics_address: address("metrics_address"),
            process,
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(crate) async fn logged(&mut self, message: &str) -> Value {
        self.process.logged(message).await
    }

    pub(crate) async fn complained(&mut self, message: &str, why: &str) -> Value {
        self.process.complained(message, why).await
    }

    /// Whether the log has a line with this message by now.
    pub(crate) fn has_logged(&self, message: &str) -> bool {
        self.process.has_logged(message)
    }

    /// From here on nobody reads what it writes.
    pub(crate) async fn unheard(&mut self) {
        for output in [&mut self.process.stdout, &mut self.process.stderr] {
            output.reader.abort();
            let _ = patiently("the end of a reader", &mut output.reader).await;
        }
    }

    /// The sum of a counter's series whose line begins so.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let scraped = get(self.metrics_address, "/metrics").await;
        let text = String::from_utf8(scraped.body.to_vec()).unwrap();
        let lines = text.lines().filter(|line| line.starts_with(series));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum()
    }

    pub(crate) async fn ended(self) -> Ended {
        self.process.ended().await
    }

    pub(crate) async fn terminate(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.ended().await
    }
}

impl Process {
    /// Starts the binary with nothing in its environment but `variables`.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(arguments);
        Self::spawn(command, variables)
    }

    fn spawn(mut command: Command, variables: &[(&str, &str)]) -> Self {
        let mut child = command
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            stdout: Output::read(child.stdout.take().unwrap()),
            stderr: Output::read(child.stderr.take().unwrap()),
            child,
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().unwrap().try_into().unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits for the log line with this message.
    pub(crate) async fn logged(&mut self, message: &str) -> Value {
        self.stdout.line(message, |_| true).await
    }

    /// Whether the log has a line with this message by now.
    pub(crate) fn has_logged(&self, message: &str) -> bool {
        self.stdout.has(message)
    }

    /// Waits for the log line with this message and an error that contains `why`. A busy machine may cause other errors before it.
    pub(crate) async fn complained(&mut self, message: &str, why: &str) -> Value {
        let because = |line: &Value| line["error"].as_str().is_some_and(|e| e.contains(why));
        self.stdout.line(message, because).await
    }

    pub(crate) async fn ended(mut self) -> Ended {
        let status = patiently("the end of the process", self.child.wait())
            .await
            .unwrap();
        Ended {
            status,
            stdout: self.stdout.all().await,
            stderr: self.stderr.all().await,
        }
    }
}

/// Runs the binary to its end.
pub(crate) async fn run_to_end(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    Process::start(arguments, variables).ended().await
}

impl Output {
    fn read(pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, lines) = watch::channel(Vec::new());
        let reader = tokio::spawn(async move {
            let mut input = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = input.next_line().await {
                sender.send_modify(|lines| lines.push(line));
            }
        });
        Self { lines, reader }
    }

    fn has(&self, message: &str) -> bool {
        let message = format!("\"message\":\"{message}\"");
        self.lines
            .borrow()
            .iter()
            .any(|line| line.contains(&message))
    }

    async fn line(&mut self, message: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let find = |lines: &Vec<String>| {
            let mut parsed = lines.iter().filter_map(|line| {
                serde_json::from_str::<Value>(line)
                    .ok()
                    .filter(|line| line["message"] == message && fits(line))
            });
            parsed.next()
        };
        let found = patiently(message, self.lines.wait_for(|lines| find(lines).is_some())).await;
        match found {
            Ok(lines) => find(&lines).unwrap(),
            Err(_) => panic!("ended without logging `{message}`"),
        }
    }

    async fn all(self) -> Vec<String> {
        patiently("the end of the output", self.reader)
            .await
            .unwrap();
        self.lines.borrow().clone()
    }
}
