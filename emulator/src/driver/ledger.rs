//! Which processes are ours, on disk, so that those of an emulator that was killed can be ended by the next one.
//!
//! A process is known by its id *and* its start time: ids are used again, and a foreign process must never be hit.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::lock;
use crate::files;

/// What leftovers get between SIGTERM and SIGKILL, and how long the end of the latter is awaited.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// `tasks.pids` in the state directory.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    processes: Mutex<BTreeMap<i32, Process>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Process {
    pid: i32,
    /// In clock ticks since the machine's start.
    start: u64,
    /// Which start of the machine that was.
    boot: String,
}

impl Ledger {
    /// Ends what the last ledger in this directory still names, and begins a new one.
    pub(super) async fn open(state: &Path) -> io::Result<Self> {
        let path = state.join("tasks.pids");
        end_leftovers(&path).await;
        let ledger = Self {
            path,
            processes: Mutex::default(),
        };
        ledger.write(&BTreeMap::new())?;
        Ok(ledger)
    }

    pub(super) fn add(&self, pid: Pid) {
        let Some(process) = Process::look(pid.as_raw()) else {
            return;
        };
        self.change(|processes| {
            processes.insert(process.pid, process);
        });
    }

    pub(super) fn remove(&self, pid: Pid) {
        self.change(|processes| {
            processes.remove(&pid.as_raw());
        });
    }

    /// The lock is held while the small file is written, so that the last change is what stays.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<i32, Process>)) {
        let mut processes = lock(&self.processes);
        change(&mut processes);
        if let Err(error) = self.write(&processes) {
            tracing::warn!(path = %self.path.display(), %error, "cannot write the list of processes");
        }
    }

    fn write(&self, processes: &BTreeMap<i32, Process>) -> io::Result<()> {
        let processes: Vec<&Process> = processes.values().collect();
        files::replace(&self.path, &serde_json::to_vec(&processes)?)
    }
}

async fn end_leftovers(path: &Path) {
    let Ok(text) = fs::read(path) else {
        return;
    };
    let mut left: Vec<Process> = match serde_json::from_slice(&text) {
        Ok(processes) => processes,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "not a list of processes; leftovers of a killed emulator, if any, go on");
            return;
        }
    };
    left.retain(Process::lives);
    for process in &left {
        tracing::info!(
            pid = process.pid,
            "ending a task's process that a killed emulator has left"
        );
        // ESRCH: it has just ended by itself.
        let _ = kill(Pid::from_raw(process.pid), Signal::SIGTERM);
    }
    wait_for_end(&left).await;
    for process in &left {
        // Each led its own group, which was ours a moment ago: nothing that it started outlives it.
        let _ = killpg(Pid::from_raw(process.pid), Signal::SIGKILL);
    }
    wait_for_end(&left).await;
}

async fn wait_for_end(processes: &[Process]) {
    let deadline = Instant::now() + GRACE;
    while processes.iter().any(Process::lives) && Instant::now() < deadline {
        sleep(POLL).await;
    }
}

impl Process {
    /// A running process as `/proc` shows it; none where there is no `/proc`.
    fn look(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let start = start_time(&stat)?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(Self {
            pid,
            start,
            boot: boot.trim().to_owned(),
        })
    }

    fn lives(&self) -> bool {
        self.pid > 1 && Self::look(self.pid).as_ref() == Some(self)
    }
}

/// Field 22 of `/proc/PID/stat`, see proc_pid_stat(5); none for a process that has ended and waits to be reaped.
/// The second field is the command's name, which may hold anything, parentheses too.
fn start_time(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 1";
        assert_eq!(start_time(stat), Some(4711));
        assert_eq!(start_time(&stat.replace(" S ", " Z ")), None);
        assert_eq!(start_time(""), None);
    }

    #[tokio::test]
    async fn leftovers_are_ended_and_foreign_processes_are_not() {
        let state = tempfile::tempdir().unwrap();
        let sleeper = || {
            use std::os::unix::process::CommandExt;
            Command::new("sleep")
                .arg("600")
                .process_group(0)
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        };
        let (mut ours, mut foreign) = (sleeper(), sleeper());
        let id = |child: &std::process::Child| i32::try_from(child.id()).unwrap();
        let ours_entry = Process::look(id(&ours)).unwrap();
        let mut foreign_entry = Process::look(id(&foreign)).unwrap();
        foreign_entry.start += 1;
        let path = state.path().join("tasks.pids");
        fs::write(
            &path,
            serde_json::to_vec(&[ours_entry, foreign_entry]).unwrap(),
        )
        .unwrap();

        Ledger::open(state.path()).await.unwrap();
        assert!(ours.wait().unwrap().code().is_none());
        assert!(foreign.try_wait().unwrap().is_none());
        assert_eq!(fs::read_to_string(&path).unwrap(), "[]");
        foreign.kill().unwrap();
        foreign.wait().unwrap();
    }

    #[tokio::test]
    async fn a_broken_ledger_does_not_stop_the_start() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join("tasks.pids"), "{").unwrap();
        Ledger::open(state.path()).await.unwrap();
    }
}
