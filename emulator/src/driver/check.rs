//! Container health checks: a command beside the container's process, with the same environment.

use std::{
    collections::{BTreeMap, HashMap},
    process::Stdio,
    sync::Mutex,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{process::Command, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{World, lock};
use crate::core::Check;

/// What the running containers' checks need to know of them, by task ARN and name.
#[derive(Default)]
pub(super) struct Rooms(Mutex<HashMap<(String, String), Room>>);

#[derive(Clone)]
struct Room {
    environment: BTreeMap<String, String>,
    ended: CancellationToken,
}

impl std::fmt::Debug for Rooms {
    /// Without the environments: they may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(lock(&self.0).keys()).finish()
    }
}

impl Rooms {
    /// A container has started. The token is to be cancelled when it has ended.
    pub(super) fn open(
        &self,
        task: &str,
        container: &str,
        environment: BTreeMap<String, String>,
    ) -> CancellationToken {
        let ended = CancellationToken::new();
        let room = Room {
            environment,
            ended: ended.clone(),
        };
        lock(&self.0).insert((task.to_owned(), container.to_owned()), room);
        ended
    }

    pub(super) fn close(&self, task: &str, container: &str) {
        lock(&self.0).remove(&(task.to_owned(), container.to_owned()));
    }

    fn find(&self, check: &Check) -> Option<Room> {
        lock(&self.0)
            .get(&(check.task.clone(), check.container.clone()))
            .cloned()
    }
}

/// Whether a check passes: it ends in time and with exit code 0. `None` when its container, or the emulator, ends first.
pub(super) async fn run(world: &World, check: &Check) -> Option<bool> {
    let room = world.rooms.find(check)?;
    tokio::select! {
        passed = passes(world, check, &room) => Some(passed),
        () = room.ended.cancelled() => None,
        () = world.ending.cancelled() => None,
    }
}

async fn passes(world: &World, check: &Check, room: &Room) -> bool {
    let Some((program, arguments)) = check.command.split_first() else {
        return false;
    };
    let spawned = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&room.environment)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            tracing::debug!(task = check.task, container = check.container, %error, "a health check cannot be started");
            return false;
        }
    };
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let group = id.map(|id| Group::of(world, Pid::from_raw(id)));
    let status = timeout(check.timeout, child.wait()).await;
    drop(group);
    matches!(status, Ok(Ok(status)) if status.success())
}

/// The process group of a check. Nothing of it is left when this is dropped, however the check ends.
struct Group<'a> {
    world: &'a World,
    pid: Pid,
}

impl<'a> Group<'a> {
    fn of(world: &'a World, pid: Pid) -> Self {
        world.ledger.add(pid);
        Self { world, pid }
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        // ESRCH: nothing is left of it.
        let _ = killpg(self.pid, Signal::SIGKILL);
        self.world.ledger.remove(self.pid);
    }
}
