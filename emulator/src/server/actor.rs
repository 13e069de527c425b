//! The one task that owns the model. Everything that happens to it happens here, one after the other.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::journal::Journal;
use crate::{
    balancer::Balancer,
    clock::Clock,
    core::{Call, Effect, Event},
    driver::Driver,
    faults::{Answer, Fate, FaultPlan, PlanError, Unreliable},
};

/// The least time between two ticks, so that a model that is always due does not take a whole processor.
const TICK: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Actor {
    pub(super) cloud: Unreliable,
    pub(super) clock: Clock,
    pub(super) driver: Driver,
    pub(super) balancer: Arc<Balancer>,
    pub(super) journal: Arc<Mutex<Journal>>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) events: mpsc::Receiver<Event>,
}

/// What the model is asked, and where the answer goes.
#[derive(Debug)]
pub(super) enum Request {
    Call(Asked, oneshot::Sender<Outcome>),
    Faults(Change, oneshot::Sender<Result<Value, PlanError>>),
}

/// A call of an AWS API.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) call: Call,
    pub(super) user_agent: String,
    /// What has been decided about it, if it had to wait.
    pub(super) fate: Option<Fate>,
}

/// What came of a call.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Answer),
    /// To be asked again after so long.
    Later(Duration, Box<Asked>),
}

/// What is to be done about the faults.
#[derive(Debug)]
pub(super) enum Change {
    None,
    Replace(FaultPlan),
    Clear,
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
                Some(request) = self.requests.recv() => self.request(request),
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

    fn request(&mut self, request: Request) {
        // A client that went away has still made its call.
        match request {
            Request::Call(asked, outcome) => drop(outcome.send(self.call(asked))),
            Request::Faults(change, outcome) => drop(outcome.send(self.change(change))),
        }
    }

    fn call(&mut self, mut asked: Asked) -> Outcome {
        let now = self.clock.now();
        let fate = match asked.fate.take() {
            Some(fate) => fate,
            None => {
                let fate = self.cloud.arrive(&asked.call, now);
                if !fate.delay.is_zero() {
                    let delay = fate.delay;
                    asked.fate = Some(fate);
                    return Outcome::Later(delay, Box::new(asked));
                }
                fate
            }
        };
        let (answer, effects) = self.cloud.carry_out(&asked.call, &fate.end, now);
        self.apply(effects);
        self.journal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .record(asked.call, asked.user_agent, &answer, fate.applied, now);
        Outcome::Answered(answer)
    }

    fn change(&mut self, change: Change) -> Result<Value, PlanError> {
        let now = self.clock.now();
        match change {
            Change::None => {}
            Change::Replace(plan) => self.cloud.set_faults(plan, now)?,
            Change::Clear => self.cloud.clear_faults(),
        }
        Ok(self.cloud.faults(now))
    }

    /// In order; none of it waits, and routes are in force when the next effect is carried out.
    fn apply(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::StartTask(launch) => self.driver.start_task(launch),
                Effect::StopTask { task } => self.driver.stop_task(&task),
                Effect::Probe(probe) => self.driver.probe(probe),
                Effect::Check(check) => self.driver.check(check),
                Effect::Routes(routes) => self.balancer.apply(routes),
            }
        }
    }
}
