//! S7: right before a write the service is described again. What a hand does later than that, and more than a plan's other
//! calls earlier than the write, must have been seen.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{Bound, Invariant, Rule, bound::service_of};
use crate::journal::{Caller, Entry};

/// From the look to the last of the calls that a plan makes of a service: they follow each other, and none but the last
/// may take the five seconds after which it is given up.
const RIGHT_BEFORE: Duration = Duration::from_secs(15);
/// What the look's reply and a plan's calls before a write may take: five calls, each 80 ms under way at most.
const UNDER_WAY: Duration = Duration::from_millis(400);

#[derive(Default)]
pub(super) struct Fresh {
    /// When somebody else last changed a service.
    changed: BTreeMap<String, Timestamp>,
}

impl Rule for Fresh {
    fn invariant(&self) -> Invariant {
        Invariant::S7
    }

    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String> {
        if let Some(called) = entry.called()
            && called.by == Caller::Hand
            && called.change.is_some()
        {
            let changed = service_of(called).map(|name| (name, entry.at));
            self.changed.extend(changed);
        }
        let (sent, change) = entry.sent()?;
        if change.before.service.is_null() && sent.operation != "CreateService" {
            return None;
        }
        let (name, operation) = (service_of(sent)?, &sent.operation);
        let Some(view) = bound.known.view(sent.by, "DescribeServices", &name) else {
            return Some(format!("{operation} of {name}, which was never looked at"));
        };
        let looked = view.at;
        if looked + RIGHT_BEFORE < entry.at {
            return Some(format!(
                "{operation} of {name}, which was last looked at {looked}"
            ));
        }
        let unseen = self
            .changed
            .get(&name)
            .filter(|changed| **changed > looked && **changed + UNDER_WAY < entry.at)?;
        Some(format!(
            "{operation} of {name}, which another hand changed {unseen}"
        ))
    }
}
