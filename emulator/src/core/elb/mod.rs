//! Elastic Load Balancing v2: application load balancers, their listeners, target groups and targets' health.

mod actions;
mod attributes;
mod balancers;
mod check;
mod conditions;
mod forwarding;
mod groups;
mod health;
mod listeners;
mod patterns;
mod route;
mod rules;
mod tags;
mod targets;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    ApiError, Call, Cloud, Reply,
    error::fault,
    input::Input,
    page::{Page, Paging},
};

pub use actions::{Action, FixedResponse, Redirect, Weighted};
use balancers::LoadBalancer;
pub use conditions::Condition;
use groups::TargetGroup;
pub(crate) use health::State;
use listeners::Listener;
pub use patterns::Network;
pub use route::{RequestHead, Route, RouteRule, RouteTarget};
use rules::Rule;
use tags::Tags;
pub(crate) use targets::Target;

const CODE: &str = "ValidationError";
const PAGING: Paging = Paging {
    token: "Marker",
    limit: "PageSize",
    default: 400,
    max: 400,
};

/// Everything of the account, by ARN.
#[derive(Debug, Clone, Default)]
pub(crate) struct Elb {
    balancers: BTreeMap<String, LoadBalancer>,
    groups: BTreeMap<String, TargetGroup>,
    listeners: BTreeMap<String, Listener>,
    rules: BTreeMap<String, Rule>,
    tags: BTreeMap<String, Tags>,
    /// The groups that some action sends requests to.
    used: BTreeSet<String>,
    /// Health checks under way: which target asked.
    probes: BTreeMap<u64, (String, Target)>,
    last_probe: u64,
    /// What was last handed to the balancer.
    routes: Vec<Route>,
    /// Whether they may have changed since.
    rerouted: bool,
}

impl Elb {
    /// The target type of a group, such as `ip`.
    pub(crate) fn target_type(&self, group: &str) -> Option<&str> {
        Some(&self.groups.get(group)?.target_type)
    }

    /// How a target stands; `None` when it is not registered.
    pub(crate) fn state(&self, group: &str, target: Target) -> Option<State> {
        let target = self.groups.get(group)?.targets.get(&target)?;
        Some(target.state)
    }
}

impl Cloud {
    pub(super) fn elb(&mut self, call: &Call, now: Timestamp) -> Result<Reply, ApiError> {
        let input = &call.input;
        match call.operation.as_str() {
            "CreateLoadBalancer" => self.create_load_balancer(input, now),
            "DescribeLoadBalancers" => self.describe_load_balancers(input, now),
            "DeleteLoadBalancer" => self.delete_load_balancer(input, now),
            "ModifyLoadBalancerAttributes" => self.modify_load_balancer_attributes(input),
            "DescribeLoadBalancerAttributes" => self.describe_load_balancer_attributes(input),
            "SetSecurityGroups" => self.set_security_groups(input),
            "SetSubnets" => self.set_subnets(input),
            "CreateListener" => self.create_listener(input, now),
            "DescribeListeners" => self.describe_listeners(input),
            "ModifyListener" => self.modify_listener(input, now),
            "DeleteListener" => self.delete_listener(input, now),
            "ModifyListenerAttributes" => self.modify_listener_attributes(input),
            "DescribeListenerAttributes" => self.describe_listener_attributes(input),
            "CreateRule" => self.create_rule(input, now),
            "DescribeRules" => self.describe_rules(input),
            "ModifyRule" => self.modify_rule(input, now),
            "DeleteRule" => self.delete_rule(input, now),
            "SetRulePriorities" => self.set_rule_priorities(input, now),
            "CreateTargetGroup" => self.create_target_group(input),
            "DescribeTargetGroups" => self.describe_target_groups(input),
            "ModifyTargetGroup" => self.modify_target_group(input),
            "DeleteTargetGroup" => self.delete_target_group(input, now),
            "ModifyTargetGroupAttributes" => self.modify_target_group_attributes(input),
            "DescribeTargetGroupAttributes" => self.describe_target_group_attributes(input),
            "RegisterTargets" => self.register_targets(input, now),
            "DeregisterTargets" => self.deregister_targets(input, now),
            "DescribeTargetHealth" => self.describe_target_health(input),
            "AddTags" => self.add_elb_tags(input),
            "RemoveTags" => self.remove_elb_tags(input),
            "DescribeTags" => self.describe_elb_tags(input),
            other => Err(fault(
                "InvalidAction",
                format!("Could not find operation {other} for version 2015-12-01"),
            )),
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

/// The page that the input asks for; the items' keys ascend.
fn page<T>(
    input: &Input<'_>,
    items: impl IntoIterator<Item = (String, T)>,
) -> Result<Page<T>, ApiError> {
    let wrong = match input.int("PageSize")? {
        Some(size) if size < 1 => Some((size, "greater than or equal to 1")),
        Some(size) if size > 400 => Some((size, "less than or equal to 400")),
        Some(_) | None => None,
    };
    if let Some((size, bound)) = wrong {
        return Err(input.error(format!(
            "1 validation error detected: Value '{size}' at 'pageSize' failed to satisfy constraint: Member must have value {bound}"
        )));
    }
    PAGING.cut(input, items)
}

/// One of AWS's words; of those, one that the emulator supports.
fn choice<'a>(
    input: &Input<'a>,
    key: &str,
    words: &[&str],
    supported: &[&str],
) -> Result<Option<&'a str>, ApiError> {
    match input.text(key)? {
        Some(text) if !words.contains(&text) => {
            let mut member = key.to_owned();
            if let Some(first) = member.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            let words = words.join(", ");
            Err(input.error(format!(
                "1 validation error detected: Value '{text:.128}' at '{member}' failed to satisfy constraint: Member must satisfy enum value set: [{words}]"
            )))
        }
        Some(text) if !supported.contains(&text) => {
            Err(input.error(format!("The emulator does not support {key} = {text}.")))
        }
        text => Ok(text),
    }
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

fn missing_balancer() -> ApiError {
    fault(
        "LoadBalancerNotFound",
        "One or more load balancers not found",
    )
}

fn missing_listener() -> ApiError {
    fault("ListenerNotFound", "One or more listeners not found")
}

fn missing_rule() -> ApiError {
    fault("RuleNotFound", "One or more rules not found")
}
