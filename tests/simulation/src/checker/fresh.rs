//! S7: right before a write the service is described again. What a hand does later than that, and more than a call's way
//! earlier than the write, must have been seen.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{Bound, Invariant, Rule, bound::service_of, unknown::names};
use crate::journal::{Caller, Entry};

/// From the look to the last of the calls that a plan makes of a service.
const RIGHT_BEFORE: Duration = Duration::from_secs(15);
/// What a call's way, and that of the look before it, may take.
pub(super) const UNDER_WAY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Fresh {
    looked: BTreeMap<(Caller, String), Timestamp>,
    /// When somebody else last changed a service.
    changed: BTreeMap<String, Timestamp>,
}

impl Rule for Fresh {
    fn invariant(&self) -> Invariant {
        Invariant::S7
    }

    fn step(&mut self, entry: &Entry, _: &Bound) -> Option<String> {
        let called = entry.called()?;
        if called.operation == "DescribeServices" && called.is_done {
            let looked = names(&called.input).map(|name| ((called.by, name.to_owned()), entry.at));
            self.looked.extend(looked);
            return None;
        }
        // When it was late it had been sent earlier.
        let is_late = called.faults.contains(&"delay");
        let change = called.change.as_ref().filter(|_| !is_late)?;
        let name = service_of(called)?;
        if called.by == Caller::Hand {
            self.changed.insert(name, entry.at);
            return None;
        }
        if change.before.service.is_null() && called.operation != "CreateService" {
            return None;
        }
        let operation = &called.operation;
        let Some(looked) = self.looked.get(&(called.by, name.clone())) else {
            return Some(format!("{operation} of {name}, which was never looked at"));
        };
        if *looked + RIGHT_BEFORE < entry.at {
            return Some(format!(
                "{operation} of {name}, which was last looked at {looked}"
            ));
        }
        let unseen = self
            .changed
            .get(&name)
            .filter(|changed| **changed > *looked && **changed + UNDER_WAY < entry.at)?;
        Some(format!(
            "{operation} of {name}, which another hand changed {unseen}"
        ))
    }
}
