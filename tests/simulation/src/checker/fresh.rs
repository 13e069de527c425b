//! S7: right before a write the service is described again. What is sent later than that, for a call before it that was
//! late, is planned anew.

use std::time::Duration;

use super::{Bound, Invariant, Rule, bound::service_of};
use crate::journal::Entry;

/// From the look to the last of a plan's writes that is sent: those are no more than five, each of which is answered within
/// 80 ms unless something is wrong; and the daemon may take a second.
const RIGHT_BEFORE: Duration = Duration::from_millis(1_100);

pub(super) struct Fresh;

impl Rule for Fresh {
    fn invariant(&self) -> Invariant {
        Invariant::S7
    }

    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String> {
        let (sent, change) = entry.sent()?;
        if change.before.service.is_null() && sent.operation != "CreateService" {
            return None;
        }
        let (name, operation) = (service_of(sent)?, &sent.operation);
        let Some(view) = bound.known.view(sent.by, "DescribeServices", &name) else {
            return Some(format!("{operation} of {name}, which was never looked at"));
        };
        let looked = view.at;
        (looked + RIGHT_BEFORE < entry.at)
            .then(|| format!("{operation} of {name}, which was last looked at {looked}"))
    }
}
