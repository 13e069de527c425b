//! Targets of a group: registration, health checks, draining.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CODE, Elb, State,
    health::{Streak, failure},
    missing_group,
};
use crate::core::{
    ApiError, Cloud, Effect, Probe, ProbeResult, Reply,
    error::fault,
    input::Input,
    time::{self, Timer, later},
};

/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
const TARGETS: usize = 1_000;

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) address: Ipv4Addr,
    pub(crate) port: u16,
}

#[derive(Debug, Clone)]
pub(super) struct Registered {
    pub(super) state: State,
    streak: Streak,
    /// The next step: a check, or the end of draining.
    due: Option<Timestamp>,
    /// The check under way.
    probe: Option<u64>,
}

impl Registered {
    fn new(state: State) -> Self {
        Self {
            state,
            streak: Streak::default(),
            due: None,
            probe: None,
        }
    }
}

impl Elb {
    fn registered(&mut self, group: &str, target: Target) -> Option<&mut Registered> {
        self.groups.get_mut(group)?.targets.get_mut(&target)
    }
}

impl Cloud {
    /// Registers a target. One that is registered already stays as it is; one that drains starts anew.
    pub(crate) fn register_target(&mut self, group: &str, target: Target, now: Timestamp) {
        let in_use = self.elb.in_use(group);
        let Some(targets) = self.elb.groups.get_mut(group).map(|g| &mut g.targets) else {
            return;
        };
        if targets
            .get(&target)
            .is_some_and(|known| known.state != State::Draining)
        {
            return;
        }
        targets.insert(target, Registered::new(State::Unused));
        if in_use {
            self.begin_checks(group, target, now);
        }
    }

    /// Takes a target out of rotation and lets it drain. The balancer knows before this returns.
    pub(crate) fn deregister_target(&mut self, group: &str, target: Target, now: Timestamp) {
        let Some(owner) = self.elb.groups.get_mut(group) else {
            return;
        };
        let until = later(now, owner.deregistration_delay());
        let Some(known) = owner.targets.get_mut(&target) else {
            return;
        };
        match known.state {
            State::Draining => return,
            State::Unused => {
                owner.targets.remove(&target);
            }
            State::Registering | State::Checking | State::Healthy | State::Unhealthy(_) => {
                known.state = State::Draining;
                known.due = Some(until);
                known.probe = None;
                self.timers
                    .set(until, Timer::Target(group.to_owned(), target));
            }
        }
        self.publish_routes();
    }

    /// A listener now sends requests to the group.
    pub(super) fn begin_use(&mut self, group: &str, now: Timestamp) {
        let unused: Vec<Target> = self
            .elb
            .groups
            .get(group)
            .into_iter()
            .flat_map(|group| &group.targets)
            .filter(|(_, known)| known.state == State::Unused)
            .map(|(target, _)| *target)
            .collect();
        for target in unused {
            self.begin_checks(group, target, now);
        }
    }

    /// No action sends requests to the group any more.
    pub(super) fn end_use(&mut self, group: &str, now: Timestamp) {
        let Some(owner) = self.elb.groups.get_mut(group) else {
            return;
        };
        let mut changed = Vec::new();
        for (target, known) in &mut owner.targets {
            if known.state != State::Draining {
                *known = Registered::new(State::Unused);
                changed.push(*target);
            }
        }
        for target in changed {
            self.target_changed(target, now);
        }
    }

    fn begin_checks(&mut self, group: &str, target: Target, now: Timestamp) {
        let first = self.pace.after(now, time::REGISTER);
        if let Some(known) = self.elb.registered(group, target) {
            known.state = State::Registering;
            known.due = Some(first);
            self.timers
                .set(first, Timer::Target(group.to_owned(), target));
        }
    }

    /// A target's next step: a check, or the end of draining.
    pub(crate) fn step_target(&mut self, group: &str, target: Target, now: Timestamp) {
        let Some(owner) = self.elb.groups.get_mut(group) else {
            return;
        };
        let Some(known) = owner.targets.get_mut(&target) else {
            return;
        };
        if known.due.is_none_or(|due| due > now) {
            return;
        }
        match known.state {
            State::Unused => {}
            State::Draining => {
                owner.targets.remove(&target);
                self.target_gone(target, now);
            }
            State::Registering | State::Checking | State::Healthy | State::Unhealthy(_) => {
                let begins = known.state == State::Registering;
                if begins {
                    known.state = State::Checking;
                }
                let next = later(now, owner.check.interval);
                known.due = Some(next);
                self.timers
                    .set(next, Timer::Target(group.to_owned(), target));
                if known.probe.is_none() {
                    self.elb.last_probe += 1;
                    let id = self.elb.last_probe;
                    known.probe = Some(id);
                    self.effects.push(Effect::Probe(Probe {
                        id,
                        address: target.address,
                        port: owner.check.port.unwrap_or(target.port),
                        path: owner.check.path.clone(),
                        timeout: owner.check.timeout,
                    }));
                    self.elb.probes.insert(id, (group.to_owned(), target));
                }
                if begins {
                    self.publish_routes();
                }
            }
        }
    }

    /// A check ended. An answer to a check of a target that has gone, or was registered anew, says nothing.
    pub(crate) fn probe_finished(&mut self, id: u64, result: ProbeResult, now: Timestamp) {
        let Some((group, target)) = self.elb.probes.remove(&id) else {
            return;
        };
        let Some(owner) = self.elb.groups.get_mut(&group) else {
            return;
        };
        let Some(known) = owner.targets.get_mut(&target) else {
            return;
        };
        if known.probe != Some(id) {
            return;
        }
        known.probe = None;
        let check = &owner.check;
        let failed = failure(result, |status| check.passes(status));
        let before = known.state;
        known.state = before.after(&mut known.streak, failed, check.healthy, check.unhealthy);
        if known.state != before {
            self.publish_routes();
            self.target_changed(target, now);
        }
    }

    pub(super) fn register_targets(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["TargetGroupArn", "Targets"])?;
        let arn = input.need("TargetGroupArn")?;
        let targets = self.targets_of(&input, arn)?;
        let registered = self.elb.groups.get(arn).map_or(0, |g| g.targets.len());
        if registered + targets.len() > TARGETS {
            return Err(fault(
                "TooManyTargets",
                "The maximum number of targets for this target group has been reached",
            ));
        }
        for target in targets {
            self.register_target(arn, target, now);
        }
        Ok(json!({}))
    }

    pub(super) fn deregister_targets(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["TargetGroupArn", "Targets"])?;
        let arn = input.need("TargetGroupArn")?;
        for target in self.targets_of(&input, arn)? {
            self.deregister_target(arn, target, now);
            self.target_changed(target, now);
        }
        Ok(json!({}))
    }

    pub(super) fn describe_target_health(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["TargetGroupArn", "Targets", "Include"])?;
        let arn = input.need("TargetGroupArn")?;
        let asked = self.targets_of(&input, arn)?;
        let group = self.elb.groups.get(arn).ok_or_else(missing_group)?;
        let view = |target: &Target, health: Value| {
            json!({
                "Target": { "Id": target.address.to_string(), "Port": target.port },
                "HealthCheckPort": group.check.port.unwrap_or(target.port).to_string(),
                "TargetHealth": health,
            })
        };
        let views: Vec<Value> = if asked.is_empty() {
            let known = group.targets.iter();
            known
                .map(|(target, known)| view(target, known.state.view()))
                .collect()
        } else {
            let health = |target: &Target| match group.targets.get(target) {
                Some(known) => known.state.view(),
                None => json!({
                    "State": "unused",
                    "Reason": "Target.NotRegistered",
                    "Description": "Target is not registered to the target group",
                }),
            };
            asked
                .iter()
                .map(|target| view(target, health(target)))
                .collect()
        };
        Ok(json!({ "TargetHealthDescriptions": views }))
    }

    /// The targets that an input names; the group's port where none is given.
    fn targets_of(&self, input: &Input<'_>, arn: &str) -> Result<Vec<Target>, ApiError> {
        let group = self.elb.groups.get(arn).ok_or_else(missing_group)?;
        let targets = input.objects("Targets", &["Id", "Port", "AvailabilityZone"])?;
        if group.target_type != "ip" && !targets.is_empty() {
            return Err(input.error("The emulator supports targets of type ip only."));
        }
        targets
            .iter()
            .map(|target| {
                let id = target.need("Id")?;
                let address: Ipv4Addr = id.parse().map_err(|_| {
                    input.error(format!("The IP address '{id}' is not a valid IPv4 address"))
                })?;
                if !(address.is_private() || is_carrier_grade(address)) {
                    return Err(input.error(format!(
                        "The IP address '{id}' is not in 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12 or 192.168.0.0/16"
                    )));
                }
                let port = target.int_in("Port", 1, 65_535)?;
                let port = port.and_then(|port| u16::try_from(port).ok());
                Ok(Target {
                    address,
                    port: port.unwrap_or(group.port),
                })
            })
            .collect()
    }
}

/// With the private ones, all that a target of type `ip` can have. Source:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html>
fn is_carrier_grade(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    a == 100 && (64..128).contains(&b)
}
