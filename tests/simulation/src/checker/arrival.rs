//! L1: once nothing goes wrong any more, action follows within 30 seconds, and arrival within 60, not counting the time
//! in which ECS itself rolls out.
//!
//! Judged whenever the hand says that all is at rest: from what it last did until the last write of a daemon, per service.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Bound, Invariant, Rule, bound::service_of, deployment::moment};
use crate::{
    journal::{Caller, Entry, What},
    sight::Sight,
};

/// A resync, a look at the others before many are deployed at once (S9), and the calls of a pass before its first write.
const ACTS_WITHIN: Duration = Duration::from_secs(30 + 2 + 1);
const ARRIVES_WITHIN: Duration = Duration::from_secs(60);
/// What a service that another hand has deleted takes to end its tasks, and before that, behind a target group, to let
/// its targets finish: the group's deregistration delay in [`crate::furniture`].
const ENDS: Duration = Duration::from_secs(1);
const DEREGISTERS: Duration = Duration::from_secs(30);
/// The longest wait after failures; that after the first is a second, and each next one twice as long.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Arrival {
    /// When something was last done to the world, or a daemon was started.
    touched: Option<Timestamp>,
    /// How many calls of each daemon something has gone wrong with since all was at rest.
    failures: BTreeMap<Caller, u32>,
    /// When what another hand has deleted is gone.
    gone: BTreeMap<String, Timestamp>,
    /// What daemons have written since, by service.
    written: BTreeMap<String, Vec<Timestamp>>,
}

impl Rule for Arrival {
    fn invariant(&self) -> Invariant {
        Invariant::L1
    }

    fn step(&mut self, entry: &Entry, _: &Bound) -> Option<String> {
        match &entry.what {
            What::Manifests(_) | What::Meddled(_) | What::Started(_) => self.touch(entry.at),
            What::Called(called) if !called.faults.is_empty() => {
                *self.failures.entry(called.by).or_default() += 1;
                self.touch(entry.at);
            }
            What::Called(called) if called.is_write_of_daemon() => {
                let name = service_of(called)?;
                self.written.entry(name).or_default().push(entry.at);
            }
            What::Called(called) => {
                let change = called.change.as_ref()?;
                self.touch(entry.at);
                if called.operation == "DeleteService" {
                    let gone = entry.at + drains(&change.before.service);
                    self.gone.insert(service_of(called)?, gone);
                }
            }
            What::Ended(number) => {
                self.failures.remove(&Caller::Daemon(*number));
            }
            What::Seen(name, sight) => {
                let written = self.written.remove(name)?;
                let mut due = self.touched? + self.waits();
                due = due.max(self.gone.get(name).copied().unwrap_or(due));
                return late(name, due, &written, &rollouts(sight, entry.at));
            }
            What::Rest(_) => self.failures.clear(),
            What::Sent(_) => {}
        }
        None
    }
}

impl Arrival {
    fn touch(&mut self, at: Timestamp) {
        self.touched = Some(at);
        self.written.clear();
    }

    /// How long a daemon may wait after so many failures in a row at most.
    fn waits(&self) -> Duration {
        let most = self.failures.values().max().copied().unwrap_or_default();
        let doubled = 1_u64.checked_shl(most.saturating_sub(1));
        let wait = doubled.map_or(LONGEST_WAIT, Duration::from_secs);
        if most == 0 {
            Duration::ZERO
        } else {
            wait.min(LONGEST_WAIT)
        }
    }
}

fn drains(service: &Value) -> Duration {
    let balancers = service["loadBalancers"].as_array();
    if balancers.is_some_and(|balancers| !balancers.is_empty()) {
        DEREGISTERS + ENDS
    } else {
        ENDS
    }
}

fn late(
    name: &str,
    due: Timestamp,
    written: &[Timestamp],
    rollouts: &[(Timestamp, Timestamp)],
) -> Option<String> {
    let (first, last) = (written.first()?, written.last()?);
    let acted = own_time(due, *first, rollouts);
    if acted > ACTS_WITHIN {
        return Some(format!("nothing was done about {name} for {acted:?}"));
    }
    let arrived = own_time(due, *last, rollouts);
    (arrived > ARRIVES_WITHIN).then(|| format!("{name} was not as it should be for {arrived:?}"))
}

/// The time from one moment to another in which ECS was rolling nothing out. `rollouts` do not overlap.
fn own_time(from: Timestamp, to: Timestamp, rollouts: &[(Timestamp, Timestamp)]) -> Duration {
    let mut time = to.duration_since(from);
    for (began, ended) in rollouts {
        let (began, ended) = ((*began).max(from), (*ended).min(to));
        time = time.saturating_sub(ended.duration_since(began).max(SignedDuration::ZERO));
    }
    Duration::try_from(time).unwrap_or_default()
}

/// When each deployment began and ended; it ends with the next one's beginning at the latest.
fn rollouts(sight: &Sight, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut rollouts = Vec::new();
    let mut next = now;
    for deployment in &sight.deployments {
        let Some(began) = moment(&deployment["createdAt"]) else {
            continue;
        };
        let ended = moment(&deployment["finishedAt"]).unwrap_or(now);
        rollouts.push((began, ended.min(next)));
        next = began;
    }
    rollouts
}
