//! Which process is meant: an id alone may be given to a stranger, an id with a start time is not.

use std::{fs, time::Duration};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

/// How often a process that is not our child is looked at while it ends.
const POLL: Duration = Duration::from_millis(50);

/// A process that was started as the leader of its own process group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recorded {
    /// What it is to us, such as `postgres`.
    pub(super) name: String,
    /// Its id and its group's.
    pub(super) pid: i32,
    /// Clock ticks from the machine's start to the process's; `None` where there is no `/proc`.
    pub(super) started: Option<u64>,
    /// Which start of the machine that was; start times repeat.
    pub(super) boot: Option<String>,
    /// How it is asked to end.
    pub(super) farewell: Farewell,
}

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Farewell {
    /// SIGTERM to the group.
    Terminate,
    /// SIGINT to the leader: PostgreSQL's fast shutdown. On SIGTERM it would wait for its clients.
    /// <https://www.postgresql.org/docs/current/server-shutdown.html>
    Interrupt,
}

impl Farewell {
    /// Asks. A process that has ended already is no error.
    pub(super) fn say(self, pid: Pid) {
        let _gone = match self {
            Self::Terminate => killpg(pid, Signal::SIGTERM),
            Self::Interrupt => kill(pid, Signal::SIGINT),
        };
    }
}

/// Ends a group at once.
pub(super) fn kill_group(pid: Pid) {
    let _gone = killpg(pid, Signal::SIGKILL);
}

impl Recorded {
    /// Writes down a process that has just been started.
    pub(super) fn new(name: &str, pid: i32, farewell: Farewell) -> Self {
        Self {
            name: name.to_owned(),
            pid,
            started: start_time(pid),
            boot: boot(),
            farewell,
        }
    }

    /// Whether this very process still runs. Unknown counts as no: better a leftover than a stranger ended.
    pub(super) fn is_running(&self) -> bool {
        self.started.is_some() && self.boot == boot() && start_time(self.pid) == self.started
    }

    /// Ends a leftover of an earlier run: asked first, killed after `grace`.
    pub(super) async fn end(&self, grace: Duration) {
        if !self.is_running() {
            return;
        }
        let pid = Pid::from_raw(self.pid);
        self.farewell.say(pid);
        if tokio::time::timeout(grace, self.gone()).await.is_err() {
            kill_group(pid);
            // Whoever cannot be killed is stuck in the kernel; waiting longer would not help.
            let _stuck = tokio::time::timeout(grace, self.gone()).await;
        }
    }

    async fn gone(&self) {
        while self.is_running() {
            tokio::time::sleep(POLL).await;
        }
    }
}

fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

/// When a live process was started, in clock ticks since the machine was.
fn start_time(pid: i32) -> Option<u64> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Field 22 of `/proc/PID/stat`, unless the process is dead already. The name, in parentheses, may hold anything.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
fn parse_stat(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let dead = matches!(state, "Z" | "X");
    if dead {
        None
    } else {
        fields.nth(18)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::process::CommandExt, process::Command};

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let fields: Vec<String> = (4..=52).map(|field| field.to_string()).collect();
        let stat = format!("7 (a) b) (c) S {}", fields.join(" "));
        assert_eq!(parse_stat(&stat), Some(22));
        assert_eq!(parse_stat(&stat.replace(" S ", " Z ")), None);
        assert_eq!(parse_stat("nonsense"), None);
    }

    #[tokio::test]
    async fn a_leftover_is_ended_and_a_stranger_with_its_id_is_not() {
        let mut child = Command::new("sleep")
            .arg("600")
            .process_group(0)
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let leftover = Recorded::new("sleep", pid, Farewell::Terminate);
        let stranger = Recorded {
            started: leftover.started.map(|ticks| ticks + 1),
            ..leftover.clone()
        };

        stranger.end(Duration::from_millis(200)).await;
        assert!(child.try_wait().unwrap().is_none());

        if leftover.started.is_some() {
            leftover.end(Duration::from_secs(5)).await;
            assert!(!leftover.is_running());
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
