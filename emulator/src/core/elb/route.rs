//! What the balancer is told: listeners, their rules, and the targets that requests may be sent to.

use std::{net::IpAddr, time::Duration};

use super::{actions::Action, conditions::Condition};

/// One listener of the balancer, its rules, and where they send requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The listener's ARN.
    pub listener: String,
    /// The listener's declared port; the driver decides what that is on loopback.
    pub port: u16,
    /// In the order in which they are looked at; the first whose conditions all hold decides.
    pub rules: Vec<RouteRule>,
    /// What is done when no rule's conditions hold.
    pub default: Action,
    /// The targets of every group that an action forwards to. Requests go to these only; a group without one answers 503.
    pub targets: Vec<RouteTarget>,
    /// The longest time with no byte in either direction.
    pub idle: Duration,
    /// Whether headers whose names are more than letters, digits and hyphens are left out.
    pub drop_invalid_headers: bool,
}

/// A rule of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRule {
    /// All of them must hold.
    pub conditions: Vec<Condition>,
    /// What is done then.
    pub action: Action,
}

/// A target that may be sent requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTarget {
    /// The ARN of its group.
    pub group: String,
    /// The target's address on the wire.
    pub address: std::net::Ipv4Addr,
    /// The target's port on the wire.
    pub port: u16,
}

/// What rules look at in a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a str,
    /// The `Host` header, with or without a port.
    pub host: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// The query, without the question mark; empty when there is none.
    pub query: &'a str,
    /// Every header's name and value.
    pub headers: &'a [(&'a str, &'a str)],
    /// The client's address.
    pub source: IpAddr,
}

impl Route {
    /// ALB's default idle timeout:
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html>.
    pub const IDLE: Duration = Duration::from_secs(60);

    /// What is done with a request.
    #[must_use]
    pub fn action(&self, request: &RequestHead<'_>) -> &Action {
        let holds = |rule: &&RouteRule| rule.conditions.iter().all(|it| it.holds(request));
        self.rules
            .iter()
            .find(holds)
            .map_or(&self.default, |rule| &rule.action)
    }
}
