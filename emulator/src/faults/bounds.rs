//! Reading a plan, and the bounds of its numbers.

use serde_json::{Map, Value};

use super::rules::{FaultEffect, FaultPlan, FaultRule};

const RULES: usize = 100;
const LONGEST_DELAY: f64 = 600.0;
const LONGEST_STALE: f64 = 3600.0;
const LONGEST_RULE: f64 = 31_536_000.0;

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
            | FaultEffect::RequestLost
            | FaultEffect::ReplyLost
            | FaultEffect::Stale { .. }
            | FaultEffect::Partial { .. }
            | FaultEffect::PageLost
            | FaultEffect::Ignored
            | FaultEffect::AccessDenied
            | FaultEffect::ExpiredCredentials => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::ServiceName;

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
                r#"{"effect":"throttle","service":"sqs"}"#,
                "unknown variant `sqs`",
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
