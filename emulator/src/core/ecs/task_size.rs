//! The sizes that Fargate has.

use crate::core::{ApiError, error::client, input::Input};

/// CPU units and MiB. Source:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html>
pub(super) fn size(input: &Input<'_>) -> Result<(u32, u32), ApiError> {
    let read = |key, unit: &str, factor| -> Result<Option<u32>, ApiError> {
        let Some(text) = input.text(key)? else {
            return Ok(None);
        };
        let lower = text.to_lowercase();
        let parsed = match lower.strip_suffix(unit) {
            Some(number) => number.trim().parse().ok().map(|n: f64| n * factor),
            None => lower.parse::<u32>().ok().map(f64::from),
        };
        let whole = parsed.filter(|n| n.fract() == 0.0 && (1.0..=1e9).contains(n));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above"
        )]
        whole
            .map(|n| Some(n as u32))
            .ok_or_else(|| client(format!("Invalid '{key}' setting for task.")))
    };
    let cpu = read("cpu", "vcpu", 1024.0)?;
    let memory = read("memory", "gb", 1024.0)?;
    let (Some(cpu), Some(memory)) = (cpu, memory) else {
        return Err(client(
            "Fargate requires that 'cpu' be defined at the task level, and 'memory' as well.",
        ));
    };
    let range = |low: u32, high: u32, step: u32| {
        (low..=high).contains(&memory) && (memory - low).is_multiple_of(step)
    };
    let fits = match cpu {
        256 => [512, 1024, 2048].contains(&memory),
        512 => range(1024, 4096, 1024),
        1024 => range(2048, 8192, 1024),
        2048 => range(4096, 16384, 1024),
        4096 => range(8192, 30720, 1024),
        8192 => range(16384, 61440, 4096),
        16384 => range(32768, 122_880, 8192),
        32768 => [61440, 122_880, 249_856].contains(&memory),
        _ => return Err(client("Invalid 'cpu' setting for task.")),
    };
    if fits {
        Ok((cpu, memory))
    } else {
        Err(client("No Fargate configuration exists for given values."))
    }
}
