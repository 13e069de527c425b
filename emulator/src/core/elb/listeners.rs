//! Listeners of load balancers: HTTP, with one default action.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CODE,
    actions::{self, Action},
    attributes::{self, Attributes, OF_LISTENER},
    choice, missing_balancer, missing_listener, page, tags, with_marker,
};
use crate::core::{ApiError, Cloud, Reply, error::fault, input::Input};

/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
const LISTENERS: usize = 50;
const PROTOCOLS: [&str; 7] = ["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"];

#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub(super) balancer: String,
    pub(super) port: u16,
    pub(super) default: Action,
    /// The ARN of the rule that stands for the default action.
    pub(super) default_rule: String,
    attributes: Attributes,
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
        let tags = tags::read(&input)?;
        input.need("Protocol")?;
        choice(&input, "Protocol", &PROTOCOLS, &["HTTP"])?;
        let port = port(&input)?.ok_or_else(|| input.error("A port must be specified"))?;
        let balancer = input.need("LoadBalancerArn")?;
        let Some(lb) = self.elb.balancers.get(balancer) else {
            return Err(missing_balancer());
        };
        let default = actions::read(&input, "DefaultActions")?;
        self.elb.check_action(&default, balancer)?;
        if let Some((arn, listener)) = self.listener_on(balancer, port) {
            if listener.default == default && self.elb.has_tags(arn, &tags) {
                return Ok(json!({ "Listeners": [listener_view(arn, listener)] }));
            }
            return Err(duplicate());
        }
        let of_same = |it: &&Listener| it.balancer == balancer;
        if self.elb.listeners.values().filter(of_same).count() >= LISTENERS {
            return Err(fault(
                "TooManyListeners",
                "The maximum number of listeners on this load balancer has been reached",
            ));
        }
        let id = self.ids.hex(16);
        let rest = format!("app/{}/{}/{id}", lb.name, lb.id);
        let arn = self
            .ids
            .arn("elasticloadbalancing", &format!("listener/{rest}"));
        let rule = format!("listener-rule/{rest}/{}", self.ids.hex(16));
        let listener = Listener {
            balancer: balancer.to_owned(),
            port,
            default,
            default_rule: self.ids.arn("elasticloadbalancing", &rule),
            attributes: attributes::standard(OF_LISTENER),
        };
        let view = listener_view(&arn, &listener);
        self.elb.set_tags(&arn, tags);
        self.elb.listeners.insert(arn, listener);
        self.actions_changed(now);
        Ok(json!({ "Listeners": [view] }))
    }

    pub(super) fn modify_listener(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let members = ["ListenerArn", "Port", "Protocol", "DefaultActions"];
        let input = Input::new(input, CODE, &members)?;
        choice(&input, "Protocol", &PROTOCOLS, &["HTTP"])?;
        let arn = input.need("ListenerArn")?;
        let mut listener = self.elb.listener(arn)?.clone();
        if let Some(port) = port(&input)? {
            let there = self.listener_on(&listener.balancer, port);
            if there.is_some_and(|(other, _)| other != arn) {
                return Err(duplicate());
            }
            listener.port = port;
        }
        if input.value("DefaultActions").is_some() {
            listener.default = actions::read(&input, "DefaultActions")?;
            self.elb
                .check_action(&listener.default, &listener.balancer)?;
        }
        let view = listener_view(arn, &listener);
        self.elb.listeners.insert(arn.to_owned(), listener);
        self.actions_changed(now);
        Ok(json!({ "Listeners": [view] }))
    }

    pub(super) fn delete_listener(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["ListenerArn"])?;
        let arn = input.need("ListenerArn")?;
        self.elb.listener(arn)?;
        self.elb.remove_listener(arn);
        self.actions_changed(now);
        Ok(json!({}))
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
            Some(_) if !arns.is_empty() => {
                return Err(
                    input.error("You cannot specify both listener ARNs and a load balancer ARN")
                );
            }
            Some(balancer) if !self.elb.balancers.contains_key(balancer) => {
                return Err(missing_balancer());
            }
            Some(_) | None => {}
        }
        for arn in &arns {
            self.elb.listener(arn)?;
        }
        let wanted = self.elb.listeners.iter().filter(|(arn, listener)| {
            balancer.is_none_or(|balancer| listener.balancer == balancer)
                && (arns.is_empty() || arns.contains(&arn.as_str()))
        });
        let views = wanted.map(|(arn, listener)| (arn.clone(), listener_view(arn, listener)));
        let (page, next) = page(&input, views)?;
        Ok(with_marker(json!({ "Listeners": page }), next))
    }

    pub(super) fn modify_listener_attributes(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["ListenerArn", "Attributes"])?;
        let arn = input.need("ListenerArn")?;
        let listener = self
            .elb
            .listeners
            .get_mut(arn)
            .ok_or_else(missing_listener)?;
        listener.attributes =
            attributes::merged(&input, "Listener", OF_LISTENER, &listener.attributes)?;
        Ok(json!({ "Attributes": attributes::view(&listener.attributes) }))
    }

    pub(super) fn describe_listener_attributes(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["ListenerArn"])?;
        let listener = self.elb.listener(input.need("ListenerArn")?)?;
        Ok(json!({ "Attributes": attributes::view(&listener.attributes) }))
    }

    fn listener_on(&self, balancer: &str, port: u16) -> Option<(&String, &Listener)> {
        self.elb
            .listeners
            .iter()
            .find(|(_, it)| it.balancer == balancer && it.port == port)
    }
}

impl super::Elb {
    pub(super) fn listener(&self, arn: &str) -> Result<&Listener, ApiError> {
        self.listeners.get(arn).ok_or_else(missing_listener)
    }

    /// With its rules and all their tags.
    pub(super) fn remove_listener(&mut self, arn: &str) {
        self.rules.retain(|rule, it| {
            if it.listener == arn {
                self.tags.remove(rule);
            }
            it.listener != arn
        });
        if let Some(listener) = self.listeners.remove(arn) {
            self.tags.remove(&listener.default_rule);
        }
        self.tags.remove(arn);
    }
}

fn port(input: &Input<'_>) -> Result<Option<u16>, ApiError> {
    let port = input.int_in("Port", 1, 65_535)?;
    Ok(port.and_then(|port| u16::try_from(port).ok()))
}

fn duplicate() -> ApiError {
    fault(
        "DuplicateListener",
        "A listener already exists on this port for this load balancer",
    )
}

fn listener_view(arn: &str, listener: &Listener) -> Value {
    json!({
        "ListenerArn": arn,
        "LoadBalancerArn": listener.balancer,
        "Port": listener.port,
        "Protocol": "HTTP",
        "DefaultActions": [listener.default.view()],
    })
}
