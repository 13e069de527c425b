//! What Fargate asks of a task definition.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html>

use serde_json::Value;

use super::{
    checks::{Nodes, objects, place_of, string, unresolved},
    diagnostic::Report,
};

pub(super) fn check(nodes: &Nodes<'_>, report: &mut Report<'_>) {
    if !runs_on_fargate(nodes) {
        return;
    }
    let definition = nodes.wanted_definition;
    match string(definition, "networkMode") {
        Some("awsvpc") => {}
        Some(mode) if unresolved(mode) => {}
        Some(_) => {
            report
                .error(
                    nodes.in_definition(&["networkMode"]),
                    "Fargate needs networkMode awsvpc",
                )
                .help("write `networkMode: awsvpc`");
        }
        None => {
            report
                .warning(
                    nodes.definition_at,
                    "Fargate needs networkMode awsvpc, and none is given",
                )
                .help("add `networkMode: awsvpc` to spec.taskDefinition");
        }
    }
    let mut missing = false;
    for field in ["cpu", "memory"] {
        if definition.contains_key(field) {
            continue;
        }
        missing = true;
        // What is given and wrong has been reported.
        if place_of(nodes.definition, &[field]).is_none() {
            report
                .error(
                    nodes.definition_at,
                    format!("Fargate needs `{field}` for the task"),
                )
                .label("in spec.taskDefinition");
        }
    }
    if missing {
        return;
    }
    let (cpu, memory) = (string(definition, "cpu"), string(definition, "memory"));
    let (Some(cpu), Some(memory)) = (cpu, memory) else {
        return;
    };
    if !unresolved(cpu) && !unresolved(memory) {
        size(cpu, memory, nodes, report);
    }
}

fn size(cpu: &str, memory: &str, nodes: &Nodes<'_>, report: &mut Report<'_>) {
    let Some((_, allowed)) =
        amount(cpu, "vcpu").and_then(|cpu| SIZES.iter().find(|(c, _)| *c == cpu))
    else {
        let known: Vec<String> = SIZES.iter().map(|(cpu, _)| cpu.to_string()).collect();
        report
            .error(nodes.in_definition(&["cpu"]), "Fargate has no such cpu")
            .help(format!("one of {}", known.join(", ")));
        return;
    };
    if !amount(memory, "gb").is_some_and(|memory| allowed.contains(memory)) {
        report
            .error(
                nodes.in_definition(&["memory"]),
                format!("Fargate has no such memory with cpu {cpu}"),
            )
            .help(format!("{}, in MiB", allowed.said()));
    }
}

fn runs_on_fargate(nodes: &Nodes<'_>) -> bool {
    let required = nodes
        .wanted_definition
        .get("requiresCompatibilities")
        .and_then(Value::as_array);
    let required = required.is_some_and(|list| list.iter().any(|item| item == "FARGATE"));
    let launched = string(nodes.wanted_service, "launchType") == Some("FARGATE");
    let provided = objects(nodes.wanted_service, "capacityProviderStrategy")
        .iter()
        .any(|item| {
            matches!(
                string(item, "capacityProvider"),
                Some("FARGATE" | "FARGATE_SPOT")
            )
        });
    required || launched || provided
}

/// CPU units or MiB: `256`, or in thousands of 1,024 with a unit: `.25 vCPU`, `1GB`.
fn amount(text: &str, unit: &str) -> Option<u64> {
    let text = text.trim().to_lowercase();
    let Some(number) = text.strip_suffix(unit) else {
        return text.parse().ok();
    };
    let thousands: f64 = number
        .trim()
        .parse()
        .ok()
        .filter(|number| (0.0..=1024.0).contains(number))?;
    // A whole float prints as a whole number; anything else does not parse.
    (thousands * 1024.0).to_string().parse().ok()
}

/// The memory that goes with a cpu, in MiB.
enum Memory {
    OneOf(&'static [u64]),
    /// From, to, in steps of.
    Steps(u64, u64, u64),
}

impl Memory {
    fn contains(&self, memory: u64) -> bool {
        match self {
            Self::OneOf(sizes) => sizes.contains(&memory),
            Self::Steps(from, to, step) => {
                (*from..=*to).contains(&memory) && (memory - from).is_multiple_of(*step)
            }
        }
    }

    fn said(&self) -> String {
        match self {
            Self::OneOf(sizes) => {
                let sizes: Vec<String> = sizes.iter().map(u64::to_string).collect();
                format!("one of {}", sizes.join(", "))
            }
            Self::Steps(from, to, step) => format!("{from} to {to} in steps of {step}"),
        }
    }
}

const SIZES: [(u64, Memory); 8] = [
    (256, Memory::OneOf(&[512, 1024, 2048])),
    (512, Memory::Steps(1024, 4096, 1024)),
    (1024, Memory::Steps(2048, 8192, 1024)),
    (2048, Memory::Steps(4096, 16_384, 1024)),
    (4096, Memory::Steps(8192, 30_720, 1024)),
    (8192, Memory::Steps(16_384, 61_440, 4096)),
    (16_384, Memory::Steps(32_768, 122_880, 8192)),
    (32_768, Memory::OneOf(&[61_440, 122_880, 249_856])),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_numbers_or_carry_their_unit() {
        assert_eq!(amount("256", "vcpu"), Some(256));
        assert_eq!(amount(".25 vCPU", "vcpu"), Some(256));
        assert_eq!(amount("1 vCPU", "vcpu"), Some(1024));
        assert_eq!(amount("1GB", "gb"), Some(1024));
        assert_eq!(amount("0.5 GB", "gb"), Some(512));
        for wrong in [
            "", "GB", "1,5GB", "-1GB", "NaN GB", "1e300GB", "0.0001GB", "1.5",
        ] {
            assert_eq!(amount(wrong, "gb"), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_documentation() {
        let allowed = |cpu: u64, memory: u64| {
            SIZES
                .iter()
                .any(|(c, allowed)| *c == cpu && allowed.contains(memory))
        };
        assert!(allowed(256, 512) && allowed(256, 2048) && !allowed(256, 4096));
        assert!(allowed(512, 3072) && !allowed(512, 512) && !allowed(512, 1536));
        assert!(allowed(8192, 20_480) && !allowed(8192, 17_408));
        assert!(allowed(32_768, 249_856) && !allowed(300, 512));
    }
}
