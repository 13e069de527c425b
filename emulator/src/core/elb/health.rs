//! A target's health: states, thresholds, and the words for them. Pure.
//!
//! Source of the states and words:
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>

use serde_json::{Value, json};

use crate::core::ProbeResult;

/// Where a target stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No listener sends requests to the group, so nothing is checked.
    Unused,
    /// Registered just now.
    Registering,
    /// Not yet known.
    Checking,
    /// Gets requests.
    Healthy,
    /// Gets none.
    Unhealthy(Cause),
    /// Deregistered; what is under way may finish.
    Draining,
}

/// Why a check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The response had this status.
    Status(u16),
    /// No response in time.
    TimedOut,
    /// No connection.
    Failed,
}

impl Cause {
    /// AWS's description, without a final dot.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Status(status) => format!("Health checks failed with these codes: [{status}]"),
            Self::TimedOut => "Request timed out".to_owned(),
            Self::Failed => "Health checks failed".to_owned(),
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Status(_) => "Target.ResponseCodeMismatch",
            Self::TimedOut => "Target.Timeout",
            Self::Failed => "Target.FailedHealthChecks",
        }
    }
}

/// Checks in a row with the same outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Streak {
    passed: u32,
    failed: u32,
}

impl State {
    /// The state after one more check. `healthy` and `unhealthy` are the group's thresholds.
    pub(super) fn after(
        self,
        streak: &mut Streak,
        failure: Option<Cause>,
        healthy: u32,
        unhealthy: u32,
    ) -> Self {
        match failure {
            None => {
                streak.passed = streak.passed.saturating_add(1);
                streak.failed = 0;
            }
            Some(_) => {
                streak.failed = streak.failed.saturating_add(1);
                streak.passed = 0;
            }
        }
        match (self, failure) {
            (Self::Unused | Self::Draining, _) => self,
            // A new target needs one pass only.
            (Self::Registering | Self::Checking, None) => Self::Healthy,
            (Self::Unhealthy(_), None) if streak.passed >= healthy => Self::Healthy,
            (Self::Registering | Self::Checking | Self::Healthy, Some(cause))
                if streak.failed >= unhealthy =>
            {
                Self::Unhealthy(cause)
            }
            (Self::Unhealthy(_), Some(cause)) => Self::Unhealthy(cause),
            (Self::Registering, Some(_)) => Self::Checking,
            (Self::Checking | Self::Healthy | Self::Unhealthy(_), _) => self,
        }
    }

    /// `TargetHealth` as DescribeTargetHealth returns it.
    pub(super) fn view(self) -> Value {
        let (state, reason, text) = match self {
            Self::Healthy => return json!({ "State": "healthy" }),
            Self::Unused => (
                "unused",
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer"
                    .to_owned(),
            ),
            Self::Registering => (
                "initial",
                "Elb.RegistrationInProgress",
                "Target registration is in progress".to_owned(),
            ),
            Self::Checking => (
                "initial",
                "Elb.InitialHealthChecking",
                "Initial health checks in progress".to_owned(),
            ),
            Self::Unhealthy(cause) => ("unhealthy", cause.code(), cause.text()),
            Self::Draining => (
                "draining",
                "Target.DeregistrationInProgress",
                "Target deregistration is in progress".to_owned(),
            ),
        };
        json!({ "State": state, "Reason": reason, "Description": text })
    }
}

/// What a check's result means under a matcher.
pub(super) fn failure(result: ProbeResult, passes: impl Fn(u16) -> bool) -> Option<Cause> {
    match result {
        ProbeResult::Status(status) if passes(status) => None,
        ProbeResult::Status(status) => Some(Cause::Status(status)),
        ProbeResult::TimedOut => Some(Cause::TimedOut),
        ProbeResult::Failed => Some(Cause::Failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Option<Cause> = Some(Cause::Status(500));

    fn run(start: State, checks: &[Option<Cause>]) -> Vec<State> {
        let (mut state, mut streak) = (start, Streak::default());
        checks
            .iter()
            .map(|check| {
                state = state.after(&mut streak, *check, 3, 2);
                state
            })
            .collect()
    }

    #[test]
    fn a_new_target_needs_one_pass() {
        assert_eq!(run(State::Checking, &[None]), [State::Healthy]);
        assert_eq!(
            run(State::Checking, &[BAD, None]),
            [State::Checking, State::Healthy]
        );
    }

    #[test]
    fn failures_in_a_row_make_it_unhealthy_and_passes_in_a_row_bring_it_back() {
        let bad = State::Unhealthy(Cause::Status(500));
        let checks = [BAD, None, BAD, BAD, None, None, BAD, None, None, None];
        let states = run(State::Healthy, &checks);
        let good = State::Healthy;
        assert_eq!(
            states,
            [good, good, good, bad, bad, bad, bad, bad, bad, good]
        );
    }
}
