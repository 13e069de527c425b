//! Listeners: HTTP, one default action that forwards to one group.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CODE, PAGING, missing_group, with_marker};
use crate::core::{ApiError, Cloud, Reply, error::fault, input::Input};

const LISTENERS: usize = 50;

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) balancer: String,
    pub(super) port: u16,
    /// Where the default action sends requests.
    pub(super) group: String,
}

impl Cloud {
    pub(super) fn create_listener(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let members = [
            "LoadBalancerArn",
            "Protocol",
            "Port",
            "DefaultActions",
            "Tags",
        ];
        let input = Input::new(input, CODE, &members)?;
        input.refuse(&["Tags"])?;
        input.need("Protocol")?;
        input.word("Protocol", &["HTTP"])?;
        let port = input
            .int_in("Port", 1, 65_535)?
            .and_then(|port| u16::try_from(port).ok())
            .ok_or_else(|| input.error("A port must be specified"))?;
        let balancer = input.need("LoadBalancerArn")?;
        let Some(lb) = self.elb.balancers.get(balancer) else {
            return Err(fault(
                "LoadBalancerNotFound",
                "One or more load balancers not found",
            ));
        };
        let group = default_action(&input)?;
        if !self.elb.groups.contains_key(&group) {
            return Err(missing_group());
        }
        let elsewhere =
            |listener: &Listener| listener.group == group && listener.balancer != balancer;
        if self.elb.listeners.values().any(elsewhere) {
            return Err(fault(
                "TargetGroupAssociationLimit",
                format!(
                    "The following target groups cannot be associated with more than one load balancer: {group}"
                ),
            ));
        }
        let taken = |(_, listener): &(&String, &Listener)| {
            listener.balancer == balancer && listener.port == port
        };
        if let Some((arn, listener)) = self.elb.listeners.iter().find(taken) {
            if listener.group == group {
                return Ok(json!({ "Listeners": [listener_view(arn, listener)] }));
            }
            return Err(fault(
                "DuplicateListener",
                "A listener already exists on this port for this load balancer",
            ));
        }
        if self.elb.listeners.len() >= LISTENERS {
            return Err(fault(
                "TooManyListeners",
                "The maximum number of listeners has been reached",
            ));
        }
        let resource = format!("listener/app/{}/{}/{}", lb.name, lb.id, self.ids.hex(16));
        let arn = self.ids.arn("elasticloadbalancing", &resource);
        let listener = Listener {
            balancer: balancer.to_owned(),
            port,
            group: group.clone(),
        };
        let view = listener_view(&arn, &listener);
        self.elb.listeners.insert(arn, listener);
        self.begin_use(&group, now);
        self.publish_routes();
        Ok(json!({ "Listeners": [view] }))
    }

    pub(super) fn describe_listeners(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["LoadBalancerArn", "ListenerArns", "Marker", "PageSize"];
        let input = Input::new(input, CODE, &members)?;
        let balancer = input.text("LoadBalancerArn")?;
        let arns = input.texts("ListenerArns")?;
        match balancer {
            None if arns.is_empty() => {
                return Err(
                    input.error("You must specify either listener ARNs or a load balancer ARN")
                );
            }
            Some(balancer) if !self.elb.balancers.contains_key(balancer) => {
                return Err(fault(
                    "LoadBalancerNotFound",
                    "One or more load balancers not found",
                ));
            }
            Some(_) | None => {}
        }
        if arns
            .iter()
            .any(|arn| !self.elb.listeners.contains_key(*arn))
        {
            return Err(fault("ListenerNotFound", "One or more listeners not found"));
        }
        let wanted = self.elb.listeners.iter().filter(|(arn, listener)| {
            balancer.is_none_or(|balancer| listener.balancer == balancer)
                && (arns.is_empty() || arns.contains(&arn.as_str()))
        });
        let views = wanted.map(|(arn, listener)| (arn.clone(), listener_view(arn, listener)));
        let (page, next) = PAGING.cut(&input, views)?;
        Ok(with_marker(json!({ "Listeners": page }), next))
    }
}

/// The group that the only default action forwards to.
fn default_action(input: &Input<'_>) -> Result<String, ApiError> {
    let actions = input.objects(
        "DefaultActions",
        &["Type", "TargetGroupArn", "ForwardConfig", "Order"],
    )?;
    let [action] = actions.as_slice() else {
        return Err(input.error("The emulator supports exactly one default action."));
    };
    action.word("Type", &["forward"])?;
    let weighted = action
        .object(
            "ForwardConfig",
            &["TargetGroups", "TargetGroupStickinessConfig"],
        )?
        .map(|config| config.objects("TargetGroups", &["TargetGroupArn", "Weight"]))
        .transpose()?;
    match (action.text("TargetGroupArn")?, weighted.as_deref()) {
        (Some(group), _) => Ok(group.to_owned()),
        (None, Some([only])) => Ok(only.need("TargetGroupArn")?.to_owned()),
        (None, _) => {
            Err(input.error("The emulator supports forwarding to exactly one target group."))
        }
    }
}

fn listener_view(arn: &str, listener: &Listener) -> Value {
    json!({
        "ListenerArn": arn,
        "LoadBalancerArn": listener.balancer,
        "Port": listener.port,
        "Protocol": "HTTP",
        "DefaultActions": [{
            "Type": "forward",
            "TargetGroupArn": listener.group,
            "ForwardConfig": {
                "TargetGroups": [{ "TargetGroupArn": listener.group, "Weight": 1 }],
                "TargetGroupStickinessConfig": { "Enabled": false },
            },
        }],
    })
}
