//! Application load balancers.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CODE, PAGING, check_name, with_marker};
use crate::core::{
    ApiError, Cloud, Reply,
    error::fault,
    input::Input,
    time::{self, iso},
};

const BALANCERS: usize = 50;

#[derive(Debug)]
pub(super) struct LoadBalancer {
    pub(super) name: String,
    pub(super) id: String,
    created: Timestamp,
    scheme: String,
    subnets: Vec<String>,
    security_groups: Vec<String>,
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
        input.refuse(&["Tags"])?;
        input.word("Type", &["application"])?;
        input.word("IpAddressType", &["ipv4"])?;
        let name = input.need("Name")?;
        check_name(&input, "Load balancer", name)?;
        let scheme = input
            .word("Scheme", &["internet-facing", "internal"])?
            .unwrap_or("internet-facing");
        let subnets: Vec<String> = owned(&input.texts("Subnets")?);
        if subnets.len() < 2 {
            return Err(input.error(
                "At least two subnets in two different Availability Zones must be specified",
            ));
        }
        let security_groups = owned(&input.texts("SecurityGroups")?);
        let same = self.elb.balancers.iter().find(|(_, lb)| lb.name == name);
        if let Some((arn, lb)) = same {
            if lb.scheme == scheme && lb.subnets == subnets && lb.security_groups == security_groups
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
        };
        let view = self.balancer_view(&arn, &balancer, now);
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
        let missing = |what: &str| {
            fault(
                "LoadBalancerNotFound",
                format!("One or more load balancers not found: {what}"),
            )
        };
        for arn in &arns {
            if !self.elb.balancers.contains_key(*arn) {
                return Err(missing(arn));
            }
        }
        for name in &names {
            if !self.elb.balancers.values().any(|lb| lb.name == *name) {
                return Err(missing(name));
            }
        }
        let wanted = self.elb.balancers.iter().filter(|(arn, lb)| {
            (arns.is_empty() || arns.contains(&arn.as_str()))
                && (names.is_empty() || names.contains(&lb.name.as_str()))
        });
        let views = wanted.map(|(arn, lb)| (arn.clone(), self.balancer_view(arn, lb, now)));
        let (page, next) = PAGING.cut(&input, views)?;
        Ok(with_marker(json!({ "LoadBalancers": page }), next))
    }

    fn balancer_view(&self, arn: &str, lb: &LoadBalancer, now: Timestamp) -> Value {
        let region = &self.ids.region;
        let zones: Vec<Value> = lb
            .subnets
            .iter()
            .zip(["a", "b", "c", "d", "e", "f"].iter().cycle())
            .map(|(subnet, zone)| json!({ "ZoneName": format!("{region}{zone}"), "SubnetId": subnet }))
            .collect();
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
            "AvailabilityZones": zones,
            "SecurityGroups": lb.security_groups,
            "IpAddressType": "ipv4",
        })
    }
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
