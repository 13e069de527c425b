//! A service's settings: filled in, merged with what an input says, and shown.

use std::time::Duration;

use serde_json::{Value, json};

use super::service::{Breaker, ServiceSettings, Threshold};
use crate::core::{ApiError, error::invalid, input::Input};

impl ServiceSettings {
    /// What ECS fills in on create.
    pub(super) fn standard() -> Self {
        Self {
            minimum_percent: 100,
            maximum_percent: 200,
            breaker: Breaker {
                enable: false,
                rollback: false,
                reset_on_healthy: true,
                kind: Threshold::BoundedPercent,
                value: 50,
            },
            grace: Duration::ZERO,
            rebalancing: "ENABLED".to_owned(),
            propagate_tags: "NONE".to_owned(),
            managed_tags: false,
            execute_command: false,
        }
    }

    /// These settings with what the input says in their place; what it omits stays.
    pub(super) fn merged(&self, input: &Input<'_>) -> Result<Self, ApiError> {
        let mut settings = self.clone();
        if let Some(grace) = input.int_in("healthCheckGracePeriodSeconds", 0, 2_147_483_647)? {
            settings.grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
        }
        if let Some(word) = input.word("availabilityZoneRebalancing", &["ENABLED", "DISABLED"])? {
            word.clone_into(&mut settings.rebalancing);
        }
        if let Some(word) = input.word("propagateTags", &["TASK_DEFINITION", "SERVICE", "NONE"])? {
            word.clone_into(&mut settings.propagate_tags);
        }
        let managed = input.flag("enableECSManagedTags")?;
        settings.managed_tags = managed.unwrap_or(settings.managed_tags);
        let execute = input.flag("enableExecuteCommand")?;
        settings.execute_command = execute.unwrap_or(settings.execute_command);
        let members = [
            "deploymentCircuitBreaker",
            "maximumPercent",
            "minimumHealthyPercent",
            "alarms",
            "strategy",
            "bakeTimeInMinutes",
            "lifecycleHooks",
        ];
        if let Some(configuration) = input.object("deploymentConfiguration", &members)? {
            settings.merge_configuration(&configuration)?;
        }
        Ok(settings)
    }

    fn merge_configuration(&mut self, input: &Input<'_>) -> Result<(), ApiError> {
        input.refuse(&["lifecycleHooks"])?;
        if let Some(alarms) = input.object("alarms", &["alarmNames", "enable", "rollback"])? {
            alarms.refuse(&["alarmNames", "enable", "rollback"])?;
        }
        if input
            .word("strategy", &["ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"])?
            .is_some_and(|strategy| strategy != "ROLLING")
        {
            return Err(invalid(
                "The emulator supports the deployment strategy ROLLING only.",
            ));
        }
        input.int_in("bakeTimeInMinutes", 0, 0)?;
        let percent = |key, low, high| -> Result<Option<u32>, ApiError> {
            Ok(input
                .int_in(key, low, high)?
                .and_then(|n| u32::try_from(n).ok()))
        };
        self.maximum_percent = percent("maximumPercent", 100, 200)?.unwrap_or(self.maximum_percent);
        self.minimum_percent =
            percent("minimumHealthyPercent", 0, 100)?.unwrap_or(self.minimum_percent);
        let members = [
            "enable",
            "rollback",
            "resetOnHealthyTask",
            "thresholdConfiguration",
        ];
        if let Some(breaker) = input.object("deploymentCircuitBreaker", &members)? {
            self.breaker.merge(&breaker)?;
        }
        Ok(())
    }

    /// Percentages of at most 100 leave no room to move tasks between zones.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if self.maximum_percent <= 100 && self.rebalancing == "ENABLED" {
            return Err(invalid(
                "The maximumPercent value must be greater than 100 when availabilityZoneRebalancing is ENABLED.",
            ));
        }
        Ok(())
    }

    /// `deploymentConfiguration` as ECS returns it.
    pub(super) fn view(&self) -> Value {
        json!({
            "deploymentCircuitBreaker": {
                "enable": self.breaker.enable,
                "rollback": self.breaker.rollback,
                "resetOnHealthyTask": self.breaker.reset_on_healthy,
                "thresholdConfiguration": {
                    "type": self.breaker.kind.word(),
                    "value": self.breaker.value,
                },
            },
            "maximumPercent": self.maximum_percent,
            "minimumHealthyPercent": self.minimum_percent,
            "strategy": "ROLLING",
            "bakeTimeInMinutes": 0,
        })
    }
}

impl Threshold {
    fn word(self) -> &'static str {
        match self {
            Self::BoundedPercent => "BOUNDED_PERCENT",
            Self::UnboundedPercent => "UNBOUNDED_PERCENT",
            Self::Count => "COUNT",
        }
    }
}

impl Breaker {
    fn merge(&mut self, input: &Input<'_>) -> Result<(), ApiError> {
        self.enable = input.flag("enable")?.unwrap_or(self.enable);
        self.rollback = input.flag("rollback")?.unwrap_or(self.rollback);
        self.reset_on_healthy = input
            .flag("resetOnHealthyTask")?
            .unwrap_or(self.reset_on_healthy);
        let Some(threshold) = input.object("thresholdConfiguration", &["type", "value"])? else {
            return Ok(());
        };
        self.kind = match threshold.text("type")? {
            None => self.kind,
            Some("BOUNDED_PERCENT") => Threshold::BoundedPercent,
            Some("UNBOUNDED_PERCENT") => Threshold::UnboundedPercent,
            Some("COUNT") => Threshold::Count,
            Some(_) => {
                return Err(invalid(
                    "Invalid deployment circuit breaker threshold type.",
                ));
            }
        };
        if let Some(value) = threshold.int("value")? {
            let most = if self.kind == Threshold::Count {
                1_000_000
            } else {
                100
            };
            self.value = u32::try_from(value)
                .ok()
                .filter(|value| (1..=most).contains(value))
                .ok_or_else(|| invalid("Invalid deployment circuit breaker threshold value."))?;
        }
        Ok(())
    }
}
