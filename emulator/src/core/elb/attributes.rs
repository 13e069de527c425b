//! Attributes of load balancers, listeners and target groups: which there are, and what they may be.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::core::{ApiError, input::Input};

/// Values by key; every attribute there is.
pub(super) type Attributes = BTreeMap<String, String>;

/// One attribute.
#[derive(Debug)]
pub(super) struct Attribute {
    key: &'static str,
    default: &'static str,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// Whatever else AWS has, the emulator does not.
    OnlyDefault,
    Flag,
    /// Both ends included.
    Seconds(u32, u32),
}

pub(super) const DELAY: &str = "deregistration_delay.timeout_seconds";
pub(super) const IDLE: &str = "idle_timeout.timeout_seconds";
pub(super) const PROTECTED: &str = "deletion_protection.enabled";
pub(super) const DROP_INVALID: &str = "routing.http.drop_invalid_header_fields.enabled";

const fn only(key: &'static str, default: &'static str) -> Attribute {
    Attribute {
        key,
        default,
        values: Values::OnlyDefault,
    }
}

const fn flag(key: &'static str) -> Attribute {
    Attribute {
        key,
        default: "false",
        values: Values::Flag,
    }
}

const fn seconds(key: &'static str, default: &'static str, low: u32, high: u32) -> Attribute {
    Attribute {
        key,
        default,
        values: Values::Seconds(low, high),
    }
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>
pub(super) const OF_BALANCER: &[Attribute] = &[
    flag(PROTECTED),
    seconds(IDLE, "60", 1, 4000),
    flag(DROP_INVALID),
    only("access_logs.s3.enabled", "false"),
    only("access_logs.s3.bucket", ""),
    only("access_logs.s3.prefix", ""),
    only("client_keep_alive.seconds", "3600"),
    only("connection_logs.s3.enabled", "false"),
    only("connection_logs.s3.bucket", ""),
    only("connection_logs.s3.prefix", ""),
    only("health_check_logs.s3.enabled", "false"),
    only("health_check_logs.s3.bucket", ""),
    only("health_check_logs.s3.prefix", ""),
    only("ipv6.deny_all_igw_traffic", "false"),
    only("load_balancing.cross_zone.enabled", "true"),
    only("routing.http.desync_mitigation_mode", "defensive"),
    only("routing.http.preserve_host_header.enabled", "false"),
    only(
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
        "false",
    ),
    only("routing.http.xff_client_port.enabled", "false"),
    only("routing.http.xff_header_processing.mode", "append"),
    only("routing.http2.enabled", "true"),
    only("waf.fail_open.enabled", "false"),
    only("zonal_shift.config.enabled", "false"),
];

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html>
pub(super) const OF_GROUP: &[Attribute] = &[
    seconds(DELAY, "300", 0, 3600),
    only("load_balancing.algorithm.anomaly_mitigation", "off"),
    only("load_balancing.algorithm.type", "round_robin"),
    only(
        "load_balancing.cross_zone.enabled",
        "use_load_balancer_configuration",
    ),
    only("slow_start.duration_seconds", "0"),
    only("stickiness.app_cookie.cookie_name", ""),
    only("stickiness.app_cookie.duration_seconds", "86400"),
    only("stickiness.enabled", "false"),
    only("stickiness.lb_cookie.duration_seconds", "86400"),
    only("stickiness.type", "lb_cookie"),
    only(
        "target_group_health.dns_failover.minimum_healthy_targets.count",
        "1",
    ),
    only(
        "target_group_health.dns_failover.minimum_healthy_targets.percentage",
        "off",
    ),
    only(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        "1",
    ),
    only(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        "off",
    ),
];

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html>
pub(super) const OF_LISTENER: &[Attribute] = &[
    only("routing.http.response.server.enabled", "true"),
    only(
        "routing.http.response.access_control_allow_credentials.header_value",
        "",
    ),
    only(
        "routing.http.response.access_control_allow_headers.header_value",
        "",
    ),
    only(
        "routing.http.response.access_control_allow_methods.header_value",
        "",
    ),
    only(
        "routing.http.response.access_control_allow_origin.header_value",
        "",
    ),
    only(
        "routing.http.response.access_control_expose_headers.header_value",
        "",
    ),
    only(
        "routing.http.response.access_control_max_age.header_value",
        "",
    ),
    only(
        "routing.http.response.content_security_policy.header_value",
        "",
    ),
    only(
        "routing.http.response.strict_transport_security.header_value",
        "",
    ),
    only(
        "routing.http.response.x_content_type_options.header_value",
        "",
    ),
    only("routing.http.response.x_frame_options.header_value", ""),
];

pub(super) fn standard(table: &[Attribute]) -> Attributes {
    table
        .iter()
        .map(|attribute| (attribute.key.to_owned(), attribute.default.to_owned()))
        .collect()
}

/// These attributes with what the input says in their place. `what` names whose they are, such as `Target group`.
///
/// # Errors
/// A key that is not known, or a value that is not allowed or not supported.
pub(super) fn merged(
    input: &Input<'_>,
    what: &str,
    table: &[Attribute],
    current: &Attributes,
) -> Result<Attributes, ApiError> {
    let mut attributes = current.clone();
    for given in input.objects("Attributes", &["Key", "Value"])? {
        let key = given.need("Key")?;
        let value = given.text("Value")?.unwrap_or("");
        let Some(attribute) = table.iter().find(|attribute| attribute.key == key) else {
            return Err(input.error(format!("{what} attribute key '{key}' is not recognized")));
        };
        match attribute.values {
            Values::OnlyDefault if value == attribute.default => {}
            Values::OnlyDefault => {
                return Err(input.error(format!("The emulator does not support {key} = {value}.")));
            }
            Values::Flag if ["true", "false"].contains(&value) => {}
            Values::Flag => {
                return Err(input.error(format!(
                    "'{value}' must be one of '[true, false]' for '{key}'"
                )));
            }
            Values::Seconds(low, high)
                if value.parse().is_ok_and(|s: u32| (low..=high).contains(&s)) => {}
            Values::Seconds(low, high) => {
                return Err(input.error(format!(
                    "'{value}' must be between '{low}' and '{high}' inclusive for '{key}'"
                )));
            }
        }
        attributes.insert(key.to_owned(), value.to_owned());
    }
    Ok(attributes)
}

pub(super) fn view(attributes: &Attributes) -> Vec<Value> {
    attributes
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect()
}

/// The value of an attribute that is a number of seconds.
pub(super) fn duration(attributes: &Attributes, key: &str) -> Option<std::time::Duration> {
    let seconds = attributes.get(key)?.parse().ok()?;
    Some(std::time::Duration::from_secs(seconds))
}

/// Whether an attribute that is a flag is set.
pub(super) fn is_set(attributes: &Attributes, key: &str) -> bool {
    attributes.get(key).is_some_and(|value| value == "true")
}
