//! The children: started in their own process groups, written down, watched, and ended in the reverse order.

use std::{
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::unistd::Pid;
use tokio::{
    process::Command,
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use super::{
    files::{self, FilesError},
    logs,
    process::{Farewell, Recorded, kill_group},
};

/// More children than this never die unnoticed at once.
const DEATHS: usize = 64;
/// For a leftover of an earlier run, which nobody waits for.
const LEFTOVER_GRACE: Duration = Duration::from_secs(10);

/// What can go wrong with a child.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChildError {
    /// It could not be started.
    #[error("cannot start {name} ({}): {source}", program.display())]
    Spawn {
        /// What it is to us.
        name: String,
        /// The executable.
        program: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// It ended when it should run.
    #[error("{0}")]
    Died(Death),
    /// Writing it down failed.
    #[error(transparent)]
    Files(#[from] FilesError),
}

impl ChildError {
    /// What the person can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::Spawn { .. } => None,
            Self::Died(death) => Some(format!("its whole output is in {}", death.log.display())),
            Self::Files(error) => error.help(),
        }
    }
}

/// A child that has ended.
#[derive(Debug, Clone)]
pub(super) struct Death {
    /// What it was to us.
    pub(super) name: String,
    /// How it ended; `None` when not even that is known.
    pub(super) status: Option<ExitStatus>,
    /// Where its output is.
    pub(super) log: PathBuf,
}

impl Death {
    /// How it ended, in one line.
    pub(super) fn how(&self) -> String {
        match self.status {
            Some(status) => format!("{} ended ({status})", self.name),
            None => format!("{} ended", self.name),
        }
    }
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.how())?;
        let tail = logs::tail(&self.log);
        if !tail.is_empty() {
            f.write_str("; its last output:")?;
        }
        tail.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// What is to be started.
#[derive(Debug)]
pub(super) struct Plan {
    /// What it is to us, and the name of its log.
    pub(super) name: &'static str,
    /// The command, without its standard streams.
    pub(super) command: Command,
    /// Where its output goes.
    pub(super) log: PathBuf,
    /// How it is asked to end.
    pub(super) farewell: Farewell,
    /// How long it may take to end.
    pub(super) grace: Duration,
    /// How long it may take all the same when there is a hurry.
    pub(super) least_grace: Duration,
    /// Whether it holds the other end of a pipe from us, by which it learns that we are gone.
    pub(super) leash: bool,
}

impl Plan {
    /// A command that does its work and ends.
    pub(super) fn brief(name: &'static str, command: Command, log: PathBuf) -> Self {
        Self {
            name,
            command,
            log,
            farewell: Farewell::Terminate,
            grace: Duration::from_secs(5),
            least_grace: Duration::ZERO,
            leash: false,
        }
    }
}

#[derive(Debug)]
struct Child {
    recorded: Recorded,
    log: PathBuf,
    grace: Duration,
    least_grace: Duration,
    ended: watch::Receiver<Option<Option<ExitStatus>>>,
}

impl Child {
    fn runs(&self) -> bool {
        self.ended.borrow().is_none()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.recorded.pid)
    }

    /// Waits for its end. Cancel safe.
    async fn end_of(mut ended: watch::Receiver<Option<Option<ExitStatus>>>) -> Option<ExitStatus> {
        match ended.wait_for(Option::is_some).await {
            Ok(status) => status.flatten(),
            Err(_closed) => None,
        }
    }
}

/// Every process that was started, in order.
#[derive(Debug)]
pub(super) struct Household {
    children: Vec<Child>,
    record: PathBuf,
    died: mpsc::Sender<Death>,
    deaths: mpsc::Receiver<Death>,
}

impl Household {
    /// Ends what an earlier run left behind, as far as `record` names it, and begins anew.
    pub(super) async fn new(record: PathBuf) -> Result<Self, FilesError> {
        // A record that cannot be read names nobody; it must not keep the next run from starting.
        let leftovers: Vec<Recorded> = files::read_json(&record).ok().flatten().unwrap_or_default();
        for leftover in leftovers.iter().rev() {
            leftover.end(LEFTOVER_GRACE).await;
        }
        files::remove(&record)?;
        let (died, deaths) = mpsc::channel(DEATHS);
        Ok(Self {
            children: Vec::new(),
            record,
            died,
            deaths,
        })
    }

    /// Starts a child that is meant to run until it is ended.
    pub(super) fn start(&mut self, plan: Plan) -> Result<(), ChildError> {
        let died = self.died.clone();
        self.spawn(plan, Some(died)).map(drop)
    }

    /// Runs a command to its end, which must be a success.
    pub(super) async fn complete(&mut self, plan: Plan) -> Result<(), ChildError> {
        let (name, log) = (plan.name.to_owned(), plan.log.clone());
        let ended = self.spawn(plan, None)?;
        let status = self.while_all_live(Child::end_of(ended)).await?;
        self.forget(&name)?;
        if status.is_some_and(|status| status.success()) {
            return Ok(());
        }
        Err(ChildError::Died(Death { name, status, log }))
    }

    /// Waits for `work`, or fails with the first child that dies meanwhile.
    pub(super) async fn while_all_live<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<T, ChildError> {
        tokio::select! {
            biased;
            death = self.death() => Err(ChildError::Died(death)),
            done = work => Ok(done),
        }
    }

    /// Waits for the next child to die. Cancel safe.
    pub(super) async fn death(&mut self) -> Death {
        match self.deaths.recv().await {
            Some(death) => {
                // The record is a help for the next start, not a reason to stop this one.
                let _unwritten = self.forget(&death.name);
                death
            }
            // The household keeps a sender itself.
            None => std::future::pending().await,
        }
    }

    /// Starts logs anew that have grown too long. Children append, so they go on at the new beginning.
    pub(super) fn bound_logs(&self) {
        for child in &self.children {
            logs::bound(&child.log);
        }
    }

    /// Ends everyone, the last started first. `hurry` cuts the waiting short.
    pub(super) async fn end(mut self, hurry: &CancellationToken) {
        while let Some(child) = self.children.pop() {
            if child.runs() {
                child.recorded.farewell.say(child.pid());
                tokio::select! {
                    _status = Child::end_of(child.ended.clone()) => {}
                    () = tokio::time::sleep(child.grace) => {}
                    () = hurry.cancelled() => {
                        let _late = tokio::time::timeout(child.least_grace, Child::end_of(child.ended.clone())).await;
                    }
                }
            }
            if child.runs() {
                kill_group(child.pid());
                let _stuck = tokio::time::timeout(
                    Duration::from_secs(2),
                    Child::end_of(child.ended.clone()),
                )
                .await;
            }
        }
        // The next start finds a record of processes that are gone, and leaves them be.
        let _unremoved = files::remove(&self.record);
    }

    fn spawn(
        &mut self,
        plan: Plan,
        died: Option<mpsc::Sender<Death>>,
    ) -> Result<watch::Receiver<Option<Option<ExitStatus>>>, ChildError> {
        let Plan {
            name,
            mut command,
            log,
            farewell,
            grace,
            least_grace,
            leash,
        } = plan;
        let output = logs::open(&log)?;
        let errors = output.try_clone().map_err(files::io_error("open", &log))?;
        command
            .stdin(if leash { Stdio::piped() } else { Stdio::null() })
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(true);
        let mut process = command.spawn().map_err(|source| ChildError::Spawn {
            name: name.to_owned(),
            program: PathBuf::from(command.as_std().get_program()),
            source,
        })?;
        let pid = process
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .unwrap_or_default();
        let (tell, ended) = watch::channel(None);
        let death = Death {
            name: name.to_owned(),
            status: None,
            log: log.clone(),
        };
        tokio::spawn(async move {
            // tokio closes a child's standard input on wait; the leash must outlive it.
            let _leash = process.stdin.take();
            let status = process.wait().await.ok();
            tell.send_replace(Some(status));
            if let Some(died) = died {
                let _nobody = died.send(Death { status, ..death }).await;
            }
        });
        let recorded = Recorded::new(name, pid, farewell);
        self.children.push(Child {
            recorded,
            log,
            grace,
            least_grace,
            ended: ended.clone(),
        });
        self.write_record()?;
        Ok(ended)
    }

    fn forget(&mut self, name: &str) -> Result<(), FilesError> {
        self.children
            .retain(|child| child.recorded.name != name || child.runs());
        self.write_record()
    }

    fn write_record(&self) -> Result<(), FilesError> {
        let recorded: Vec<&Recorded> = self.children.iter().map(|child| &child.recorded).collect();
        files::write_json(&self.record, &recorded, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn shell(name: &'static str, script: &str, dir: &Path) -> Plan {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Plan {
            name,
            command,
            log: dir.join(format!("{name}.log")),
            farewell: Farewell::Terminate,
            grace: Duration::from_secs(5),
            least_grace: Duration::ZERO,
            leash: false,
        }
    }

    async fn household(dir: &Path) -> Household {
        Household::new(dir.join("processes.json")).await.unwrap()
    }

    #[tokio::test]
    async fn a_failed_command_is_told_with_its_last_output() {
        let dir = tempfile::tempdir().unwrap();
        let mut household = household(dir.path()).await;
        let plan = shell("seed", "echo one; echo two >&2; exit 3", dir.path());
        let error = household.complete(plan).await.unwrap_err().to_string();
        assert!(error.starts_with("seed ended (exit status: 3)"), "{error}");
        assert!(error.ends_with("\n    one\n    two"), "{error}");
    }

    #[tokio::test]
    async fn the_death_of_a_child_interrupts_what_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut household = household(dir.path()).await;
        household
            .start(shell("redis", "echo no memory; exit 1", dir.path()))
            .unwrap();
        let error = household
            .while_all_live(std::future::pending::<()>())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("no memory"), "{error}");
    }

    #[tokio::test]
    async fn everyone_is_ended_also_whoever_ignores_the_farewell_and_whatever_they_started() {
        let dir = tempfile::tempdir().unwrap();
        let mut household = household(dir.path()).await;
        let mut stubborn = shell(
            "stubborn",
            "trap '' TERM; sleep 600 & echo $!; wait; wait",
            dir.path(),
        );
        stubborn.grace = Duration::from_millis(200);
        let log = stubborn.log.clone();
        household.start(stubborn).unwrap();
        while logs::tail(&log).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let grandchild: i32 = logs::tail(&log).first().unwrap().parse().unwrap();
        let grandchild = Recorded::new("sleep", grandchild, Farewell::Terminate);
        household.end(&CancellationToken::new()).await;
        tokio::time::timeout(Duration::from_secs(5), async {
            while grandchild.is_running() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap();
        assert!(!dir.path().join("processes.json").exists());
    }

    #[tokio::test]
    async fn the_next_household_ends_what_the_last_one_left() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = household(dir.path()).await;
        first
            .start(shell("sleep", "exec sleep 600", dir.path()))
            .unwrap();
        let left: Vec<Recorded> = files::read_json(&dir.path().join("processes.json"))
            .unwrap()
            .unwrap();
        let _second = household(dir.path()).await;
        assert!(left.iter().all(|left| !left.is_running()));
    }
}
