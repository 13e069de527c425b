//! Target groups: their health check and their attributes.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    CODE, PAGING, check_name, missing_group,
    targets::{Registered, Target},
    with_marker,
};
use crate::core::{ApiError, Cloud, Reply, error::fault, input::Input};

const GROUPS: usize = 3_000;
const DELAY: &str = "deregistration_delay.timeout_seconds";
const HEALTH_MEMBERS: [&str; 8] = [
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
];

#[derive(Debug)]
pub(super) struct TargetGroup {
    name: String,
    pub(super) port: u16,
    vpc: String,
    pub(super) target_type: String,
    pub(super) check: HealthCheck,
    attributes: BTreeMap<String, String>,
    pub(super) targets: BTreeMap<Target, Registered>,
}

/// How targets are checked. Defaults and bounds:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HealthCheck {
    /// `None` is `traffic-port`.
    pub(super) port: Option<u16>,
    pub(super) path: String,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) healthy: u32,
    pub(super) unhealthy: u32,
    /// As given, such as `200,204` or `200-299`.
    pub(super) matcher: String,
}

impl TargetGroup {
    /// How long a deregistered target drains.
    pub(super) fn deregistration_delay(&self) -> Duration {
        let seconds = self
            .attributes
            .get(DELAY)
            .and_then(|text| text.parse().ok());
        Duration::from_secs(seconds.unwrap_or(300))
    }
}

impl HealthCheck {
    fn standard() -> Self {
        Self {
            port: None,
            path: "/".to_owned(),
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            healthy: 5,
            unhealthy: 2,
            matcher: "200".to_owned(),
        }
    }

    /// This check with what the input says in its place.
    fn merged(&self, input: &Input<'_>) -> Result<Self, ApiError> {
        let mut check = self.clone();
        input.word("HealthCheckProtocol", &["HTTP"])?;
        if input.flag("HealthCheckEnabled")? == Some(false) {
            return Err(input.error(
                "Health checks cannot be disabled for target groups with target type 'ip'",
            ));
        }
        match input.text("HealthCheckPort")? {
            None => {}
            Some("traffic-port") => check.port = None,
            Some(port) => {
                let port = port.parse().ok().filter(|port| *port > 0);
                check.port = Some(port.ok_or_else(|| {
                    input.error("Health check port must be 'traffic-port' or in the range 1-65535")
                })?);
            }
        }
        if let Some(path) = input.text("HealthCheckPath")? {
            if !path.starts_with('/') || path.len() > 1024 || path.contains(char::is_whitespace) {
                return Err(input.error(format!(
                    "Health check path '{path}' must begin with a '/' character, and can only contain printable ASCII characters, without spaces"
                )));
            }
            path.clone_into(&mut check.path);
        }
        let seconds = |key, low, high| -> Result<Option<Duration>, ApiError> {
            let value = input.int_in(key, low, high)?;
            Ok(value
                .and_then(|s| u64::try_from(s).ok())
                .map(Duration::from_secs))
        };
        check.interval = seconds("HealthCheckIntervalSeconds", 5, 300)?.unwrap_or(check.interval);
        check.timeout = seconds("HealthCheckTimeoutSeconds", 2, 120)?.unwrap_or(check.timeout);
        if check.timeout >= check.interval {
            return Err(input.error(format!(
                "Health check timeout '{}' must be smaller than the interval '{}'",
                check.timeout.as_secs(),
                check.interval.as_secs()
            )));
        }
        let count = |key| -> Result<Option<u32>, ApiError> {
            Ok(input
                .int_in(key, 2, 10)?
                .and_then(|n| u32::try_from(n).ok()))
        };
        check.healthy = count("HealthyThresholdCount")?.unwrap_or(check.healthy);
        check.unhealthy = count("UnhealthyThresholdCount")?.unwrap_or(check.unhealthy);
        if let Some(matcher) = input.object("Matcher", &["HttpCode"])? {
            let codes = matcher.need("HttpCode")?;
            if ranges(codes).is_none() {
                return Err(input.error(format!(
                    "Health check matcher HTTP code '{codes}' must be within '200-499' inclusive"
                )));
            }
            codes.clone_into(&mut check.matcher);
        }
        Ok(check)
    }

    /// Whether a response with this status passes.
    pub(super) fn passes(&self, status: u16) -> bool {
        ranges(&self.matcher)
            .into_iter()
            .flatten()
            .any(|(low, high)| (low..=high).contains(&status))
    }
}

/// `200,301-302` as ranges, both ends included; `None` when it is malformed or out of 200-499.
fn ranges(codes: &str) -> Option<Vec<(u16, u16)>> {
    codes
        .split(',')
        .map(|part| {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            (200 <= low && low <= high && high <= 499).then_some((low, high))
        })
        .collect()
}

impl Cloud {
    pub(super) fn create_target_group(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let mut members = vec![
            "Name",
            "Protocol",
            "ProtocolVersion",
            "Port",
            "VpcId",
            "Matcher",
            "TargetType",
            "Tags",
            "IpAddressType",
        ];
        members.extend(HEALTH_MEMBERS);
        let input = Input::new(input, CODE, &members)?;
        input.refuse(&["Tags"])?;
        input.word("Protocol", &["HTTP"])?;
        input.word("ProtocolVersion", &["HTTP1"])?;
        input.word("IpAddressType", &["ipv4"])?;
        let name = input.need("Name")?;
        check_name(&input, "Target group", name)?;
        input.need("Protocol")?;
        let port = input
            .int_in("Port", 1, 65_535)?
            .and_then(|port| u16::try_from(port).ok())
            .ok_or_else(|| input.error("A port must be specified"))?;
        let vpc = input.need("VpcId")?.to_owned();
        let target_type = input
            .word("TargetType", &["instance", "ip"])?
            .unwrap_or("instance")
            .to_owned();
        let check = HealthCheck::standard().merged(&input)?;
        let same = self.elb.groups.iter().find(|(_, group)| group.name == name);
        if let Some((arn, group)) = same {
            if group.port == port
                && group.vpc == vpc
                && group.target_type == target_type
                && group.check == check
            {
                return Ok(json!({ "TargetGroups": [self.group_view(arn, group)] }));
            }
            return Err(fault(
                "DuplicateTargetGroupName",
                "A target group with the same name exists, but with different settings",
            ));
        }
        if self.elb.groups.len() >= GROUPS {
            return Err(fault(
                "TooManyTargetGroups",
                "The maximum number of target groups has been reached",
            ));
        }
        let resource = format!("targetgroup/{name}/{}", self.ids.hex(16));
        let arn = self.ids.arn("elasticloadbalancing", &resource);
        let group = TargetGroup {
            name: name.to_owned(),
            port,
            vpc,
            target_type,
            check,
            attributes: standard_attributes(),
            targets: BTreeMap::new(),
        };
        let view = self.group_view(&arn, &group);
        self.elb.groups.insert(arn, group);
        Ok(json!({ "TargetGroups": [view] }))
    }

    pub(super) fn describe_target_groups(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "LoadBalancerArn",
            "TargetGroupArns",
            "Names",
            "Marker",
            "PageSize",
        ];
        let input = Input::new(input, CODE, &members)?;
        let arns = input.texts("TargetGroupArns")?;
        let names = input.texts("Names")?;
        let balancer = input.text("LoadBalancerArn")?;
        let missing_arn = arns.iter().any(|arn| !self.elb.groups.contains_key(*arn));
        let named = |name: &&str| self.elb.groups.values().any(|group| group.name == **name);
        if missing_arn || !names.iter().all(named) {
            return Err(missing_group());
        }
        if balancer.is_some_and(|arn| !self.elb.balancers.contains_key(arn)) {
            return Err(fault(
                "LoadBalancerNotFound",
                "One or more load balancers not found",
            ));
        }
        let wanted = self.elb.groups.iter().filter(|(arn, group)| {
            (arns.is_empty() || arns.contains(&arn.as_str()))
                && (names.is_empty() || names.contains(&group.name.as_str()))
                && balancer.is_none_or(|lb| self.balancers_of(arn).contains(&lb))
        });
        let views = wanted.map(|(arn, group)| (arn.clone(), self.group_view(arn, group)));
        let (page, next) = PAGING.cut(&input, views)?;
        Ok(with_marker(json!({ "TargetGroups": page }), next))
    }

    pub(super) fn modify_target_group(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let mut members = vec!["TargetGroupArn", "Matcher"];
        members.extend(HEALTH_MEMBERS);
        let input = Input::new(input, CODE, &members)?;
        let arn = input.need("TargetGroupArn")?;
        let group = self.elb.groups.get_mut(arn).ok_or_else(missing_group)?;
        group.check = group.check.merged(&input)?;
        let view = self
            .elb
            .groups
            .get(arn)
            .map(|group| self.group_view(arn, group));
        Ok(json!({ "TargetGroups": [view] }))
    }

    pub(super) fn modify_target_group_attributes(
        &mut self,
        input: &Value,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["TargetGroupArn", "Attributes"])?;
        let group = self
            .elb
            .groups
            .get_mut(input.need("TargetGroupArn")?)
            .ok_or_else(missing_group)?;
        let mut attributes = group.attributes.clone();
        for attribute in input.objects("Attributes", &["Key", "Value"])? {
            let (key, value) = (
                attribute.need("Key")?,
                attribute.text("Value")?.unwrap_or(""),
            );
            let Some(old) = attributes.get_mut(key) else {
                return Err(input.error(format!(
                    "Target group attribute key '{key}' is not recognized"
                )));
            };
            if key == DELAY && !value.parse().is_ok_and(|s: u32| s <= 3600) {
                return Err(input.error(format!(
                    "'{value}' must be between '0' and '3600' inclusive for '{DELAY}'"
                )));
            }
            if key != DELAY && old != value {
                return Err(input.error(format!("The emulator does not support {key} = {value}.")));
            }
            value.clone_into(old);
        }
        group.attributes = attributes;
        Ok(json!({ "Attributes": attributes_view(group) }))
    }

    pub(super) fn describe_target_group_attributes(
        &self,
        input: &Value,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["TargetGroupArn"])?;
        let group = self.elb.groups.get(input.need("TargetGroupArn")?);
        Ok(json!({ "Attributes": attributes_view(group.ok_or_else(missing_group)?) }))
    }

    fn balancers_of(&self, group: &str) -> Vec<&str> {
        let mut balancers: Vec<&str> = self
            .elb
            .listeners
            .values()
            .filter(|listener| listener.group == group)
            .map(|listener| listener.balancer.as_str())
            .collect();
        balancers.dedup();
        balancers
    }

    fn group_view(&self, arn: &str, group: &TargetGroup) -> Value {
        let check = &group.check;
        json!({
            "TargetGroupArn": arn,
            "TargetGroupName": group.name,
            "Protocol": "HTTP",
            "Port": group.port,
            "VpcId": group.vpc,
            "HealthCheckProtocol": "HTTP",
            "HealthCheckPort": check.port.map_or("traffic-port".to_owned(), |port| port.to_string()),
            "HealthCheckEnabled": true,
            "HealthCheckIntervalSeconds": check.interval.as_secs(),
            "HealthCheckTimeoutSeconds": check.timeout.as_secs(),
            "HealthyThresholdCount": check.healthy,
            "UnhealthyThresholdCount": check.unhealthy,
            "HealthCheckPath": check.path,
            "Matcher": { "HttpCode": check.matcher },
            "LoadBalancerArns": self.balancers_of(arn),
            "TargetType": group.target_type,
            "ProtocolVersion": "HTTP1",
            "IpAddressType": "ipv4",
        })
    }
}

fn attributes_view(group: &TargetGroup) -> Vec<Value> {
    group
        .attributes
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect()
}

/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html>
fn standard_attributes() -> BTreeMap<String, String> {
    [
        (DELAY, "300"),
        ("load_balancing.algorithm.type", "round_robin"),
        (
            "load_balancing.cross_zone.enabled",
            "use_load_balancer_configuration",
        ),
        ("slow_start.duration_seconds", "0"),
        ("stickiness.enabled", "false"),
        ("stickiness.type", "lb_cookie"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn matchers_are_lists_of_codes_and_ranges() {
        assert_eq!(ranges("200"), Some(vec![(200, 200)]));
        assert_eq!(ranges("200,300-302"), Some(vec![(200, 200), (300, 302)]));
        for bad in ["", "abc", "199", "200-500", "300-200", "200,"] {
            assert_eq!(ranges(bad), None, "{bad}");
        }
    }
}
