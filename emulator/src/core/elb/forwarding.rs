//! Which groups the actions of listeners and rules send requests to, and what follows when that changes.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

use super::{
    Elb, State,
    actions::Action,
    attributes::{self, DROP_INVALID, IDLE},
    missing_group,
    route::{Route, RouteRule, RouteTarget},
};
use crate::core::{ApiError, Cloud, Effect, error::fault};

impl Elb {
    /// Whether some action sends requests to the group.
    pub(crate) fn in_use(&self, group: &str) -> bool {
        self.used.contains(group)
    }

    /// Every load balancer with one of its actions.
    fn actions(&self) -> impl Iterator<Item = (&str, &Action)> {
        let defaults = self.listeners.values();
        let defaults = defaults.map(|it| (it.balancer.as_str(), &it.default));
        let ruled = self.rules.values().filter_map(|rule| {
            let listener = self.listeners.get(&rule.listener)?;
            Some((listener.balancer.as_str(), &rule.action))
        });
        defaults.chain(ruled)
    }

    /// The load balancers that send requests to a group.
    pub(super) fn balancers_of(&self, group: &str) -> BTreeSet<&str> {
        self.actions()
            .filter(|(_, action)| action.groups().any(|it| it == group))
            .map(|(balancer, _)| balancer)
            .collect()
    }

    /// Checks that a load balancer may have this action.
    ///
    /// # Errors
    /// A group that is missing, or that another load balancer sends requests to.
    pub(super) fn check_action(&self, action: &Action, balancer: &str) -> Result<(), ApiError> {
        for group in action.groups() {
            if !self.groups.contains_key(group) {
                return Err(missing_group());
            }
            if self.balancers_of(group).iter().any(|it| *it != balancer) {
                return Err(fault(
                    "TargetGroupAssociationLimit",
                    format!(
                        "The following target groups cannot be associated with more than one load balancer: {group}"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn table(&self) -> Vec<Route> {
        self.listeners
            .iter()
            .map(|(arn, listener)| {
                let rules = self.rules_of(arn);
                let balancer = self.balancers.get(&listener.balancer);
                let attributes = balancer.map(|balancer| &balancer.attributes);
                let mut groups: BTreeSet<&str> = listener.default.groups().collect();
                groups.extend(rules.iter().flat_map(|(_, rule)| rule.action.groups()));
                Route {
                    listener: arn.clone(),
                    port: listener.port,
                    rules: rules
                        .into_iter()
                        .map(|(_, rule)| RouteRule {
                            conditions: rule.conditions.clone(),
                            action: rule.action.clone(),
                        })
                        .collect(),
                    default: listener.default.clone(),
                    targets: groups
                        .into_iter()
                        .flat_map(|it| self.rotation(it))
                        .collect(),
                    idle: attributes.map_or(Route::IDLE, idle),
                    drop_invalid_headers: attributes
                        .is_some_and(|it| attributes::is_set(it, DROP_INVALID)),
                }
            })
            .collect()
    }

    /// The targets of a group that get requests: the healthy ones, or without any, all that are not leaving. Source:
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
    fn rotation(&self, group: &str) -> Vec<RouteTarget> {
        let with = |wanted: fn(State) -> bool| -> Vec<RouteTarget> {
            let targets = self.groups.get(group).map(|group| &group.targets);
            targets
                .into_iter()
                .flatten()
                .filter(|(_, registered)| wanted(registered.state))
                .map(|(target, _)| RouteTarget {
                    group: group.to_owned(),
                    address: target.address,
                    port: target.port,
                })
                .collect()
        };
        let healthy = with(|state| state == State::Healthy);
        if healthy.is_empty() {
            with(|state| matches!(state, State::Checking | State::Unhealthy(_)))
        } else {
            healthy
        }
    }
}

impl Cloud {
    /// Hands the balancer its table if it has changed. Must come before the effects that rely on it.
    pub(crate) fn publish_routes(&mut self) {
        if !self.elb.rerouted {
            self.elb.rerouted = true;
            self.effects.push(Effect::Routes(Vec::new()));
        }
    }

    /// What has to be done outside. There is one table for all that has changed at once: a table for each target of many
    /// would be as much work as the square of their number.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        let mut effects = std::mem::take(&mut self.effects);
        if std::mem::take(&mut self.elb.rerouted) {
            let table = self.elb.table();
            let is_routes = |effect: &Effect| matches!(effect, Effect::Routes(_));
            if table == self.elb.routes {
                effects.retain(|effect| !is_routes(effect));
            } else if let Some(effect) = effects.iter_mut().find(|effect| is_routes(effect)) {
                self.elb.routes.clone_from(&table);
                *effect = Effect::Routes(table);
            }
        }
        effects
    }

    /// Listeners or rules have changed: targets of groups that came into use are checked from now on, those of groups
    /// that went out of use are not any more.
    pub(super) fn actions_changed(&mut self, now: Timestamp) {
        let actions = self.elb.actions();
        let used: BTreeSet<String> = actions
            .flat_map(|(_, action)| action.groups().map(str::to_owned))
            .collect();
        let before = std::mem::replace(&mut self.elb.used, used.clone());
        for group in used.difference(&before) {
            self.begin_use(group, now);
        }
        for group in before.difference(&used) {
            self.end_use(group, now);
        }
        self.publish_routes();
    }
}

fn idle(of: &attributes::Attributes) -> Duration {
    attributes::duration(of, IDLE).unwrap_or(Route::IDLE)
}
