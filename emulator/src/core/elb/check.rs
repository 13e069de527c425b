//! How targets of a group are checked.

use std::time::Duration;

use super::choice;
use crate::core::{ApiError, input::Input};

pub(super) const MEMBERS: [&str; 9] = [
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
];

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

impl HealthCheck {
    pub(super) fn standard() -> Self {
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
    pub(super) fn merged(&self, input: &Input<'_>) -> Result<Self, ApiError> {
        let mut check = self.clone();
        let protocols = ["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"];
        choice(input, "HealthCheckProtocol", &protocols, &["HTTP"])?;
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
