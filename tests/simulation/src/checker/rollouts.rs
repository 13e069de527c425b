//! S2: no deployment is started while one with the same aim runs, or during a rollback. What starts none never carries a
//! task definition.

use super::{
    Bound, Invariant, Rule,
    deployment::{Fate, aim, fate, started},
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
        if called.operation != "UpdateService" || !called.is_done || called.outcome.is_err() {
            return None;
        }
        let change = called.change.as_ref()?;
        let Some(aims_at) = started(change) else {
            let is_named = !called.input["taskDefinition"].is_null();
            return is_named
                .then(|| "UpdateService starts no deployment and names a definition".to_owned());
        };
        let before = &change.before;
        // A service's first revision omits them, and so they are no part of an aim.
        let is_balanced_alike =
            before.service["loadBalancers"] == change.after.service["loadBalancers"];
        for deployment in &before.deployments {
            let arn = &deployment["serviceDeploymentArn"];
            match fate(deployment) {
                Fate::RollsBack => {
                    return Some(format!("a deployment is started while {arn} rolls back"));
                }
                Fate::Runs if is_balanced_alike && aim(before, deployment) == aims_at => {
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
