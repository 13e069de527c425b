//! L1: once nothing goes wrong any more, action follows within 30 seconds, and arrival within 60, not counting the time
//! in which ECS itself rolls out.
//!
//! Judged whenever the hand says that all is at rest: from what it last did until the last write of a daemon, per service.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Bound, Invariant, Rule, bound::service_of};
use crate::{
    journal::{Entry, What},
    sight::Sight,
};

/// A resync, and the calls of a pass before its first write.
const ACTS_WITHIN: Duration = Duration::from_secs(33);
/// What ECS takes to drain a service that another hand has deleted: its targets for 30 seconds, then its tasks.
const DRAINS: Duration = Duration::from_secs(50);
/// A service that is gone before any look has shown it cannot be told from one that shows late: for so long.
const SHOWS_WITHIN: Duration = Duration::from_secs(300);
/// How soon after its creation a service is looked at.
const LOOKED_AT: Duration = Duration::from_secs(3);
/// The longest wait after failures: so much later a daemon may find that nothing fails any more.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const ARRIVES_WITHIN: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Arrival {
    /// When something was last done to the world, or a daemon was started.
    touched: Option<Timestamp>,
    /// Whether calls have failed before that.
    have_failed: bool,
    /// What was deleted by that, and how much longer that may take.
    deleted: Option<(String, Duration)>,
    /// When daemons last created a service.
    created: BTreeMap<String, Timestamp>,
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
                self.have_failed = true;
                self.touch(entry.at);
            }
            What::Called(called) if called.is_write_of_daemon() => {
                let name = service_of(called)?;
                if called.operation == "CreateService" {
                    self.created.insert(name.clone(), entry.at);
                }
                self.written.entry(name).or_default().push(entry.at);
            }
            What::Called(called) if called.change.is_some() => {
                self.touch(entry.at);
                if called.operation == "DeleteService" {
                    let name = service_of(called)?;
                    let created = self.created.get(&name);
                    let is_unseen = created.is_some_and(|at| *at + LOOKED_AT >= entry.at);
                    let takes = if is_unseen { SHOWS_WITHIN } else { DRAINS };
                    self.deleted = Some((name, takes));
                }
            }
            What::Seen(name, sight) => {
                let written = self.written.remove(name)?;
                let mut waits = Duration::ZERO;
                if self.have_failed {
                    waits += LONGEST_WAIT;
                }
                if let Some((_, takes)) = self.deleted.as_ref().filter(|(gone, _)| gone == name) {
                    waits += *takes;
                }
                let touched = self.touched? + waits;
                return late(name, touched, &written, &rollouts(sight, entry.at));
            }
            What::Rest(_) => {
                self.have_failed = false;
                self.deleted = None;
            }
            What::Called(_) | What::Ended(_) => {}
        }
        None
    }
}

impl Arrival {
    fn touch(&mut self, at: Timestamp) {
        self.touched = Some(at);
        self.written.clear();
    }
}

fn late(
    name: &str,
    touched: Timestamp,
    written: &[Timestamp],
    rollouts: &[(Timestamp, Timestamp)],
) -> Option<String> {
    let (first, last) = (written.first()?, written.last()?);
    let acted = own_time(touched, *first, rollouts);
    if acted > ACTS_WITHIN {
        return Some(format!("nothing was done about {name} for {acted:?}"));
    }
    let arrived = own_time(touched, *last, rollouts);
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

/// ECS's form of time: seconds with milliseconds.
fn moment(seconds: &Value) -> Option<Timestamp> {
    let passed = Duration::try_from_secs_f64(seconds.as_f64()?).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(passed).ok()
}
