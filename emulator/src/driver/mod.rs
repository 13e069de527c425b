//! Carries out what the model asks for, on this machine: containers are local processes, addresses are ports on
//! loopback. Reports back as [`Event`]s. Knows nothing of services, deployments or health.

mod addresses;
mod check;
mod container;
mod discovery;
mod ledger;
mod output;
mod ports;
mod probe;
mod task;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::addresses::Addresses;
use self::{check::Rooms, discovery::Discovery, ledger::Ledger};
use crate::{
    clock::Clock,
    core::{Check, Event, Probe, TaskLaunch},
};

/// What a process gets between SIGTERM and SIGKILL when the emulator itself ends, if its own stop timeout is longer.
const LAST_GRACE: Duration = Duration::from_secs(5);
/// When the emulator stops waiting for processes that even SIGKILL does not end.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// Starts, stops and probes. No method waits; everything happens in tasks of its own.
#[derive(Debug)]
pub(crate) struct Driver {
    world: Arc<World>,
    /// How to stop each task that is not at its end yet, by ARN.
    stops: Arc<Mutex<HashMap<String, CancellationToken>>>,
    running: TaskTracker,
}

/// What every task of the driver uses.
#[derive(Debug)]
struct World {
    blobs: PathBuf,
    addresses: Arc<Addresses>,
    ledger: Ledger,
    discovery: Discovery,
    rooms: Rooms,
    clock: Clock,
    events: mpsc::Sender<Event>,
    /// The emulator ends: stop everything, and do not take long over it.
    ending: CancellationToken,
}

impl Driver {
    /// Ends what an emulator that was killed has left behind, then is ready.
    ///
    /// # Errors
    ///
    /// When the state directory cannot be written.
    pub(crate) async fn start(
        state: &Path,
        blobs: &Path,
        clock: Clock,
        events: mpsc::Sender<Event>,
    ) -> io::Result<Self> {
        Ok(Self {
            world: Arc::new(World {
                blobs: blobs.to_owned(),
                addresses: Arc::new(Addresses::default()),
                ledger: Ledger::open(state).await?,
                discovery: Discovery::open(state)?,
                rooms: Rooms::default(),
                clock,
                events,
                ending: CancellationToken::new(),
            }),
            stops: Arc::default(),
            running: TaskTracker::new(),
        })
    }

    /// Where the tasks' addresses are on loopback.
    pub(crate) fn addresses(&self) -> Arc<Addresses> {
        Arc::clone(&self.world.addresses)
    }

    pub(crate) fn start_task(&self, launch: TaskLaunch) {
        let stop = self.world.ending.child_token();
        lock(&self.stops).insert(launch.task.clone(), stop.clone());
        let (world, stops) = (Arc::clone(&self.world), Arc::clone(&self.stops));
        self.running.spawn(async move {
            let arn = launch.task.clone();
            task::run(&world, launch, stop).await;
            lock(&stops).remove(&arn);
        });
    }

    pub(crate) fn stop_task(&self, arn: &str) {
        if let Some(stop) = lock(&self.stops).get(arn) {
            stop.cancel();
        }
    }

    pub(crate) fn probe(&self, probe: Probe) {
        let world = Arc::clone(&self.world);
        self.running.spawn(async move {
            let result = tokio::select! {
                result = probe::run(&world.addresses, &probe) => result,
                () = world.ending.cancelled() => return,
            };
            let event = Event::ProbeFinished {
                id: probe.id,
                result,
            };
            world.report(event).await;
        });
    }

    pub(crate) fn check(&self, check: Check) {
        let world = Arc::clone(&self.world);
        self.running.spawn(async move {
            if let Some(passed) = check::run(&world, &check).await {
                let event = Event::CheckFinished {
                    task: check.task,
                    container: check.container,
                    passed,
                };
                world.report(event).await;
            }
        });
    }

    /// Ends and reaps every process, and returns within about 10 seconds in any case. The receiver of events must be
    /// closed before, as nobody takes them any more.
    pub(crate) async fn shutdown(self) {
        self.world.ending.cancel();
        self.running.close();
        if timeout(LAST_WAIT, self.running.wait()).await.is_err() {
            tracing::warn!(
                "some processes have not ended {LAST_WAIT:?} after they were told to; they are listed in tasks.pids"
            );
        }
    }
}

impl Drop for Driver {
    /// A driver that is dropped without [`Driver::shutdown`] must not leave its processes behind unnoticed.
    fn drop(&mut self) {
        self.world.ending.cancel();
    }
}

impl World {
    async fn report(&self, event: Event) {
        // The receiver is closed when the emulator ends, and nobody needs the report then.
        let _ = self.events.send(event).await;
    }
}

/// Locks what no panic can leave half-changed.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
