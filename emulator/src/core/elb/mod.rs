//! Elastic Load Balancing v2: application load balancers, their listeners, target groups and targets' health.

mod balancers;
mod groups;
mod health;
mod listeners;
mod targets;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    ApiError, Call, Cloud, Effect, Reply, Route, RouteTarget, error::fault, input::Input,
    page::Paging,
};

use balancers::LoadBalancer;
use groups::TargetGroup;
pub(crate) use health::State;
use listeners::Listener;
pub(crate) use targets::Target;

const CODE: &str = "ValidationError";
const PAGING: Paging = Paging {
    token: "Marker",
    limit: "PageSize",
    default: 400,
    max: 400,
};

/// Everything of the account, by ARN.
#[derive(Debug, Default)]
pub(crate) struct Elb {
    balancers: BTreeMap<String, LoadBalancer>,
    groups: BTreeMap<String, TargetGroup>,
    listeners: BTreeMap<String, Listener>,
    /// Health checks under way: which target asked.
    probes: BTreeMap<u64, (String, Target)>,
    last_probe: u64,
    /// What was last handed to the balancer.
    routes: Vec<Route>,
}

impl Elb {
    /// The target type of a group, such as `ip`.
    pub(crate) fn target_type(&self, group: &str) -> Option<&str> {
        Some(&self.groups.get(group)?.target_type)
    }

    /// Whether some listener sends requests to the group.
    pub(crate) fn in_use(&self, group: &str) -> bool {
        self.listeners
            .values()
            .any(|listener| listener.group == group)
    }

    /// How a target stands; `None` when it is not registered.
    pub(crate) fn state(&self, group: &str, target: Target) -> Option<State> {
        let target = self.groups.get(group)?.targets.get(&target)?;
        Some(target.state)
    }

    fn table(&self) -> Vec<Route> {
        self.listeners
            .iter()
            .map(|(arn, listener)| Route {
                listener: arn.clone(),
                port: listener.port,
                targets: self.healthy(&listener.group),
            })
            .collect()
    }

    fn healthy(&self, group: &str) -> Vec<RouteTarget> {
        let targets = self.groups.get(group).map(|group| &group.targets);
        targets
            .into_iter()
            .flatten()
            .filter(|(_, registered)| registered.state == State::Healthy)
            .map(|(target, _)| RouteTarget {
                address: target.address,
                port: target.port,
            })
            .collect()
    }
}

impl Cloud {
    pub(super) fn elb(&mut self, call: &Call, now: Timestamp) -> Result<Reply, ApiError> {
        let input = &call.input;
        match call.operation.as_str() {
            "CreateLoadBalancer" => self.create_load_balancer(input, now),
            "DescribeLoadBalancers" => self.describe_load_balancers(input, now),
            "CreateTargetGroup" => self.create_target_group(input),
            "DescribeTargetGroups" => self.describe_target_groups(input),
            "ModifyTargetGroup" => self.modify_target_group(input),
            "ModifyTargetGroupAttributes" => self.modify_target_group_attributes(input),
            "DescribeTargetGroupAttributes" => self.describe_target_group_attributes(input),
            "CreateListener" => self.create_listener(input, now),
            "DescribeListeners" => self.describe_listeners(input),
            "RegisterTargets" => self.register_targets(input, now),
            "DeregisterTargets" => self.deregister_targets(input, now),
            "DescribeTargetHealth" => self.describe_target_health(input),
            other => Err(fault(
                "InvalidAction",
                format!("Could not find operation {other} for version 2015-12-01"),
            )),
        }
    }

    /// Hands the balancer its table if it has changed. Must come before the effects that rely on it.
    pub(crate) fn publish_routes(&mut self) {
        let table = self.elb.table();
        if table != self.elb.routes {
            self.elb.routes.clone_from(&table);
            self.effects.push(Effect::Routes(table));
        }
    }
}

/// Adds the marker of the next page, when there is one.
fn with_marker(mut reply: Value, next: Option<String>) -> Value {
    if let (Some(next), Some(map)) = (next, reply.as_object_mut()) {
        map.insert("NextMarker".to_owned(), Value::from(next));
    }
    reply
}

/// 1 to 32 letters, digits and hyphens, no hyphen at an end.
fn check_name(input: &Input<'_>, what: &str, name: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.len() > 32 {
        return Err(input.error(format!(
            "{what} name '{name}' cannot be longer than '32' characters"
        )));
    }
    if !name.chars().all(allowed) {
        return Err(input.error(format!(
            "{what} name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)"
        )));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(input.error(format!(
            "{what} name '{name}' cannot begin or end with a hyphen(-)"
        )));
    }
    Ok(())
}

fn missing_group() -> ApiError {
    fault("TargetGroupNotFound", "One or more target groups not found")
}
