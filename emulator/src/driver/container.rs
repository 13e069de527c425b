//! One container: a local process in a process group of its own.

use std::{
    collections::BTreeMap,
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{LAST_GRACE, World, output};
use crate::core::ContainerLaunch;

/// How long output is read after the process has ended. Only a descendant outside its group can hold the pipe that long.
const DRAIN: Duration = Duration::from_secs(2);
/// How often, and how far apart, an executable that is open for writing is tried again.
const BUSY_TRIES: u32 = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// What to start.
pub(super) struct Spawn<'a> {
    pub(super) launch: &'a ContainerLaunch,
    /// The whole environment.
    pub(super) environment: BTreeMap<String, String>,
}

/// In ECS's words as far as ECS has any. What the process was given is never part of it: it may hold secrets.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpawnError {
    #[error(
        "CannotPullContainerError: {executable} is not the digest of an executable (sha256:<64 hex digits>)"
    )]
    Digest { executable: String },
    #[error(
        "CannotPullContainerError: the executable is not at {}: push the image again with `evenkeel local push`",
        path.display()
    )]
    Missing { path: PathBuf },
    #[error("CannotStartContainerError: {}: {source}", path.display())]
    Exec { path: PathBuf, source: io::Error },
}

/// A running container.
pub(super) struct Container {
    child: Child,
    /// The process's id, and its group's.
    pid: Pid,
    output: JoinSet<()>,
    stop_timeout: Duration,
}

impl Container {
    pub(super) async fn spawn(world: &World, spawn: Spawn<'_>) -> Result<Self, SpawnError> {
        let launch = spawn.launch;
        let path = executable(&world.blobs, &launch.image.executable)?;
        let pipe = || match launch.log {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        };
        let mut command = Command::new(&path);
        command
            .args(launch.command.as_ref().unwrap_or(&launch.image.args))
            .env_clear()
            .envs(&spawn.environment)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(pipe())
            .stderr(pipe())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = start(&mut command)
            .await
            .map_err(|source| SpawnError::Exec {
                path: path.clone(),
                source,
            })?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let pid = Pid::from_raw(id.ok_or_else(|| SpawnError::Exec {
            path,
            source: io::Error::other("the process has no id"),
        })?);
        world.ledger.add(pid);

        let mut readers = JoinSet::new();
        if let Some(log) = &launch.log {
            let sink = output::Sink {
                log: log.clone(),
                clock: world.clock,
                events: world.events.clone(),
            };
            if let Some(pipe) = child.stdout.take() {
                readers.spawn(output::forward(pipe, sink.clone()));
            }
            if let Some(pipe) = child.stderr.take() {
                readers.spawn(output::forward(pipe, sink));
            }
        }
        Ok(Self {
            child,
            pid,
            output: readers,
            stop_timeout: launch.stop_timeout,
        })
    }

    /// Waits for the end, or brings it about when told to stop. The output has been reported when this returns.
    pub(super) async fn run(mut self, world: &World, stop: &CancellationToken) -> i32 {
        let status = tokio::select! {
            status = self.child.wait() => status,
            () = stop.cancelled() => self.stop(world).await,
        };
        // As with a container, nothing of it outlives its first process.
        self.kill_group();
        let drained = async { while self.output.join_next().await.is_some() {} };
        if timeout(DRAIN, drained).await.is_err() {
            tracing::warn!(pid = %self.pid, "a descendant holds the output of an ended container open; no longer reading it");
        }
        world.ledger.remove(self.pid);
        status.map_or(-1, exit_code)
    }

    /// As ECS does: SIGTERM to the process, and after the stop timeout SIGKILL to all that is left.
    async fn stop(&mut self, world: &World) -> io::Result<ExitStatus> {
        if let Err(error) = kill(self.pid, Signal::SIGTERM) {
            tracing::debug!(pid = %self.pid, %error, "the process was gone before SIGTERM");
        }
        let hurry = async {
            world.ending.cancelled().await;
            sleep(LAST_GRACE).await;
        };
        tokio::select! {
            status = self.child.wait() => return status,
            () = sleep(self.stop_timeout) => {}
            () = hurry => {}
        }
        self.kill_group();
        self.child.wait().await
    }

    fn kill_group(&self) {
        match killpg(self.pid, Signal::SIGKILL) {
            // ESRCH: nothing is left of it.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => tracing::warn!(pid = %self.pid, %error, "cannot kill a process group"),
        }
    }
}

/// Starts a process. An executable that is open for writing is tried again: between fork and exec, any child of this
/// process holds whatever this process has open.
async fn start(command: &mut Command) -> io::Result<Child> {
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES =>
            {
                tries += 1;
                sleep(BUSY_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

fn executable(blobs: &Path, digest: &str) -> Result<PathBuf, SpawnError> {
    let hex = digest
        .strip_prefix("sha256:")
        .filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .ok_or_else(|| SpawnError::Digest {
            executable: format!("{digest:.100}"),
        })?;
    let path = blobs.join("sha256").join(hex);
    if path.is_file() {
        Ok(path)
    } else {
        Err(SpawnError::Missing { path })
    }
}

/// As container runtimes report it: 128 and the signal's number for a process that a signal ended.
fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(-1)
}
