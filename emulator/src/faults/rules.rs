//! What a person or a test asks for: rules, each with the calls it is about and what is done to them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::core::{Call, Service};

const RULES: usize = 100;
const LONGEST_DELAY: f64 = 600.0;
const LONGEST_STALE: f64 = 3600.0;
const LONGEST_RULE: f64 = 31_536_000.0;

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
}

impl From<Service> for ServiceName {
    fn from(service: Service) -> Self {
        match service {
            Service::Ecs => Self::Ecs,
            Service::Elbv2 => Self::ElasticLoadBalancing,
            Service::Logs => Self::Logs,
            Service::Ecr => Self::Ecr,
            Service::Sts => Self::Sts,
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
        }
    }
}

/// What is done to a call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum FaultEffect {
    /// `ThrottlingException`, HTTP 400.
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
    /// The call is carried out, and the connection closed without an answer.
    ReplyLost,
    /// Reads are answered from the state as it was so long ago, but not from before the rule was set.
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

/// Why a plan is of no use.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is not JSON, or has an unknown member, or one of the wrong type.
    #[error("the faults cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A number is out of its bounds.
    #[error("rules[{rule}].{member} must be {wanted}")]
    Bounds {
        /// Which rule.
        rule: usize,
        /// Which member of it.
        member: &'static str,
        /// What it must be.
        wanted: String,
    },
    /// There are too many.
    #[error("at most {RULES} rules can be set at once")]
    TooMany,
}

impl FaultPlan {
    /// Reads a plan from JSON.
    ///
    /// # Errors
    /// Says which member is unknown, mistyped or out of its bounds.
    pub fn from_json(text: &[u8]) -> Result<Self, PlanError> {
        // By itself, serde would take a list for an object's members in their order.
        let object: Map<String, Value> = serde_json::from_slice(text)?;
        let plan: Self = serde_json::from_value(Value::Object(object))?;
        plan.check()?;
        Ok(plan)
    }

    /// # Errors
    /// Says which member is out of its bounds.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        if self.rules.len() > RULES {
            return Err(PlanError::TooMany);
        }
        for (rule, it) in self.rules.iter().enumerate() {
            it.check().map_err(|(member, wanted)| PlanError::Bounds {
                rule,
                member,
                wanted,
            })?;
        }
        Ok(())
    }
}

impl FaultRule {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let above_zero = |value: f64, most: f64| value > 0.0 && value <= most;
        let bounds = |most: f64| format!("above 0 and at most {most}");
        let named = |text: &str| {
            (1..=128).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'*')
        };
        if self.operation.as_deref().is_some_and(|it| !named(it)) {
            let wanted = "an operation's name, with * for any text".to_owned();
            return Err(("operation", wanted));
        }
        if self.times == Some(0) {
            return Err(("times", "at least 1".to_owned()));
        }
        if self.probability.is_some_and(|it| !above_zero(it, 1.0)) {
            return Err(("probability", bounds(1.0)));
        }
        if self.seconds.is_some_and(|it| !above_zero(it, LONGEST_RULE)) {
            return Err(("seconds", bounds(LONGEST_RULE)));
        }
        match self.effect {
            FaultEffect::ServerError { status } if !(500..=599).contains(&status) => Err((
                "effect.serverError.status",
                "between 500 and 599".to_owned(),
            )),
            FaultEffect::Delay { seconds } if !above_zero(seconds, LONGEST_DELAY) => {
                Err(("effect.delay.seconds", bounds(LONGEST_DELAY)))
            }
            FaultEffect::Stale { seconds } if !above_zero(seconds, LONGEST_STALE) => {
                Err(("effect.stale.seconds", bounds(LONGEST_STALE)))
            }
            FaultEffect::Partial { share } if !above_zero(share, 1.0) => {
                Err(("effect.partial.share", bounds(1.0)))
            }
            FaultEffect::Throttle
            | FaultEffect::ServerError { .. }
            | FaultEffect::Delay { .. }
            | FaultEffect::Hang
            | FaultEffect::ReplyLost
            | FaultEffect::Stale { .. }
            | FaultEffect::Partial { .. }
            | FaultEffect::PageLost
            | FaultEffect::AccessDenied
            | FaultEffect::ExpiredCredentials => Ok(()),
        }
    }

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
            Self::ReplyLost => "replyLost",
            Self::Stale { .. } => "stale",
            Self::Partial { .. } => "partial",
            Self::PageLost => "pageLost",
            Self::AccessDenied => "accessDenied",
            Self::ExpiredCredentials => "expiredCredentials",
        }
    }
}

/// Seconds that [`FaultRule::check`] has found to be within bounds; nothing for those it has not seen.
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

    #[test]
    fn a_plan_is_read_and_shown_alike() {
        let text = r#"{"seed":3,"buckets":true,"rules":[
            {"service":"elbv2","operation":"Describe*","probability":0.5,"seconds":60,"effect":"throttle"},
            {"caller":"AKID","times":2,"effect":{"delay":{"seconds":1.5}}},
            {"effect":{"serverError":{}}},{"effect":{"partial":{}}},{"effect":"replyLost"}]}"#;
        let plan = FaultPlan::from_json(text.as_bytes()).unwrap();
        assert_eq!(
            plan.rules[0].service,
            Some(ServiceName::ElasticLoadBalancing)
        );
        assert_eq!(
            plan.rules[2].effect,
            FaultEffect::ServerError { status: 500 }
        );
        let shown = serde_json::to_vec(&plan).unwrap();
        assert_eq!(FaultPlan::from_json(&shown).unwrap(), plan);
        assert_eq!(FaultPlan::from_json(b"{}").unwrap(), FaultPlan::default());
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (rule, says) in [
            (r#"{}"#, "missing field `effect`"),
            (
                r#"{"effect":"trottle"}"#,
                "unknown variant `trottle`, expected one of `throttle`",
            ),
            (r#"{"effect":"throttle","time":1}"#, "unknown field `time`"),
            (
                r#"{"effect":{"delay":{"second":1}}}"#,
                "unknown field `second`",
            ),
            (
                r#"{"effect":"throttle","service":"s3"}"#,
                "unknown variant `s3`",
            ),
            (
                r#"{"effect":"throttle","times":0}"#,
                "rules[0].times must be at least 1",
            ),
            (
                r#"{"effect":"throttle","probability":1.5}"#,
                "rules[0].probability must be above 0 and at most 1",
            ),
            (
                r#"{"effect":"throttle","seconds":-1}"#,
                "rules[0].seconds must be",
            ),
            (
                r#"{"effect":"throttle","operation":"a b"}"#,
                "rules[0].operation must be",
            ),
            (
                r#"{"effect":{"delay":{"seconds":601}}}"#,
                "rules[0].effect.delay.seconds must be",
            ),
            (
                r#"{"effect":{"serverError":{"status":400}}}"#,
                "between 500 and 599",
            ),
            (
                r#"{"effect":{"stale":{"seconds":0}}}"#,
                "rules[0].effect.stale.seconds",
            ),
            (
                r#"{"effect":{"partial":{"share":2}}}"#,
                "rules[0].effect.partial.share",
            ),
        ] {
            let plan = format!(r#"{{"rules":[{rule}]}}"#);
            let error = FaultPlan::from_json(plan.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(says), "{rule}: {error}");
        }
        let many = vec![r#"{"effect":"hang"}"#; RULES + 1].join(",");
        let plan = format!(r#"{{"rules":[{many}]}}"#);
        assert!(matches!(
            FaultPlan::from_json(plan.as_bytes()),
            Err(PlanError::TooMany)
        ));
    }
}
