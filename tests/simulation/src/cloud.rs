//! AWS in this process and in virtual time: the emulator's core behind its faults, with scripted tasks and a journal.
//!
//! The core is brought up to the present whenever somebody looks or calls: what was due meanwhile happens then, each thing
//! at its own time. So nothing has to tick while nobody looks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use emulator::{
    core::{ApiError, Call, Reply, Service, Settings, is_write},
    faults::{Answer, End, Fate, FaultPlan, Unreliable},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    clock::Clock,
    furniture::{ACCOUNT, REGION},
    journal::{Called, Caller, Change, Entry, What},
    sight::{Sight, Subject},
    tasks::Tasks,
};

/// From a call's sending to its arrival, and from there to its reply's, in milliseconds.
const TRAVEL: std::ops::Range<u64> = 2..40;

/// AWS. Clones are one and the same.
#[derive(Debug, Clone)]
pub struct Cloud {
    inner: Arc<Mutex<Inner>>,
    clock: Clock,
}

#[derive(Debug)]
struct Inner {
    core: Unreliable,
    tasks: Tasks,
    journal: Vec<Entry>,
    chance: fastrand::Rng,
}

impl Cloud {
    /// An empty account.
    #[must_use]
    pub fn new(seed: u64, clock: Clock) -> Self {
        let settings = Settings {
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            speed: 1.0,
            seed,
            secrets: BTreeMap::new(),
        };
        let inner = Inner {
            core: Unreliable::new(settings),
            tasks: Tasks::default(),
            journal: Vec::new(),
            chance: fastrand::Rng::with_seed(seed),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            clock,
        }
    }

    /// A call of the hand's, which arrives at once and which no fault touches.
    ///
    /// # Errors
    /// AWS's own.
    pub fn call(&self, service: Service, operation: &str, input: Value) -> Result<Reply, ApiError> {
        let call = Call {
            service,
            operation: operation.to_owned(),
            input,
            caller: "HAND".to_owned(),
        };
        let fate = Fate {
            delay: Duration::ZERO,
            end: End::Handled,
            applied: Vec::new(),
        };
        match self.carry_out(Caller::Hand, call, fate) {
            Answer::Reply(outcome) | Answer::Lost(outcome) => outcome,
            Answer::Unheard | Answer::Never => Ok(Value::Null),
        }
    }

    /// How something is now. No fault touches this, and the journal does not have it.
    #[must_use]
    pub fn look(&self, subject: &Subject) -> Sight {
        let (mut inner, now) = self.present();
        subject.look(&mut inner.core, now)
    }

    /// AWS's own clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// How long a call is under way, one way.
    #[must_use]
    pub fn travel(&self) -> Duration {
        let (mut inner, _) = self.present();
        Duration::from_millis(inner.chance.u64(TRAVEL))
    }

    /// Decides what happens to a call that arrives now.
    #[must_use]
    pub fn arrive(&self, call: &Call) -> Fate {
        let (mut inner, now) = self.present();
        inner.core.arrive(call, now)
    }

    /// Does what was decided about a call, and writes it down.
    pub fn carry_out(&self, by: Caller, call: Call, fate: Fate) -> Answer {
        let (mut inner, now) = self.present();
        // The lease and manifests, which are no service's.
        let is_of_services = call.service != Service::S3;
        let subject = (is_of_services && is_write(call.service, &call.operation))
            .then(|| Subject::of(call.service, &call.operation, &call.input));
        let before = subject
            .as_ref()
            .map(|subject| subject.look(&mut inner.core, now));
        let (answer, effects) = inner.core.carry_out(&call, &fate.end, now);
        inner.tasks.carry_out(effects, now);
        let change = subject.zip(before).map(|(subject, before)| Change {
            before,
            after: subject.look(&mut inner.core, now),
        });
        let (outcome, is_done, is_told) = match &answer {
            Answer::Reply(outcome) => (outcome.clone(), !matches!(fate.end, End::Refused(_)), true),
            Answer::Lost(outcome) => (outcome.clone(), true, false),
            Answer::Unheard | Answer::Never => (Ok(Value::Null), false, false),
        };
        let called = Called {
            by,
            service: call.service,
            operation: call.operation,
            input: call.input,
            // What reads bring is long, and nobody's judgement depends on more of it.
            outcome: if change.is_some() {
                outcome
            } else {
                outcome.map(|reply| json!({ "failures": reply["failures"] }))
            },
            faults: fate.applied,
            is_done,
            is_told,
            change,
        };
        let what = What::Called(Box::new(called));
        inner.journal.push(Entry { at: now, what });
        answer
    }

    /// Writes down what is no call.
    pub fn note(&self, what: What) {
        let (mut inner, at) = self.present();
        inner.journal.push(Entry { at, what });
    }

    /// What has happened so far.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.present().0.journal.clone()
    }

    /// When a daemon last changed something, or tried to.
    #[must_use]
    pub fn last_write(&self) -> Option<Timestamp> {
        let (inner, _) = self.present();
        let mut entries = inner.journal.iter().rev();
        let last = entries.find(|entry| entry.called().is_some_and(Called::is_write_of_daemon));
        last.map(|entry| entry.at)
    }

    /// What has happened since this was asked last.
    #[must_use]
    pub fn take_journal(&self) -> Vec<Entry> {
        std::mem::take(&mut self.present().0.journal)
    }

    /// From now on this goes wrong, and nothing else.
    ///
    /// # Panics
    /// When the plan is out of its bounds.
    pub fn set_faults(&self, plan: FaultPlan) {
        let (mut inner, now) = self.present();
        let set = inner.core.set_faults(plan, now);
        assert!(set.is_ok(), "{set:?}");
    }

    /// From now on nothing goes wrong.
    pub fn clear_faults(&self) {
        self.present().0.core.clear_faults();
    }

    /// Does something to the tasks.
    pub fn with_tasks<T>(&self, act: impl FnOnce(&mut Tasks, Timestamp) -> T) -> T {
        let (mut inner, now) = self.present();
        act(&mut inner.tasks, now)
    }

    /// The time, with everything done that was due until then.
    fn present(&self) -> (MutexGuard<'_, Inner>, Timestamp) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        inner.advance(now);
        (inner, now)
    }
}

impl Inner {
    fn advance(&mut self, now: Timestamp) {
        loop {
            let (timer, event) = (self.core.next_wake(), self.tasks.next());
            let due = |at: &Timestamp| *at <= now;
            let (timer, event) = (timer.filter(due), event.filter(due));
            let (at, effects) = match (timer, event) {
                (None, None) => return,
                // What was due in the past is done in the present, as time does not go back.
                (Some(timer), None) => (timer, self.core.tick(timer)),
                (Some(timer), Some(event)) if timer < event => (timer, self.core.tick(timer)),
                (_, Some(_)) => match self.tasks.pop() {
                    Some((at, event)) => (at, self.core.on_event(event, at)),
                    None => continue,
                },
            };
            self.tasks.carry_out(effects, at);
        }
    }
}
