//! Target groups: their health check and their attributes.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CODE,
    attributes::{self, Attributes, DELAY, OF_GROUP},
    check::{self, HealthCheck},
    check_name, choice, missing_balancer, missing_group, page, tags,
    targets::{Registered, Target},
    with_marker,
};
use crate::core::{ApiError, Cloud, Reply, error::fault, input::Input};

const GROUPS: usize = 3_000;

#[derive(Debug, Clone)]
pub(super) struct TargetGroup {
    name: String,
    pub(super) port: u16,
    vpc: String,
    pub(super) target_type: String,
    pub(super) check: HealthCheck,
    attributes: Attributes,
    pub(super) targets: BTreeMap<Target, Registered>,
}

impl TargetGroup {
    /// How long a deregistered target drains.
    pub(super) fn deregistration_delay(&self) -> Duration {
        attributes::duration(&self.attributes, DELAY).unwrap_or(Duration::from_secs(300))
    }
}

impl Cloud {
    pub(super) fn create_target_group(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let mut members = vec![
            "Name",
            "Protocol",
            "ProtocolVersion",
            "Port",
            "VpcId",
            "TargetType",
            "Tags",
            "IpAddressType",
        ];
        members.extend(check::MEMBERS);
        let input = Input::new(input, CODE, &members)?;
        let tags = tags::read(&input)?;
        let protocols = ["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"];
        choice(&input, "Protocol", &protocols, &["HTTP"])?;
        let versions = ["HTTP1", "HTTP2", "GRPC"];
        choice(&input, "ProtocolVersion", &versions, &["HTTP1"])?;
        choice(&input, "IpAddressType", &["ipv4", "ipv6"], &["ipv4"])?;
        let name = input.need("Name")?;
        check_name(&input, "Target group", name)?;
        input.need("Protocol")?;
        let port = input
            .int_in("Port", 1, 65_535)?
            .and_then(|port| u16::try_from(port).ok())
            .ok_or_else(|| input.error("A port must be specified"))?;
        let vpc = input.need("VpcId")?.to_owned();
        let types = ["instance", "ip", "lambda", "alb"];
        let target_type = choice(&input, "TargetType", &types, &["instance", "ip"])?
            .unwrap_or("instance")
            .to_owned();
        let check = HealthCheck::standard().merged(&input)?;
        let same = self.elb.groups.iter().find(|(_, group)| group.name == name);
        if let Some((arn, group)) = same {
            if group.port == port
                && group.vpc == vpc
                && group.target_type == target_type
                && group.check == check
                && self.elb.has_tags(arn, &tags)
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
            attributes: attributes::standard(OF_GROUP),
            targets: BTreeMap::new(),
        };
        let view = self.group_view(&arn, &group);
        self.elb.set_tags(&arn, tags);
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
        let kinds = [!arns.is_empty(), !names.is_empty(), balancer.is_some()];
        if kinds.into_iter().filter(|given| *given).count() > 1 {
            return Err(input.error(
                "You can specify only one of load balancer ARN, target group ARNs and target group names",
            ));
        }
        let missing_arn = arns.iter().any(|arn| !self.elb.groups.contains_key(*arn));
        let named = |name: &&str| self.elb.groups.values().any(|group| group.name == **name);
        if missing_arn || !names.iter().all(named) {
            return Err(missing_group());
        }
        if balancer.is_some_and(|arn| !self.elb.balancers.contains_key(arn)) {
            return Err(missing_balancer());
        }
        let wanted = self.elb.groups.iter().filter(|(arn, group)| {
            (arns.is_empty() || arns.contains(&arn.as_str()))
                && (names.is_empty() || names.contains(&group.name.as_str()))
                && balancer.is_none_or(|lb| self.elb.balancers_of(arn).contains(lb))
        });
        let views = wanted.map(|(arn, group)| (arn.clone(), self.group_view(arn, group)));
        let (page, next) = page(&input, views)?;
        Ok(with_marker(json!({ "TargetGroups": page }), next))
    }

    pub(super) fn modify_target_group(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let mut members = vec!["TargetGroupArn"];
        members.extend(check::MEMBERS);
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

    /// A group that is not there any more is deleted as well.
    pub(super) fn delete_target_group(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["TargetGroupArn"])?;
        let arn = input.need("TargetGroupArn")?;
        if self.elb.in_use(arn) {
            return Err(fault(
                "ResourceInUse",
                format!("Target group '{arn}' is currently in use by a listener or a rule"),
            ));
        }
        self.elb.tags.remove(arn);
        let targets = self.elb.groups.remove(arn).map(|group| group.targets);
        for target in targets.into_iter().flatten().map(|(target, _)| target) {
            self.target_gone(target, now);
        }
        Ok(json!({}))
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
        group.attributes = attributes::merged(&input, "Target group", OF_GROUP, &group.attributes)?;
        Ok(json!({ "Attributes": attributes::view(&group.attributes) }))
    }

    pub(super) fn describe_target_group_attributes(
        &self,
        input: &Value,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["TargetGroupArn"])?;
        let group = self.elb.groups.get(input.need("TargetGroupArn")?);
        let group = group.ok_or_else(missing_group)?;
        Ok(json!({ "Attributes": attributes::view(&group.attributes) }))
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
            "LoadBalancerArns": self.elb.balancers_of(arn),
            "TargetType": group.target_type,
            "ProtocolVersion": "HTTP1",
            "IpAddressType": "ipv4",
        })
    }
}
