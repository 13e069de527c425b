//! What happens to a call: the rules, the buckets and chance.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    buckets::Buckets,
    errors, partial,
    rules::{FaultEffect, FaultPlan, FaultRule, duration},
    unreliable::{End, Fate},
};
use crate::core::{Call, Service, is_write};

/// A plan in force.
#[derive(Debug)]
pub(super) struct Faults {
    plan: FaultPlan,
    since: Timestamp,
    /// To how many calls each rule has been applied.
    applied: Vec<u64>,
    buckets: Option<Buckets>,
    pub(super) random: fastrand::Rng,
}

impl Faults {
    pub(super) fn new(plan: FaultPlan, seed: u64, now: Timestamp) -> Self {
        Self {
            since: now,
            applied: vec![0; plan.rules.len()],
            buckets: plan.buckets.then(|| Buckets::full(now)),
            random: fastrand::Rng::with_seed(plan.seed.unwrap_or(seed)),
            plan,
        }
    }

    /// The longest that a read may lag behind.
    pub(super) fn lag(&self) -> Option<Duration> {
        let mut longest = None;
        for rule in &self.plan.rules {
            if let FaultEffect::Stale { seconds } = rule.effect {
                longest = longest.max(Some(duration(seconds)));
            }
        }
        longest
    }

    /// The plan, and how far each rule has got.
    pub(super) fn view(&self, now: Timestamp) -> Value {
        let rules = self.plan.rules.iter().zip(&self.applied);
        let rules: Vec<Value> = rules
            .map(|(rule, applied)| {
                let mut view = json!(rule);
                if let Some(view) = view.as_object_mut() {
                    view.insert("applied".to_owned(), json!(applied));
                    let active = self.is_active(rule, *applied, now);
                    view.insert("active".to_owned(), json!(active));
                }
                view
            })
            .collect();
        json!({ "seed": self.plan.seed, "buckets": self.plan.buckets, "rules": rules })
    }

    fn is_active(&self, rule: &FaultRule, applied: u64, now: Timestamp) -> bool {
        let passed = Duration::try_from(now.duration_since(self.since)).unwrap_or_default();
        passed < rule.lasts() && rule.times.is_none_or(|times| applied < times)
    }

    /// Decides about a call that arrives now.
    pub(super) fn decide(&mut self, call: &Call, account: &str, now: Timestamp) -> Fate {
        let mut fate = Fate::undisturbed();
        if let Some(buckets) = &mut self.buckets
            && !buckets.take(call, now)
        {
            fate.applied.push("buckets");
            fate.end = End::Refused(errors::throttled(call.service));
            return fate;
        }
        for index in 0..self.plan.rules.len() {
            let (Some(rule), Some(applied)) = (self.plan.rules.get(index), self.applied.get(index))
            else {
                break;
            };
            if !rule.covers(call)
                || !has_meaning(rule.effect, call)
                || !self.is_active(rule, *applied, now)
            {
                continue;
            }
            let effect = rule.effect;
            if rule
                .probability
                .is_some_and(|share| self.random.f64() >= share)
            {
                continue;
            }
            if let Some(applied) = self.applied.get_mut(index) {
                *applied += 1;
            }
            fate.applied.push(effect.name());
            if let FaultEffect::Delay { seconds } = effect {
                fate.delay = fate.delay.saturating_add(duration(seconds));
                continue;
            }
            fate.end = end(effect, call, account);
            break;
        }
        fate
    }
}

/// Some effects are about some operations only.
fn has_meaning(effect: FaultEffect, call: &Call) -> bool {
    match effect {
        // S3's reads are strongly consistent.
        FaultEffect::Stale { .. } => {
            call.service != Service::S3 && !is_write(call.service, &call.operation)
        }
        FaultEffect::Partial { .. } => partial::has_failures(call),
        FaultEffect::PageLost => partial::has_pages(call),
        FaultEffect::Ignored => call.operation == "UpdateService",
        FaultEffect::Throttle
        | FaultEffect::ServerError { .. }
        | FaultEffect::Delay { .. }
        | FaultEffect::Hang
        | FaultEffect::RequestLost
        | FaultEffect::ReplyLost
        | FaultEffect::AccessDenied
        | FaultEffect::ExpiredCredentials => true,
    }
}

fn end(effect: FaultEffect, call: &Call, account: &str) -> End {
    match effect {
        FaultEffect::Delay { .. } => End::Handled,
        FaultEffect::Throttle => End::Refused(errors::throttled(call.service)),
        FaultEffect::ServerError { status } => End::Refused(errors::server(call.service, status)),
        FaultEffect::AccessDenied => End::Refused(errors::denied(call, account)),
        FaultEffect::ExpiredCredentials => End::Refused(errors::expired(call.service)),
        FaultEffect::Hang => End::Hangs,
        FaultEffect::RequestLost => End::RequestLost,
        FaultEffect::ReplyLost => End::ReplyLost,
        FaultEffect::Stale { seconds } => End::Stale(duration(seconds)),
        FaultEffect::Partial { share } => End::Partial(share),
        FaultEffect::PageLost => End::PageLost,
        FaultEffect::Ignored => End::Ignored,
    }
}
