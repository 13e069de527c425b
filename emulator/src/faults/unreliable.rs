//! The model behind a door that faults happen at.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{bounds::PlanError, decide::Faults, history::History, partial, rules::FaultPlan};
use crate::core::{ApiError, Call, Cloud, Effect, Event, Reply, Settings, is_write};

/// A [`Cloud`] whose calls may go wrong. Without a plan it is the cloud itself.
///
/// Time enters as it does there, as `now`, which must not go back. Effects are to be carried out in their order.
#[derive(Debug)]
pub struct Unreliable {
    cloud: Cloud,
    account: String,
    seed: u64,
    faults: Option<Faults>,
    history: Option<History>,
}

/// What has been decided about a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    /// How long to wait before [`Unreliable::carry_out`].
    pub delay: Duration,
    /// What happens then.
    pub end: End,
    /// The names of the faults that did it, for the journal; `buckets` for a full bucket.
    pub applied: Vec<&'static str>,
}

/// How a call ends.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// As always.
    Handled,
    /// With this error, and without being carried out.
    Refused(ApiError),
    /// Not at all, and without being carried out.
    Hangs,
    /// With a closed connection, and without being carried out.
    RequestLost,
    /// Carried out, but nobody is told.
    ReplyLost,
    /// Answered from the state so long ago.
    Stale(Duration),
    /// Names fall out: this share of them.
    Partial(f64),
    /// A page comes without its items.
    PageLost,
    /// Answered with what there is, and nothing is changed.
    Ignored,
}

/// What the caller gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A reply or an error.
    Reply(Result<Reply, ApiError>),
    /// The connection closes without a word. This is what the reply would have been.
    Lost(Result<Reply, ApiError>),
    /// The connection closes without a word, and nothing was done.
    Unheard,
    /// Nothing, for as long as the caller waits.
    Never,
}

impl Fate {
    pub(super) fn undisturbed() -> Self {
        Self {
            delay: Duration::ZERO,
            end: End::Handled,
            applied: Vec::new(),
        }
    }
}

impl Unreliable {
    /// An empty account, and no faults yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            account: settings.account.clone(),
            seed: settings.seed,
            cloud: Cloud::new(settings),
            faults: None,
            history: None,
        }
    }

    /// Replaces all faults. Times, counts, buckets and chance begin anew.
    ///
    /// # Errors
    /// Says which member of the plan is out of its bounds; nothing has changed then.
    pub fn set_faults(&mut self, plan: FaultPlan, now: Timestamp) -> Result<(), PlanError> {
        plan.check()?;
        let faults = Faults::new(plan, self.seed, now);
        self.history = faults.lag().map(|lag| History::new(lag, &self.cloud, now));
        self.faults = Some(faults);
        Ok(())
    }

    /// From now on nothing goes wrong.
    pub fn clear_faults(&mut self) {
        self.faults = None;
        self.history = None;
    }

    /// The faults in force as JSON: the plan, and for each rule how often it was `applied` and whether it is `active`.
    #[must_use]
    pub fn faults(&self, now: Timestamp) -> Value {
        match &self.faults {
            Some(faults) => faults.view(now),
            None => json!({ "seed": null, "buckets": false, "rules": [] }),
        }
    }

    /// A copy as it is now, and without faults: what a call would do can be seen there.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        Self {
            account: self.account.clone(),
            seed: self.seed,
            cloud: self.cloud.clone(),
            faults: None,
            history: None,
        }
    }

    /// How old what a call brings is that ends so: nothing of what came after this time is in it.
    #[must_use]
    pub fn as_of(&self, end: &End, now: Timestamp) -> Timestamp {
        let End::Stale(lag) = end else { return now };
        let then = now.checked_sub(*lag).unwrap_or(Timestamp::MIN);
        let since = self
            .history
            .as_ref()
            .and_then(|history| history.since(then));
        since.unwrap_or(now)
    }

    /// Decides what happens to a call that arrives now.
    #[must_use = "the call has not been carried out yet"]
    pub fn arrive(&mut self, call: &Call, now: Timestamp) -> Fate {
        match &mut self.faults {
            Some(faults) => faults.decide(call, &self.account, now),
            None => Fate::undisturbed(),
        }
    }

    /// Does what was decided about a call, once its delay is over. With [`End::Handled`], and without
    /// [`Unreliable::arrive`] before, no fault touches the call: for a simulation's own furniture and looks.
    pub fn carry_out(&mut self, call: &Call, end: &End, now: Timestamp) -> (Answer, Vec<Effect>) {
        match end {
            End::Handled => self.handle(call, now, Answer::Reply),
            End::ReplyLost => self.handle(call, now, Answer::Lost),
            End::Refused(error) => (Answer::Reply(Err(error.clone())), Vec::new()),
            End::Hangs => (Answer::Never, Vec::new()),
            End::RequestLost => (Answer::Unheard, Vec::new()),
            End::Stale(lag) => {
                let then = now.checked_sub(*lag).unwrap_or(Timestamp::MIN);
                let past = self.history.as_mut().and_then(|history| history.at(then));
                match past {
                    // What an operation that only reads does to a copy is nobody's business.
                    Some(past) => (Answer::Reply(past.handle(call, then).0), Vec::new()),
                    None => self.handle(call, now, Answer::Reply),
                }
            }
            End::Partial(share) => {
                let (mut reply, effects) = self.cloud.handle(call, now);
                if let (Ok(reply), Some(faults)) = (&mut reply, &mut self.faults) {
                    partial::drop_names(call, reply, *share, &mut faults.random);
                }
                (Answer::Reply(reply), effects)
            }
            End::Ignored => {
                // Without anything to change.
                let member = |name: &str| call.input.get(name);
                let input = json!({ "cluster": member("cluster"), "service": member("service") });
                let call = Call {
                    input,
                    ..call.clone()
                };
                self.handle(&call, now, Answer::Reply)
            }
            End::PageLost => {
                let (mut reply, effects) = self.cloud.handle(call, now);
                if let Ok(reply) = &mut reply {
                    partial::lose_page(call, reply);
                }
                (Answer::Reply(reply), effects)
            }
        }
    }

    fn handle(
        &mut self,
        call: &Call,
        now: Timestamp,
        answer: impl FnOnce(Result<Reply, ApiError>) -> Answer,
    ) -> (Answer, Vec<Effect>) {
        if is_write(call.service, &call.operation) {
            self.about_to_change(now);
        }
        let (reply, effects) = self.cloud.handle(call, now);
        (answer(reply), effects)
    }

    /// [`Cloud::tick`].
    pub fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        self.about_to_change(now);
        self.cloud.tick(now)
    }

    /// [`Cloud::next_wake`].
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.cloud.next_wake()
    }

    /// [`Cloud::on_event`].
    pub fn on_event(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        self.about_to_change(now);
        self.cloud.on_event(event, now)
    }

    fn about_to_change(&mut self, now: Timestamp) {
        if let Some(history) = &mut self.history {
            history.about_to_change(&self.cloud, now);
        }
    }
}
