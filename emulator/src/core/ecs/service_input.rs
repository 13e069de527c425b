//! The parts of CreateService's and UpdateService's input, checked as ECS does.

use serde_json::{Value, json};

use super::service::{Balancer, Shape};
use crate::core::{ApiError, Cloud, error::invalid, input::Input};

/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html>
const SUBNETS: usize = 16;
const SECURITY_GROUPS: usize = 5;
/// Source: <https://docs.aws.amazon.com/general/latest/gr/ecs-service.html>
const TASKS: i64 = 5_000;
const TARGET_GROUPS: usize = 5;

/// What ECS has and the emulator does not; said only to say nothing, it is accepted.
pub(super) const UNSUPPORTED: [&str; 7] = [
    "capacityProviderStrategy",
    "serviceRegistries",
    "placementConstraints",
    "placementStrategy",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// `desiredCount`.
pub(super) fn desired_count(input: &Input<'_>) -> Result<Option<u32>, ApiError> {
    let count = input.int("desiredCount")?;
    if count.is_some_and(|count| count < 0) {
        return Err(invalid("desiredCount must be greater than or equal to 0."));
    }
    if count.is_some_and(|count| count > TASKS) {
        return Err(invalid(format!(
            "desiredCount cannot be greater than {TASKS}."
        )));
    }
    Ok(count.and_then(|count| u32::try_from(count).ok()))
}

/// A launch type and a strategy say the same thing twice.
pub(super) fn check_launch(input: &Input<'_>) -> Result<(), ApiError> {
    let strategy = input.list("capacityProviderStrategy")?.unwrap_or_default();
    if !strategy.is_empty() && input.text("launchType")?.is_some() {
        return Err(invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        ));
    }
    Ok(())
}

/// `schedulingStrategy`.
pub(super) fn scheduling<'a>(input: &Input<'a>) -> Result<Option<&'a str>, ApiError> {
    match input.text("schedulingStrategy")? {
        Some(word) if !["REPLICA", "DAEMON"].contains(&word) => Err(invalid(
            "Scheduling strategy should be one of [REPLICA,DAEMON]",
        )),
        word => Ok(word),
    }
}

/// Fargate has no daemons.
pub(super) fn check_scheduling(input: &Input<'_>) -> Result<(), ApiError> {
    if scheduling(input)? == Some("DAEMON") {
        return Err(invalid(
            "The daemon scheduling strategy is not supported for the Fargate launch type.",
        ));
    }
    Ok(())
}

/// Refuses what would need another scheduler.
pub(super) fn check_controller(input: &Input<'_>) -> Result<(), ApiError> {
    if let Some(controller) = input.object("deploymentController", &["type"])?
        && controller.word("type", &["ECS", "CODE_DEPLOY", "EXTERNAL"])? != Some("ECS")
    {
        return Err(invalid(
            "The emulator supports the deployment controller ECS only.",
        ));
    }
    Ok(())
}

/// `networkConfiguration` as ECS returns it; `None` when it is not given.
pub(super) fn network(input: &Input<'_>) -> Result<Option<Value>, ApiError> {
    let Some(network) = input.object("networkConfiguration", &["awsvpcConfiguration"])? else {
        return Ok(None);
    };
    let members = ["subnets", "securityGroups", "assignPublicIp"];
    let Some(vpc) = network.object("awsvpcConfiguration", &members)? else {
        return Ok(None);
    };
    let subnets = vpc.texts("subnets")?;
    let groups = vpc.texts("securityGroups")?;
    if subnets.is_empty() {
        return Err(invalid("subnets can not be empty."));
    }
    if subnets.len() > SUBNETS || groups.len() > SECURITY_GROUPS {
        return Err(invalid(format!(
            "At most {SUBNETS} subnets and {SECURITY_GROUPS} security groups can be given."
        )));
    }
    for (ids, prefix, what) in [
        (&subnets, "subnet-", "subnet"),
        (&groups, "sg-", "security group"),
    ] {
        if let Some(bad) = ids.iter().find(|id| !id.starts_with(prefix)) {
            return Err(invalid(format!(
                "Error retrieving {what} information for [{bad}]: The {what} ID '{bad}' does not exist"
            )));
        }
    }
    let public = vpc.word("assignPublicIp", &["ENABLED", "DISABLED"])?;
    Ok(Some(json!({
        "awsvpcConfiguration": {
            "subnets": subnets,
            "securityGroups": groups,
            "assignPublicIp": public.unwrap_or("DISABLED"),
        },
    })))
}

/// `loadBalancers`; `None` when it is not given.
pub(super) fn balancers(input: &Input<'_>) -> Result<Option<Vec<Balancer>>, ApiError> {
    if input.value("loadBalancers").is_none() {
        return Ok(None);
    }
    let members = [
        "targetGroupArn",
        "loadBalancerName",
        "containerName",
        "containerPort",
        "advancedConfiguration",
    ];
    let list = input.objects("loadBalancers", &members)?;
    if list.len() > TARGET_GROUPS {
        return Err(invalid(format!(
            "load balancers can have at most {TARGET_GROUPS} items."
        )));
    }
    let balancers: Result<Vec<Balancer>, ApiError> = list
        .iter()
        .map(|balancer| {
            balancer.refuse(&["loadBalancerName", "advancedConfiguration"])?;
            let port = balancer.int_in("containerPort", 1, 65_535)?;
            Ok(Balancer {
                group: balancer.need("targetGroupArn")?.to_owned(),
                container: balancer.need("containerName")?.to_owned(),
                port: port
                    .and_then(|port| u16::try_from(port).ok())
                    .ok_or_else(|| invalid("containerPort is missing"))?,
            })
        })
        .collect();
    Ok(Some(balancers?))
}

impl Cloud {
    /// Whether a shape fits together and what it names exists.
    pub(super) fn check_shape(&self, shape: &Shape) -> Result<(), ApiError> {
        let Some(definition) = self.ecs.definition(&shape.definition) else {
            return Err(invalid("TaskDefinition not found."));
        };
        if !definition.fits_fargate() {
            return Err(invalid(
                "Task definition does not support launch_type FARGATE.",
            ));
        }
        for balancer in &shape.balancers {
            let (name, port) = (&balancer.container, balancer.port);
            let container = definition.containers().iter().find(|c| c["name"] == **name);
            let Some(container) = container else {
                return Err(invalid(format!(
                    "The container {name} does not exist in the task definition."
                )));
            };
            let mappings = container.get("portMappings").and_then(Value::as_array);
            if !mappings.is_some_and(|list| list.iter().any(|m| m["containerPort"] == port)) {
                return Err(invalid(format!(
                    "The container {name} did not have a container port {port} defined."
                )));
            }
            match self.elb.target_type(&balancer.group) {
                Some("ip") => {}
                Some(other) => {
                    return Err(invalid(format!(
                        "The provided target group {} has target type {other}, which is incompatible with the awsvpc network mode specified in the task definition.",
                        balancer.group
                    )));
                }
                None => {
                    return Err(invalid(format!(
                        "The specified target group {} does not exist.",
                        balancer.group
                    )));
                }
            }
            if !self.elb.in_use(&balancer.group) {
                return Err(invalid(format!(
                    "The target group with targetGroupArn {} does not have an associated load balancer.",
                    balancer.group
                )));
            }
        }
        Ok(())
    }
}
