//! Many harmless changes at once: lists without order in any order, defaults told or not told. Seeded, so that a
//! failure comes again.

use evenkeel::plan::{self, Lessons};
use fastrand::Rng;
use serde_json::Value;

use super::{
    changes::{Change, Expected, Side},
    facts,
    model::{self, Kind},
    pairs::Pair,
};

/// Tellings of each pair.
const TELLINGS: u64 = 5;

#[test]
fn however_aws_tells_it_there_is_no_difference() {
    for (number, pair) in (0..).zip(Pair::all()) {
        for telling in 0..TELLINGS {
            let mut rng = Rng::with_seed(number * TELLINGS + telling);
            for (root, document) in [
                ("service", &pair.service),
                ("taskDefinition", &pair.definition),
            ] {
                let mut told = Value::Object(document.clone());
                tell(&mut told, &model::root(root), root, &mut rng);
                let document = told.as_object().unwrap().clone();
                let change = Change {
                    what: format!("telling {telling}"),
                    root,
                    document,
                    expected: Expected::Nothing("it means the same"),
                };
                let (desired, observed) = pair.with(Side::Live, &change);
                let plan = plan::plan(&desired, &observed, &Lessons::default());
                let found = &plan.differences;
                assert!(plan.is_empty(), "{}: {}: {found:?}", pair.name, change.what);
            }
        }
    }
}

/// Tells the same otherwise.
fn tell(value: &mut Value, kind: &Kind, pattern: &str, rng: &mut Rng) {
    match value {
        Value::Object(members) => {
            for (name, kind) in model::members(kind).into_iter().flatten() {
                let pattern = format!("{pattern}.{name}");
                match members.get_mut(name) {
                    Some(value) if facts::says_nothing(&pattern, value) && rng.bool() => {
                        members.remove(name);
                    }
                    Some(value) => tell(value, kind, &pattern, rng),
                    None if rng.bool() => {
                        let default = facts::default_of(&pattern);
                        members.extend(default.map(|default| (name.clone(), default)));
                    }
                    None => {}
                }
            }
        }
        Value::Array(entries) => {
            if facts::is_unordered(pattern) {
                rng.shuffle(entries);
            }
            let kind = model::item(kind).unwrap();
            for entry in entries {
                tell(entry, &kind, &format!("{pattern}.*"), rng);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
