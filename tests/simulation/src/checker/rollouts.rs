//! S2: no deployment is started while one with the same aim runs, or during a rollback. What starts none never carries a
//! task definition.
//!
//! A call that was itself late is not judged: what it met was not there when it was sent, and its caller had given it up.

use super::{
    Bound, Invariant, Rule,
    deployment::{Fate, aim, fate, may_balance_alike, started},
};
use crate::journal::Entry;

pub(super) struct Rollouts;

impl Rule for Rollouts {
    fn invariant(&self) -> Invariant {
        Invariant::S2
    }

    fn step(&mut self, entry: &Entry, _: &Bound) -> Option<String> {
        let called = entry
            .called()
            .filter(|called| called.is_write_of_daemon())?;
        let is_late = called.faults.contains(&"delay");
        if called.operation != "UpdateService"
            || !called.is_done
            || called.outcome.is_err()
            || is_late
        {
            return None;
        }
        let change = called.change.as_ref()?;
        let Some(aims_at) = started(change) else {
            let is_named = !called.input["taskDefinition"].is_null();
            return is_named
                .then(|| "UpdateService starts no deployment and names a definition".to_owned());
        };
        let before = &change.before;
        for deployment in &before.deployments {
            let arn = &deployment["serviceDeploymentArn"];
            match fate(deployment) {
                Fate::RollsBack => {
                    return Some(format!("a deployment is started while {arn} rolls back"));
                }
                Fate::Runs
                    if aim(before, deployment) == aims_at
                        && may_balance_alike(change, deployment) =>
                {
                    return Some(format!(
                        "a deployment is started while {arn} with the same aim runs"
                    ));
                }
                Fate::Runs | Fate::Failed | Fate::Succeeded | Fate::Superseded => {}
            }
        }
        None
    }
}
