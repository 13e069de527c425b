//! The one task that owns the model. Everything that happens to it happens here, one after the other.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::journal::Journal;
use crate::{
    balancer::Balancer,
    clock::Clock,
    core::{ApiError, Call, Cloud, Effect, Event, Reply},
    driver::Driver,
};

/// The least time between two ticks, so that a model that is always due does not take a whole processor.
const TICK: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Actor {
    pub(super) cloud: Cloud,
    pub(super) clock: Clock,
    pub(super) driver: Driver,
    pub(super) balancer: Arc<Balancer>,
    pub(super) journal: Arc<Mutex<Journal>>,
    pub(super) calls: mpsc::Receiver<Request>,
    pub(super) events: mpsc::Receiver<Event>,
}

/// A call and where its outcome goes.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) call: Call,
    pub(super) user_agent: String,
    pub(super) outcome: oneshot::Sender<Result<Reply, ApiError>>,
}

impl Actor {
    /// Runs until `shutdown`. The driver is handed back to be ended; from then on nobody takes events.
    pub(super) async fn run(mut self, shutdown: &CancellationToken) -> Driver {
        let mut last_tick = Instant::now();
        loop {
            let wake = self
                .cloud
                .next_wake()
                .map(|time| self.clock.instant(time).max(last_tick + TICK));
            let due = async {
                match wake {
                    Some(wake) => sleep_until(wake).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return self.driver,
                Some(request) = self.calls.recv() => self.call(request),
                Some(event) = self.events.recv() => {
                    let effects = self.cloud.on_event(event, self.clock.now());
                    self.apply(effects);
                }
                () = due => {
                    last_tick = Instant::now();
                    let effects = self.cloud.tick(self.clock.now());
                    self.apply(effects);
                }
            }
        }
    }

    fn call(&mut self, request: Request) {
        let now = self.clock.now();
        let (outcome, effects) = self.cloud.handle(&request.call, now);
        self.apply(effects);
        self.journal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .record(request.call, request.user_agent, &outcome, now);
        // A client that went away has still made its call.
        let _ = request.outcome.send(outcome);
    }

    /// In order; none of it waits, and routes are in force when the next effect is carried out.
    fn apply(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::StartTask(launch) => self.driver.start_task(launch),
                Effect::StopTask { task } => self.driver.stop_task(&task),
                Effect::Probe(probe) => self.driver.probe(probe),
                Effect::Routes(routes) => self.balancer.apply(routes),
            }
        }
    }
}
