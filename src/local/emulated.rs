//! The emulator as a child of `local up`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::Deserialize;
use tokio::{process::Command, task::JoinSet};

use super::{
    aws::Addresses,
    child::{ChildError, Household, Plan},
    cloud::LISTENER_PORT,
    files::{self, FilesError, State},
    ports::Reserved,
    process::{Farewell, Recorded},
};

const READY_WITHIN: Duration = Duration::from_secs(30);
/// It ends the tasks first, which may take their time to stop.
const GRACE: Duration = Duration::from_secs(40);
/// Killed sooner, it would leave the tasks running.
const LEAST_GRACE: Duration = Duration::from_secs(8);
const TASK_GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// Why there is no emulated AWS.
#[derive(Debug, thiserror::Error)]
pub(super) enum EmulatedError {
    /// It runs but does not say where.
    #[error("the local AWS did not serve within {} s", READY_WITHIN.as_secs())]
    NotReady {
        /// Its output.
        log: PathBuf,
    },
    /// It could not be started, or ended.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// The system refused.
    #[error(transparent)]
    Files(#[from] FilesError),
}

impl EmulatedError {
    /// What the person can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::NotReady { log } => Some(format!("see {}", log.display())),
            Self::Child(error) => error.help(),
            Self::Files(error) => error.help(),
        }
    }
}

/// A running emulator.
#[derive(Debug)]
pub(super) struct Emulated {
    /// The AWS API, `http://…`.
    pub(super) endpoint: String,
    /// Where the load balancer listens.
    pub(super) balancer: SocketAddr,
}

/// Starts the emulator and waits until it serves.
pub(super) async fn start(
    household: &mut Household,
    state: &State,
    aws: Reserved,
    balancer: Reserved,
    speed: f64,
) -> Result<Emulated, EmulatedError> {
    // One that a killed emulator left would be taken for the new one's.
    files::remove(&state.aws())?;
    let program = std::env::current_exe().map_err(files::io_error(
        "find",
        std::path::Path::new("this executable"),
    ))?;
    let balancer = balancer.release();
    let mut command = Command::new(program);
    command
        .args(["local", "aws", "--with-parent", "--state"])
        .arg(state.dir())
        .args(["--listen", &aws.release().to_string()])
        .args(["--listener", &format!("{LISTENER_PORT}={balancer}")])
        .args(["--speed", &speed.to_string()])
        // The values come by a file that only we can read.
        .env_remove("DATABASE_URL")
        .env_remove("DATABASE_PASSWORD")
        .env_remove("REDIS_URL");
    let log = state.log("aws");
    household.start(Plan {
        name: "aws",
        command,
        log: log.clone(),
        farewell: Farewell::Terminate,
        grace: GRACE,
        least_grace: LEAST_GRACE,
        leash: true,
    })?;
    let addresses = household
        .while_all_live(tokio::time::timeout(READY_WITHIN, serving(state)))
        .await?
        .map_err(|_elapsed| EmulatedError::NotReady { log })??;
    Ok(Emulated {
        endpoint: addresses.endpoint,
        balancer: addresses
            .listeners
            .get(&LISTENER_PORT)
            .copied()
            .unwrap_or(balancer),
    })
}

/// It writes the file when it serves, not before.
async fn serving(state: &State) -> Result<Addresses, FilesError> {
    loop {
        if let Some(addresses) = files::read_json(&state.aws())? {
            return Ok(addresses);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A line of the emulator's `tasks.pids`.
#[derive(Debug, Deserialize)]
struct TaskProcess {
    pid: i32,
    start: u64,
    boot: String,
}

/// Ends the tasks of an emulator that was killed, and so could not end them itself.
pub(super) async fn end_tasks_left(state: &State) {
    // Without a list there is nothing to end; the next emulator looks again.
    let left: Vec<TaskProcess> = files::read_json(&state.tasks())
        .ok()
        .flatten()
        .unwrap_or_default();
    let mut ending = JoinSet::new();
    for TaskProcess { pid, start, boot } in left {
        let process = Recorded {
            name: "task".to_owned(),
            pid,
            started: Some(start),
            boot: Some(boot),
            farewell: Farewell::Terminate,
        };
        ending.spawn(async move { process.end(TASK_GRACE).await });
    }
    ending.join_all().await;
}
