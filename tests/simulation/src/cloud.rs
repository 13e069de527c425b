//! AWS in this process and in virtual time: the emulator's core behind its faults, with scripted tasks and a journal.
//!
//! The core is brought up to the present whenever somebody looks or calls: what was due meanwhile happens then, each thing
//! at its own time. So nothing has to tick while nobody looks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use emulator::{
    core::{ApiError, Call, Reply, Service, Settings, is_write},
    faults::{Answer, End, Fate, FaultPlan, Unreliable},
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    clock::Clock,
    furniture::{ACCOUNT, REGION},
    journal::{Called, Caller, Change, Entry, What},
    sight::{Sight, Subject},
    tasks::Tasks,
    work::Work,
};

/// From a call's sending to its arrival, and from there to its reply's, in milliseconds.
const TRAVEL: std::ops::Range<u64> = 2..40;

/// AWS. Clones are one and the same.
#[derive(Debug, Clone)]
pub struct Cloud {
    inner: Arc<Mutex<Inner>>,
    /// What all this costs the run's thread.
    work: Arc<Mutex<Work>>,
    clock: Clock,
}

#[derive(Debug)]
struct Inner {
    core: Unreliable,
    tasks: Tasks,
    record: Record,
    chance: fastrand::Rng,
}

/// What is written down.
#[derive(Debug)]
enum Record {
    /// Everything, for the judge.
    Journal(Vec<Entry>),
    /// Numbers, for a fleet whose journal would be larger than itself.
    Tally(Tally),
}

/// What daemons have called.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How often, by operation.
    pub calls: BTreeMap<String, u64>,
    /// Each UpdateService: when it arrived, and for which service.
    pub updates: Vec<(Timestamp, String)>,
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
            record: Record::Journal(Vec::new()),
            chance: fastrand::Rng::with_seed(seed),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            work: Arc::default(),
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
        match self.carry_out(Caller::Hand, call, fate, true) {
            Answer::Reply(outcome) | Answer::Lost(outcome) => outcome,
            Answer::Unheard | Answer::Never => Ok(Value::Null),
        }
    }

    /// How something is now. No fault touches this, and the journal does not have it.
    #[must_use]
    pub fn look(&self, subject: &Subject) -> Sight {
        self.with(|inner, now| subject.look(&mut inner.core, now))
    }

    /// AWS's own clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// How long a call is under way, one way.
    #[must_use]
    pub fn travel(&self) -> Duration {
        Duration::from_millis(self.with(|inner, _| inner.chance.u64(TRAVEL)))
    }

    /// Decides what happens to a call that arrives now.
    #[must_use]
    pub fn arrive(&self, call: &Call) -> Fate {
        self.with(|inner, now| inner.core.arrive(call, now))
    }

    /// Writes down that a daemon sends a call, with what it would come to if it arrived at once.
    pub fn send(&self, by: Caller, call: &Call) {
        self.with(|inner, now| inner.send(by, call, now));
    }

    /// Does what was decided about a call, and writes it down. Its caller may have gone away meanwhile.
    pub fn carry_out(&self, by: Caller, call: Call, fate: Fate, is_waited_for: bool) -> Answer {
        self.with(|inner, now| inner.carry_out(by, call, fate, is_waited_for, now))
    }

    /// Writes down what is no call.
    pub fn note(&self, what: What) {
        self.with(|inner, now| inner.note(now, what));
    }

    /// What has happened so far; nothing where only numbers are kept.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.with(|inner, _| match &inner.record {
            Record::Journal(journal) => journal.clone(),
            Record::Tally(_) => Vec::new(),
        })
    }

    /// When a daemon last changed something, or tried to.
    #[must_use]
    pub fn last_write(&self) -> Option<Timestamp> {
        self.with(|inner, _| {
            let Record::Journal(journal) = &inner.record else {
                return None;
            };
            let mut entries = journal.iter().rev();
            let last = entries.find(|entry| entry.called().is_some_and(Called::is_write_of_daemon));
            last.map(|entry| entry.at)
        })
    }

    /// What has happened since this was asked last; nothing where only numbers are kept.
    #[must_use]
    pub fn take_journal(&self) -> Vec<Entry> {
        self.with(|inner, _| match &mut inner.record {
            Record::Journal(journal) => std::mem::take(journal),
            Record::Tally(_) => Vec::new(),
        })
    }

    /// What daemons have called since this was asked last. From then on only this is kept, and no journal.
    pub fn take_tally(&self) -> Tally {
        let before = self
            .with(|inner, _| std::mem::replace(&mut inner.record, Record::Tally(Tally::default())));
        match before {
            Record::Tally(tally) => tally,
            Record::Journal(_) => Tally::default(),
        }
    }

    /// How many updates there have been since the tally was taken last.
    #[must_use]
    pub fn updates(&self) -> usize {
        self.with(|inner, _| match &inner.record {
            Record::Tally(tally) => tally.updates.len(),
            Record::Journal(_) => 0,
        })
    }

    /// The CPU time that AWS has cost the run's thread so far, by which the daemon's can be told from it.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        work.cpu
    }

    /// Does something that counts as AWS's work.
    pub fn at_work<T>(&self, work: impl FnOnce() -> T) -> T {
        self.with(|_, _| work())
    }

    /// From now on this goes wrong, and nothing else.
    ///
    /// # Panics
    /// When the plan is out of its bounds.
    pub fn set_faults(&self, plan: FaultPlan) {
        let set = self.with(|inner, now| inner.core.set_faults(plan, now));
        assert!(set.is_ok(), "{set:?}");
    }

    /// From now on nothing goes wrong.
    pub fn clear_faults(&self) {
        self.with(|inner, _| inner.core.clear_faults());
    }

    /// Does something to the tasks.
    pub fn with_tasks<T>(&self, act: impl FnOnce(&mut Tasks, Timestamp) -> T) -> T {
        self.with(|inner, now| act(&mut inner.tasks, now))
    }

    /// Does something as AWS, once everything is done that was due until now.
    fn with<T>(&self, act: impl FnOnce(&mut Inner, Timestamp) -> T) -> T {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        work.measure(|| {
            inner.advance(now);
            act(&mut inner, now)
        })
    }
}

impl Tally {
    fn count(&mut self, by: Caller, call: &Call, now: Timestamp) {
        let Caller::Daemon(_) = by else { return };
        *self.calls.entry(call.operation.clone()).or_default() += 1;
        if call.operation == "UpdateService" {
            let service = call.input["service"].as_str().unwrap_or_default();
            self.updates.push((now, service.to_owned()));
        }
    }
}

/// What a call is there to change. The lease and manifests are no service's.
fn changed_by(call: &Call) -> Option<Subject> {
    (call.service != Service::S3 && is_write(call.service, &call.operation))
        .then(|| Subject::of(call.service, &call.operation, &call.input))
}

/// The names of what an answer says nothing about.
fn failures(reply: &Reply) -> Vec<String> {
    let failures = reply["failures"].as_array().into_iter().flatten();
    let arns = failures.filter_map(|failure| failure["arn"].as_str());
    arns.map(|arn| arn.rsplit('/').next().unwrap_or(arn).to_owned())
        .collect()
}

impl Inner {
    fn send(&mut self, by: Caller, call: &Call, now: Timestamp) {
        if let Record::Tally(_) = self.record {
            return;
        }
        let (mut change, mut outcome) = (None, Ok(Value::Null));
        if let Some(subject) = changed_by(call) {
            let mut rehearsal = self.core.rehearsal();
            let before = subject.look(&mut rehearsal, now);
            if let (Answer::Reply(reply), _) = rehearsal.carry_out(call, &End::Handled, now) {
                outcome = reply;
            }
            let after = subject.look(&mut rehearsal, now);
            change = Some(Change { before, after });
        }
        let sent = Called {
            by,
            service: call.service,
            operation: call.operation.clone(),
            input: call.input.clone(),
            outcome,
            faults: Vec::new(),
            is_done: true,
            is_told: true,
            shows: now,
            fallen_out: Vec::new(),
            change,
        };
        self.note(now, What::Sent(Box::new(sent)));
    }

    fn carry_out(
        &mut self,
        by: Caller,
        call: Call,
        fate: Fate,
        is_waited_for: bool,
        now: Timestamp,
    ) -> Answer {
        if let Record::Tally(tally) = &mut self.record {
            tally.count(by, &call, now);
            let (answer, effects) = self.core.carry_out(&call, &fate.end, now);
            self.tasks.carry_out(effects, now);
            return answer;
        }
        let subject = changed_by(&call);
        let before = subject
            .as_ref()
            .map(|subject| subject.look(&mut self.core, now));
        let (shows, whole) = (
            self.core.as_of(&fate.end, now),
            self.whole(&call, &fate, now),
        );
        let (answer, effects) = self.core.carry_out(&call, &fate.end, now);
        self.tasks.carry_out(effects, now);
        let change = subject.zip(before).map(|(subject, before)| Change {
            before,
            after: subject.look(&mut self.core, now),
        });
        let (outcome, is_done, is_told) = match &answer {
            Answer::Reply(outcome) => (outcome.clone(), !matches!(fate.end, End::Refused(_)), true),
            Answer::Lost(outcome) => (outcome.clone(), true, false),
            Answer::Unheard | Answer::Never => (Ok(Value::Null), false, false),
        };
        let mut fallen_out = outcome.as_ref().map(failures).unwrap_or_default();
        fallen_out.retain(|name| whole.as_ref().is_some_and(|whole| !whole.contains(name)));
        let called = Called {
            by,
            service: call.service,
            operation: call.operation,
            input: call.input,
            // What reads bring is long, and nobody's judgement depends on more of it.
            outcome: outcome.map(|reply| if change.is_some() { reply } else { Value::Null }),
            faults: fate.applied,
            is_done,
            is_told: is_told && is_waited_for,
            shows,
            fallen_out,
            change,
        };
        self.note(now, What::Called(Box::new(called)));
        answer
    }

    /// What an answer with holes would be silent about without them.
    fn whole(&self, call: &Call, fate: &Fate, now: Timestamp) -> Option<Vec<String>> {
        let End::Partial(_) = fate.end else {
            return None;
        };
        let (answer, _) = self.core.rehearsal().carry_out(call, &End::Handled, now);
        let Answer::Reply(Ok(reply)) = answer else {
            return None;
        };
        Some(failures(&reply))
    }

    fn note(&mut self, at: Timestamp, what: What) {
        if let Record::Journal(journal) = &mut self.record {
            journal.push(Entry { at, what });
        }
    }

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
