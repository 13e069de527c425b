//! Changes of a JSON document that leave it one: few of a file's bytes can be changed so that it can still be read.

use fastrand::Rng;
use serde_json::{Value, json};

/// Changes one place of the document.
pub fn mutate(document: &mut Value, rng: &mut Rng) {
    let place = place(document, rng);
    match place {
        Value::Array(items) if !items.is_empty() && rng.bool() => {
            let at = rng.usize(..items.len());
            match rng.u8(..3) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => rng.shuffle(items),
            }
        }
        Value::Object(members) if !members.is_empty() && rng.bool() => {
            let name = rng.choice(members.keys()).unwrap().clone();
            let value = members.shift_remove(&name).unwrap();
            // Under another member's name, or nowhere.
            if let Some(other) = rng.choice(members.keys()).filter(|_| rng.bool()).cloned() {
                members.insert(other, value);
            }
        }
        place => *place = other(place, rng),
    }
}

/// Any place, the ones near the root more often.
fn place<'a>(value: &'a mut Value, rng: &mut Rng) -> &'a mut Value {
    let many = match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    };
    if many == 0 || rng.u8(..6) == 0 {
        return value;
    }
    let at = rng.usize(..many);
    let inner = match value {
        Value::Array(items) => items.get_mut(at),
        Value::Object(members) => members.values_mut().nth(at),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    place(inner.unwrap(), rng)
}

/// What AWS could say there, and what it would never.
fn other(value: &Value, rng: &mut Rng) -> Value {
    let words = [
        "",
        "ACTIVE",
        "DRAINING",
        "INACTIVE",
        "PRIMARY",
        "IN_PROGRESS",
        "COMPLETED",
        "FAILED",
        "MISSING",
        "SUCCESSFUL",
        "ROLLBACK_SUCCESSFUL",
        "STOPPED",
        "rolling back to deploymentId ecs-svc/1",
        "arn:aws:ecs:::/",
        "a/b~c",
        "\u{0}🦀",
        "evenkeel/prod/shop",
        "2026-09-21T14:13:20Z ended",
        "repository@sha256:0",
    ];
    let nearby = value.as_f64().unwrap_or(1_790_000_000.0);
    match rng.u8(..9) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!([]),
        3 => json!({}),
        4 => json!([value]),
        5 => json!({"name": value}),
        6 => {
            let numbers = [
                0.0,
                -1.0,
                0.5,
                1e18,
                -1e300,
                f64::from(u32::MAX),
                nearby + 1.0,
                nearby - 600.0,
                nearby + 3_600.0,
            ];
            json!(numbers[rng.usize(..numbers.len())])
        }
        7 => json!([i64::MIN, -1, 0, 1, 3, i64::MAX][rng.usize(..6)]),
        _ => json!(words[rng.usize(..words.len())]),
    }
}
