//! Actions of listeners and rules: read and shown.
//!
//! Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-action-types.html>

use serde_json::{Value, json};

use super::choice;
use crate::core::{ApiError, error::fault, input::Input};

const GROUPS: usize = 5;
const TYPES: [&str; 6] = [
    "forward",
    "authenticate-oidc",
    "authenticate-cognito",
    "redirect",
    "fixed-response",
    "jwt-validation",
];
const CONTENT_TYPES: [&str; 5] = [
    "text/plain",
    "text/css",
    "text/html",
    "application/javascript",
    "application/json",
];

/// What is done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is sent to a target of one of these groups, in proportion to their weights.
    Forward(Vec<Weighted>),
    /// The balancer answers it.
    Respond(FixedResponse),
    /// The balancer sends the client elsewhere.
    Redirect(Redirect),
}

/// A target group and its share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighted {
    /// The group's ARN.
    pub group: String,
    /// 0 to 999; with 0 it gets no requests.
    pub weight: u16,
}

/// An answer that needs no target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedResponse {
    /// The status, 2xx, 4xx or 5xx.
    pub status: u16,
    /// The value of `Content-Type`.
    pub content_type: Option<String>,
    /// The body.
    pub body: Option<String>,
}

/// Where a client is sent. `#{protocol}`, `#{host}`, `#{port}`, `#{path}` (without its first slash) and `#{query}` stand
/// for the request's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// `HTTP`, `HTTPS` or `#{protocol}`.
    pub protocol: String,
    /// The host.
    pub host: String,
    /// 1 to 65535, or `#{port}`.
    pub port: String,
    /// Begins with a slash.
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// 301 or 302.
    pub status: u16,
}

impl Action {
    /// The ARNs of the groups that it sends requests to.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        let groups = match self {
            Self::Forward(groups) => groups.as_slice(),
            Self::Respond(_) | Self::Redirect(_) => &[],
        };
        groups.iter().map(|weighted| weighted.group.as_str())
    }

    /// As the describes return it.
    pub(super) fn view(&self) -> Value {
        match self {
            Self::Forward(groups) => {
                let shares: Vec<Value> = groups
                    .iter()
                    .map(|it| json!({ "TargetGroupArn": it.group, "Weight": it.weight }))
                    .collect();
                let only = match groups.as_slice() {
                    [only] => Some(&only.group),
                    _ => None,
                };
                json!({
                    "Type": "forward",
                    "TargetGroupArn": only,
                    "ForwardConfig": {
                        "TargetGroups": shares,
                        "TargetGroupStickinessConfig": { "Enabled": false },
                    },
                })
            }
            Self::Respond(fixed) => json!({
                "Type": "fixed-response",
                "FixedResponseConfig": {
                    "StatusCode": fixed.status.to_string(),
                    "ContentType": fixed.content_type,
                    "MessageBody": fixed.body,
                },
            }),
            Self::Redirect(to) => json!({
                "Type": "redirect",
                "RedirectConfig": {
                    "Protocol": to.protocol,
                    "Host": to.host,
                    "Port": to.port,
                    "Path": to.path,
                    "Query": to.query,
                    "StatusCode": format!("HTTP_{}", to.status),
                },
            }),
        }
    }
}

/// The one action of a listener or a rule.
///
/// # Errors
/// None or several actions, a type that is unknown or not supported, or a configuration that is malformed.
pub(super) fn read(input: &Input<'_>, key: &str) -> Result<Action, ApiError> {
    let members = [
        "Type",
        "TargetGroupArn",
        "ForwardConfig",
        "RedirectConfig",
        "FixedResponseConfig",
        "Order",
    ];
    let actions = input.objects(key, &members)?;
    let [action] = actions.as_slice() else {
        return Err(if actions.is_empty() {
            input.error("An action must be specified")
        } else {
            fault(
                "TooManyActions",
                "The emulator supports one action, as actions that authenticate are not supported",
            )
        });
    };
    action.int_in("Order", 1, 50_000)?;
    action.need("Type")?;
    let supported = ["forward", "redirect", "fixed-response"];
    let kind = choice(action, "Type", &TYPES, &supported)?;
    let own = match kind {
        Some("redirect") => "RedirectConfig",
        Some("fixed-response") => "FixedResponseConfig",
        _ => "ForwardConfig",
    };
    let foreign = ["ForwardConfig", "RedirectConfig", "FixedResponseConfig"];
    if foreign
        .iter()
        .any(|it| *it != own && action.value(it).is_some())
    {
        return Err(action.error(format!(
            "An action of type '{}' can only have a {own}",
            kind.unwrap_or("forward")
        )));
    }
    match own {
        "RedirectConfig" => redirect(action),
        "FixedResponseConfig" => respond(action),
        _ => forward(action),
    }
}

fn forward(action: &Input<'_>) -> Result<Action, ApiError> {
    let members = ["TargetGroups", "TargetGroupStickinessConfig"];
    let config = action.object("ForwardConfig", &members)?;
    let mut groups: Vec<Weighted> = Vec::new();
    if let Some(config) = &config {
        let members = ["Enabled", "DurationSeconds"];
        let sticky = config.object("TargetGroupStickinessConfig", &members)?;
        if let Some(sticky) = sticky {
            // Without Enabled, the duration says nothing.
            sticky.int_in("DurationSeconds", 1, 604_800)?;
            if sticky.flag("Enabled")? == Some(true) {
                return Err(sticky.error("The emulator does not support stickiness."));
            }
        }
        for group in config.objects("TargetGroups", &["TargetGroupArn", "Weight"])? {
            let weight = group.int_in("Weight", 0, 999)?.unwrap_or(1);
            groups.push(Weighted {
                group: group.need("TargetGroupArn")?.to_owned(),
                weight: u16::try_from(weight).unwrap_or(1),
            });
        }
    }
    match (action.text("TargetGroupArn")?, groups.as_slice()) {
        (Some(arn), []) => groups.push(Weighted {
            group: arn.to_owned(),
            weight: 1,
        }),
        (Some(arn), [only]) if only.group == arn => {}
        (Some(_), _) => {
            return Err(action.error(
                "You cannot specify both a target group ARN and a forward config with other target groups",
            ));
        }
        (None, []) => return Err(action.error("A target group ARN must be specified")),
        (None, _) => {}
    }
    if groups.len() > GROUPS {
        return Err(action.error(format!(
            "An action can forward to at most '{GROUPS}' target groups"
        )));
    }
    Ok(Action::Forward(groups))
}

fn respond(action: &Input<'_>) -> Result<Action, ApiError> {
    let members = ["StatusCode", "ContentType", "MessageBody"];
    let Some(config) = action.object("FixedResponseConfig", &members)? else {
        return Err(action.error("A fixed response config must be specified"));
    };
    let status = config.need("StatusCode")?;
    let status = status
        .parse()
        .ok()
        .filter(|it| status.len() == 3 && matches!(it, 200..=299 | 400..=599))
        .ok_or_else(|| {
            config.error(format!(
                "The fixed response status code '{status:.16}' must be 2XX, 4XX or 5XX"
            ))
        })?;
    let content_type = choice(&config, "ContentType", &CONTENT_TYPES, &CONTENT_TYPES)?;
    let body = config.text("MessageBody")?;
    if body.is_some_and(|body| body.len() > 1024) {
        return Err(
            config.error("The fixed response message body can have at most '1024' characters")
        );
    }
    Ok(Action::Respond(FixedResponse {
        status,
        content_type: content_type.map(str::to_owned),
        body: body.map(str::to_owned),
    }))
}

fn redirect(action: &Input<'_>) -> Result<Action, ApiError> {
    let members = ["Protocol", "Port", "Host", "Path", "Query", "StatusCode"];
    let Some(config) = action.object("RedirectConfig", &members)? else {
        return Err(action.error("A redirect config must be specified"));
    };
    let part = |key, default: &str| -> Result<String, ApiError> {
        let text = config.text(key)?.unwrap_or(default);
        if text.len() > 128 || text.contains(char::is_control) {
            return Err(config.error(format!(
                "The redirect's {key} can have at most '128' characters"
            )));
        }
        Ok(text.to_owned())
    };
    config.need("StatusCode")?;
    let statuses = ["HTTP_301", "HTTP_302"];
    let protocols = ["HTTP", "HTTPS", "#{protocol}"];
    choice(&config, "Protocol", &protocols, &protocols)?;
    let status = match choice(&config, "StatusCode", &statuses, &statuses)? {
        Some("HTTP_301") => 301,
        _ => 302,
    };
    let to = Redirect {
        protocol: part("Protocol", "#{protocol}")?,
        host: part("Host", "#{host}")?,
        port: part("Port", "#{port}")?,
        path: part("Path", "/#{path}")?,
        query: part("Query", "#{query}")?,
        status,
    };
    if !to.path.starts_with('/') {
        return Err(config.error("The redirect path must start with '/'"));
    }
    if to.port != "#{port}" && !to.port.parse().is_ok_and(|port: u16| port > 0) {
        return Err(config.error("The redirect port must be '#{port}' or in the range 1-65535"));
    }
    let same = to.protocol == "#{protocol}"
        && to.host == "#{host}"
        && to.port == "#{port}"
        && to.path == "/#{path}";
    if same {
        return Err(fault(
            "InvalidLoadBalancerAction",
            "The redirect configuration is not valid because it creates a loop",
        ));
    }
    Ok(Action::Redirect(to))
}
