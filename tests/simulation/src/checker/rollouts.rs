//! S2: no deployment is started while one with the same aim runs, or during a rollback. What starts none never carries a
//! task definition.

use super::{
    Bound, Invariant, Rule,
    deployment::{Fate, aim, fate, may_balance_alike, moment, started},
};
use crate::journal::Entry;

pub(super) struct Rollouts;

impl Rule for Rollouts {
    fn invariant(&self) -> Invariant {
        Invariant::S2
    }

    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String> {
        let (sent, change) = entry.sent()?;
        if sent.operation != "UpdateService" || sent.outcome.is_err() {
            return None;
        }
        let Some(aims_at) = started(change) else {
            let is_named = !sent.input["taskDefinition"].is_null();
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
                        && may_balance_alike(change, deployment)
                        && !moment(&deployment["createdAt"])
                            .is_some_and(|began| bound.known.is_hidden(sent, began)) =>
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
