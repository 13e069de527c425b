//! Application load balancers.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CODE,
    attributes::{self, Attributes, OF_BALANCER, PROTECTED},
    check_name, choice, missing_balancer, page, tags, with_marker,
};
use crate::core::{
    ApiError, Cloud, Reply,
    error::fault,
    input::Input,
    time::{self, iso},
};

const BALANCERS: usize = 50;

#[derive(Debug, Clone)]
pub(super) struct LoadBalancer {
    pub(super) name: String,
    pub(super) id: String,
    created: Timestamp,
    scheme: String,
    subnets: Vec<String>,
    security_groups: Vec<String>,
    pub(super) attributes: Attributes,
}

impl Cloud {
    pub(super) fn create_load_balancer(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let members = [
            "Name",
            "Subnets",
            "SecurityGroups",
            "Scheme",
            "Type",
            "IpAddressType",
            "Tags",
        ];
        let input = Input::new(input, CODE, &members)?;
        let tags = tags::read(&input)?;
        let types = ["application", "network", "gateway"];
        choice(&input, "Type", &types, &["application"])?;
        let families = ["ipv4", "dualstack", "dualstack-without-public-ipv4"];
        choice(&input, "IpAddressType", &families, &["ipv4"])?;
        let name = input.need("Name")?;
        check_name(&input, "Load balancer", name)?;
        if name.starts_with("internal-") {
            return Err(input.error(format!(
                "Load balancer name '{name}' cannot begin with 'internal-'"
            )));
        }
        let schemes = ["internet-facing", "internal"];
        let scheme = choice(&input, "Scheme", &schemes, &schemes)?.unwrap_or("internet-facing");
        let subnets = subnets(&input)?;
        let security_groups = owned(&input.texts("SecurityGroups")?);
        let same = self.elb.balancers.iter().find(|(_, lb)| lb.name == name);
        if let Some((arn, lb)) = same {
            if lb.scheme == scheme
                && lb.subnets == subnets
                && lb.security_groups == security_groups
                && self.elb.has_tags(arn, &tags)
            {
                return Ok(json!({ "LoadBalancers": [self.balancer_view(arn, lb, now)] }));
            }
            return Err(fault(
                "DuplicateLoadBalancerName",
                "A load balancer with the same name exists, but with different settings",
            ));
        }
        if self.elb.balancers.len() >= BALANCERS {
            return Err(fault(
                "TooManyLoadBalancers",
                "The maximum number of load balancers has been reached",
            ));
        }
        let id = self.ids.hex(16);
        let arn = self.ids.arn(
            "elasticloadbalancing",
            &format!("loadbalancer/app/{name}/{id}"),
        );
        let balancer = LoadBalancer {
            name: name.to_owned(),
            id,
            created: now,
            scheme: scheme.to_owned(),
            subnets,
            security_groups,
            attributes: attributes::standard(OF_BALANCER),
        };
        let view = self.balancer_view(&arn, &balancer, now);
        self.elb.set_tags(&arn, tags);
        self.elb.balancers.insert(arn, balancer);
        Ok(json!({ "LoadBalancers": [view] }))
    }

    pub(super) fn describe_load_balancers(
        &self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let members = ["LoadBalancerArns", "Names", "Marker", "PageSize"];
        let input = Input::new(input, CODE, &members)?;
        let arns = input.texts("LoadBalancerArns")?;
        let names = input.texts("Names")?;
        if !arns.is_empty() && !names.is_empty() {
            return Err(
                input.error("You cannot specify both load balancer ARNs and load balancer names")
            );
        }
        let known = |arn: &&str| self.elb.balancers.contains_key(*arn);
        let named = |name: &&str| self.elb.balancers.values().any(|lb| lb.name == **name);
        if !arns.iter().all(known) || !names.iter().all(named) {
            return Err(missing_balancer());
        }
        let wanted = self.elb.balancers.iter().filter(|(arn, lb)| {
            (arns.is_empty() || arns.contains(&arn.as_str()))
                && (names.is_empty() || names.contains(&lb.name.as_str()))
        });
        let views = wanted.map(|(arn, lb)| (arn.clone(), self.balancer_view(arn, lb, now)));
        let (page, next) = page(&input, views)?;
        Ok(with_marker(json!({ "LoadBalancers": page }), next))
    }

    /// With its listeners and their rules. One that is not there any more is deleted as well.
    pub(super) fn delete_load_balancer(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["LoadBalancerArn"])?;
        let arn = input.need("LoadBalancerArn")?;
        let protected = |lb: &LoadBalancer| attributes::is_set(&lb.attributes, PROTECTED);
        if self.elb.balancers.get(arn).is_some_and(protected) {
            return Err(fault(
                "OperationNotPermitted",
                format!(
                    "Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
                ),
            ));
        }
        let listeners = self.elb.listeners.iter();
        let own: Vec<String> = listeners
            .filter(|(_, listener)| listener.balancer == arn)
            .map(|(listener, _)| listener.clone())
            .collect();
        for listener in own {
            self.elb.remove_listener(&listener);
        }
        self.elb.balancers.remove(arn);
        self.elb.tags.remove(arn);
        self.actions_changed(now);
        Ok(json!({}))
    }

    pub(super) fn modify_load_balancer_attributes(
        &mut self,
        input: &Value,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["LoadBalancerArn", "Attributes"])?;
        let lb = self.balancer_mut(&input)?;
        lb.attributes = attributes::merged(&input, "Load balancer", OF_BALANCER, &lb.attributes)?;
        let view = attributes::view(&lb.attributes);
        self.publish_routes();
        Ok(json!({ "Attributes": view }))
    }

    pub(super) fn describe_load_balancer_attributes(
        &self,
        input: &Value,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["LoadBalancerArn"])?;
        let lb = self.elb.balancers.get(input.need("LoadBalancerArn")?);
        let lb = lb.ok_or_else(missing_balancer)?;
        Ok(json!({ "Attributes": attributes::view(&lb.attributes) }))
    }

    pub(super) fn set_security_groups(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["LoadBalancerArn", "SecurityGroups"])?;
        let groups = owned(&input.texts("SecurityGroups")?);
        if groups.is_empty() {
            return Err(input.error("A security group must be specified"));
        }
        self.balancer_mut(&input)?
            .security_groups
            .clone_from(&groups);
        Ok(json!({ "SecurityGroupIds": groups }))
    }

    pub(super) fn set_subnets(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["LoadBalancerArn", "Subnets"])?;
        let subnets = subnets(&input)?;
        self.balancer_mut(&input)?.subnets.clone_from(&subnets);
        let zones = zones(&self.ids.region, &subnets);
        Ok(json!({ "AvailabilityZones": zones, "IpAddressType": "ipv4" }))
    }

    fn balancer_mut(&mut self, input: &Input<'_>) -> Result<&mut LoadBalancer, ApiError> {
        let arn = input.need("LoadBalancerArn")?;
        self.elb.balancers.get_mut(arn).ok_or_else(missing_balancer)
    }

    fn balancer_view(&self, arn: &str, lb: &LoadBalancer, now: Timestamp) -> Value {
        let region = &self.ids.region;
        let ready = self.pace.after(lb.created, time::BALANCER) <= now;
        let internal = if lb.scheme == "internal" {
            "internal-"
        } else {
            ""
        };
        json!({
            "LoadBalancerArn": arn,
            "DNSName": format!("{internal}{}-{}.{region}.elb.amazonaws.com", lb.name, numeric(&lb.id)),
            "CanonicalHostedZoneId": "Z35SXDOTRQ7X7K",
            "CreatedTime": iso(lb.created),
            "LoadBalancerName": lb.name,
            "Scheme": lb.scheme,
            "VpcId": "vpc-0a0b0c0d0e0f00001",
            "State": { "Code": if ready { "active" } else { "provisioning" } },
            "Type": "application",
            "AvailabilityZones": zones(region, &lb.subnets),
            "SecurityGroups": lb.security_groups,
            "IpAddressType": "ipv4",
        })
    }
}

fn zones(region: &str, subnets: &[String]) -> Vec<Value> {
    subnets
        .iter()
        .zip(["a", "b", "c", "d", "e", "f"].iter().cycle())
        .map(|(subnet, zone)| json!({ "ZoneName": format!("{region}{zone}"), "SubnetId": subnet }))
        .collect()
}

fn subnets(input: &Input<'_>) -> Result<Vec<String>, ApiError> {
    let subnets = owned(&input.texts("Subnets")?);
    if subnets.len() < 2 {
        return Err(input
            .error("At least two subnets in two different Availability Zones must be specified"));
    }
    Ok(subnets)
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The number that AWS puts into a balancer's DNS name.
fn numeric(id: &str) -> u32 {
    id.get(..8)
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .unwrap_or(0)
}
