//! What a person or a test asks for: rules, each with the calls it is about and what is done to them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::{Call, Service};

/// Everything that is to go wrong. In JSON, camelCase; an unknown member is an error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FaultPlan {
    /// All chance comes from here; from the settings' seed when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Whether calls are throttled by the token buckets that AWS documents.
    pub buckets: bool,
    /// Looked at in this order: delays add up, the first other effect decides.
    pub rules: Vec<FaultRule>,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultRule {
    /// The service that is called; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// The operation, in which `*` stands for any text; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The access key that signed the call; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// At most so many calls; without end when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// The share of the calls, above 0 and up to 1; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// For so long after the rule was set; without end when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What is done to them.
    pub effect: FaultEffect,
}

/// A service, by the name that signatures have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceName {
    /// Elastic Container Service.
    Ecs,
    /// Elastic Load Balancing v2.
    #[serde(alias = "elbv2")]
    ElasticLoadBalancing,
    /// CloudWatch Logs.
    Logs,
    /// Elastic Container Registry.
    Ecr,
    /// Security Token Service.
    Sts,
    /// Simple Storage Service.
    S3,
}

impl From<Service> for ServiceName {
    fn from(service: Service) -> Self {
        match service {
            Service::Ecs => Self::Ecs,
            Service::Elbv2 => Self::ElasticLoadBalancing,
            Service::Logs => Self::Logs,
            Service::Ecr => Self::Ecr,
            Service::Sts => Self::Sts,
            Service::S3 => Self::S3,
        }
    }
}

impl ServiceName {
    /// The name that signatures have for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::ElasticLoadBalancing => "elasticloadbalancing",
            Self::Logs => "logs",
            Self::Ecr => "ecr",
            Self::Sts => "sts",
            Self::S3 => "s3",
        }
    }
}

/// What is done to a call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum FaultEffect {
    /// `ThrottlingException`, HTTP 400; S3 `SlowDown`, HTTP 503.
    Throttle,
    /// The service's own error with this status; 500 when absent.
    ServerError {
        /// 500 to 599.
        #[serde(default = "internal")]
        status: u16,
    },
    /// The call arrives late. It is carried out then, even if the caller has gone meanwhile.
    Delay {
        /// Up to 600.
        seconds: f64,
    },
    /// The call is not carried out and never answered.
    Hang,
    /// The call does not arrive: the connection is closed without an answer.
    RequestLost,
    /// The call is carried out, and the connection closed without an answer.
    ReplyLost,
    /// Reads are answered from the state as it was so long ago, but not from before the rule was set. Not those of S3,
    /// which are strongly consistent.
    Stale {
        /// Up to 3600.
        seconds: f64,
    },
    /// Names of a describe fall out and are listed in `failures` as MISSING: at least one.
    Partial {
        /// The share that falls out, above 0 and up to 1.
        #[serde(default = "half")]
        share: f64,
    },
    /// A list's page comes without its items.
    PageLost,
    /// UpdateService is answered as if it had been carried out, and changes nothing.
    Ignored,
    /// The caller may not do this.
    AccessDenied,
    /// The caller's session token has expired.
    ExpiredCredentials,
}

const fn internal() -> u16 {
    500
}

const fn half() -> f64 {
    0.5
}

impl FaultRule {
    /// Whether a call is one of those that the rule is about.
    pub(super) fn covers(&self, call: &Call) -> bool {
        self.service.is_none_or(|it| it == call.service.into())
            && self.caller.as_ref().is_none_or(|it| *it == call.caller)
            && self
                .operation
                .as_ref()
                .is_none_or(|it| covers_name(it, &call.operation))
    }

    /// How long the rule is in force.
    pub(super) fn lasts(&self) -> Duration {
        self.seconds.map_or(Duration::MAX, duration)
    }
}

impl FaultEffect {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::ServerError { .. } => "serverError",
            Self::Delay { .. } => "delay",
            Self::Hang => "hang",
            Self::RequestLost => "requestLost",
            Self::ReplyLost => "replyLost",
            Self::Stale { .. } => "stale",
            Self::Partial { .. } => "partial",
            Self::PageLost => "pageLost",
            Self::Ignored => "ignored",
            Self::AccessDenied => "accessDenied",
            Self::ExpiredCredentials => "expiredCredentials",
        }
    }
}

/// Seconds that are known to be within bounds; nothing for others.
pub(super) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn covers_name(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter_map(|at| rest.get(at..))
                .any(|rest| covers_name(after, rest))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_have_gaps() {
        for (pattern, name) in [
            ("*", "ListTasks"),
            ("List*", "ListTasks"),
            ("*Tasks", "ListTasks"),
            ("L*t*s", "ListTasks"),
            ("ListTasks", "ListTasks"),
        ] {
            assert!(covers_name(pattern, name), "{pattern}");
        }
        for pattern in ["list*", "List", "*Task", "L*x*s", ""] {
            assert!(!covers_name(pattern, "ListTasks"), "{pattern}");
        }
    }
}
