//! What a definition says about a container's health check, and what its outcomes make of the container's health.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html>

use std::time::Duration;

use serde_json::{Value, json};

use crate::core::{ApiError, error::client, input::Input};

/// Of a container or a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    Unhealthy,
    /// Not known yet, or nothing checks it.
    Unknown,
    Healthy,
}

impl Health {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unhealthy => "UNHEALTHY",
            Self::Unknown => "UNKNOWN",
            Self::Healthy => "HEALTHY",
        }
    }
}

/// One container's check, and how it has gone so far.
#[derive(Debug, Clone)]
pub(super) struct HealthCheck {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// From the start, or the end of one check, to the next.
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    /// So long after the start, failures do not count unless a check has passed.
    start_period: Duration,
    retries: u32,
    /// In a row.
    failures: u32,
    pub(super) health: Health,
    /// One runs now.
    pub(super) running: bool,
}

impl HealthCheck {
    /// As the container's definition says; none when it says nothing.
    pub(super) fn of(container: &Value) -> Option<Self> {
        let check = container.get("healthCheck")?;
        let number = |key| check.get(key).and_then(Value::as_u64).unwrap_or(0);
        let words = check.get("command")?.as_array()?.iter();
        let words: Vec<&str> = words.filter_map(Value::as_str).collect();
        let command = match words.split_first()? {
            (&"CMD-SHELL", script) => vec!["/bin/sh".into(), "-c".into(), script.join(" ")],
            (&"CMD", words) => owned(words),
            // Without either, CMD is meant.
            _ => owned(&words),
        };
        Some(Self {
            command,
            interval: Duration::from_secs(number("interval")),
            timeout: Duration::from_secs(number("timeout")),
            start_period: Duration::from_secs(number("startPeriod")),
            retries: u32::try_from(number("retries")).unwrap_or(1),
            failures: 0,
            health: Health::Unknown,
            running: false,
        })
    }

    /// Takes in the outcome of a check that ended so long after the container's start.
    pub(super) fn note(&mut self, passed: bool, age: Duration) {
        self.running = false;
        if passed {
            self.failures = 0;
            self.health = Health::Healthy;
        } else if self.health != Health::Unknown || age >= self.start_period {
            self.failures += 1;
            if self.failures >= self.retries {
                self.health = Health::Unhealthy;
            }
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// `healthCheck` as ECS returns it: with the defaults filled in.
pub(super) fn normalized(container: &Input<'_>) -> Result<Option<Value>, ApiError> {
    let members = ["command", "interval", "timeout", "retries", "startPeriod"];
    let Some(check) = container.object("healthCheck", &members)? else {
        return Ok(None);
    };
    let command = check.texts("command")?;
    let says_nothing = match command.split_first() {
        None => true,
        Some((&("CMD" | "CMD-SHELL"), rest)) => rest.iter().all(|word| word.is_empty()),
        Some((program, _)) => program.is_empty(),
    };
    if says_nothing {
        return Err(client(format!(
            "The health check of container {} has no command.",
            container.need("name")?
        )));
    }
    let mut view = json!({
        "command": command,
        "interval": check.int_in("interval", 5, 300)?.unwrap_or(30),
        "timeout": check.int_in("timeout", 2, 60)?.unwrap_or(5),
        "retries": check.int_in("retries", 1, 10)?.unwrap_or(3),
    });
    let period = check.int_in("startPeriod", 0, 300)?;
    if let (Some(period), Some(map)) = (period, view.as_object_mut()) {
        map.insert("startPeriod".to_owned(), Value::from(period));
    }
    Ok(Some(view))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(definition: &Value) -> HealthCheck {
        HealthCheck::of(&json!({ "healthCheck": definition })).unwrap()
    }

    #[test]
    fn a_command_is_run_by_the_shell_or_as_it_is() {
        let command = |words: &[&str]| check(&json!({ "command": words })).command;
        assert_eq!(command(&["CMD", "a", "b c"]), ["a", "b c"]);
        assert_eq!(command(&["a", "b c"]), ["a", "b c"]);
        assert_eq!(
            command(&["CMD-SHELL", "a || exit 1"]),
            ["/bin/sh", "-c", "a || exit 1"]
        );
    }

    #[test]
    fn only_failures_in_a_row_make_a_container_unhealthy() {
        let mut check = check(&json!({ "command": ["a"], "retries": 2 }));
        let mut note = |passed| {
            check.note(passed, Duration::ZERO);
            check.health
        };
        assert_eq!(note(false), Health::Unknown);
        assert_eq!(note(true), Health::Healthy);
        assert_eq!(note(false), Health::Healthy);
        assert_eq!(note(true), Health::Healthy);
        assert_eq!(note(false), Health::Healthy);
        assert_eq!(note(false), Health::Unhealthy);
        assert_eq!(note(true), Health::Healthy);
    }

    #[test]
    fn failures_in_the_start_period_count_only_after_a_success() {
        let definition = json!({ "command": ["a"], "retries": 1, "startPeriod": 60 });
        let mut young = check(&definition);
        young.note(false, Duration::from_secs(59));
        assert_eq!(young.health, Health::Unknown);
        young.note(false, Duration::from_secs(60));
        assert_eq!(young.health, Health::Unhealthy);
        let mut proven = check(&definition);
        proven.note(true, Duration::from_secs(5));
        proven.note(false, Duration::from_secs(10));
        assert_eq!(proven.health, Health::Unhealthy);
    }
}
