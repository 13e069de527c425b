//! Plans that wait for a quota of AWS's: they are put off until their turn, and take up no place meanwhile.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    aws::{Aws, Described, Seen},
    manifest::Manifest,
    observed::LiveService,
    plan::{Blocked, Plan, Write},
    reconcile::Carried,
};

/// How long a pass waits by itself for a quota. Longer, and its place is for others meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// Calls that are taken from the budget, and may be made from a time on.
#[derive(Debug)]
pub(super) struct Ticket {
    operations: Vec<Write>,
    at: Instant,
    /// The manifest that asks for them, by its digest, and the service that they were planned for.
    digest: String,
    basis: Option<Value>,
}

impl Carried {
    /// Takes a plan's calls from the budget, unless an earlier pass has, and waits for the quotas if that is not long. If it
    /// is, the plan is not carried out yet, and this says when.
    pub(super) async fn admit(
        &mut self,
        aws: &Aws,
        seen: &Seen,
        plan: &mut Plan,
    ) -> Option<Instant> {
        let operations: Vec<_> = plan.steps.iter().map(|step| step.operation).collect();
        let before = self.ticket.take();
        let at = match before.filter(|ticket| ticket.operations == operations) {
            Some(ticket) => ticket.at,
            None => aws.admit(&plan.steps),
        };
        let wait = at.saturating_duration_since(Instant::now());
        if wait <= PATIENCE {
            if !wait.is_zero() {
                sleep(wait).await;
            }
            return None;
        }
        // AWS's own time, as of all that is told.
        let until = seen.observed.aws_time.saturating_add(wait);
        plan.stop(Blocked::Quota(until.unwrap_or(seen.observed.aws_time)));
        self.ticket = Some(Ticket {
            operations,
            at,
            digest: seen.desired.manifest.digest.clone(),
            basis: seen.observed.service.as_ref().map(LiveService::basis),
        });
        Some(at)
    }

    /// Until when what is planned waits for a quota, while neither the manifest nor the service has changed.
    pub(super) fn still_waits(
        &self,
        manifest: &Manifest,
        described: &Described,
    ) -> Option<Instant> {
        let ticket = self.ticket.as_ref()?;
        let basis = described.as_ref().ok()?.as_ref().map(LiveService::basis);
        let is_same = ticket.digest == manifest.digest && ticket.basis == basis;
        let is_early = ticket.at > Instant::now() + PATIENCE;
        (is_same && is_early).then_some(ticket.at)
    }
}
