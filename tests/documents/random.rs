//! Any document that ECS's model allows, as a strategy: every member of every structure, values that are defaults and
//! values that are easily taken for something else. What is left of a failing one is small.

use std::collections::BTreeSet;

use fastrand::Rng;
use proptest::{collection, option, prelude::*, sample};
use serde_json::{Map, Value, json};

use super::{
    aws, facts,
    model::{self, Kind},
    pairs::Pair,
};

/// How often a member is there that need not be; of structures with many, fewer.
fn often(members: usize) -> f64 {
    if members > 12 { 0.25 } else { 0.5 }
}

/// Text that is easily taken for something else, or must be escaped in a pointer.
const TEXTS: [&str; 14] = [
    "",
    " ",
    "0",
    "1.10",
    "true",
    "null",
    "LATEST",
    "a/b",
    "c~d",
    "~1",
    "e.f[g]",
    "${image}",
    "ümlaut 🦀",
    "*",
];

/// A manifest's documents, and what AWS makes of them.
pub fn pair() -> impl Strategy<Value = Pair> {
    let seed = any::<u64>().no_shrink();
    let count = option::of(1..5_u32);
    (document("service"), document("taskDefinition"), count, seed).prop_map(
        |(service, definition, count, seed)| {
            let mut rng = Rng::with_seed(seed);
            let live_service = aws::service(&service, count.unwrap_or(3), &mut rng);
            let live_definition = aws::definition(&definition, &mut rng);
            Pair::of(service, definition, count, live_service, live_definition)
        },
    )
}

/// A document of a manifest: the shape of CreateService or RegisterTaskDefinition, without what the envelope says.
pub fn document(root: &'static str) -> impl Strategy<Value = Map<String, Value>> {
    structure(model::root(root), root).prop_map(|document| document.as_object().unwrap().clone())
}

/// Every field of the model that documents of this root may have, as patterns.
pub fn fields(root: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![(root.to_owned(), model::root(root))];
    while let Some((pattern, kind)) = left.pop() {
        if let Some(kind) = model::item(kind) {
            left.push((format!("{pattern}.*"), kind));
        }
        for (name, kind) in written(kind, &pattern) {
            found.insert(name.clone());
            left.push((name, kind));
        }
    }
    found
}

/// The members of a structure that a manifest's document may have, by their patterns.
fn written(kind: Kind, pattern: &str) -> Vec<(String, Kind)> {
    let members = model::members(kind).into_iter().flatten();
    let named = members.map(|(name, kind)| (format!("{pattern}.{name}"), kind));
    let wanted = named.filter(|(pattern, kind)| {
        !model::is_open(kind)
            && facts::read_only(pattern).is_none()
            && !facts::is_elsewhere(pattern)
            && pattern != "service.desiredCount"
    });
    wanted.collect()
}

fn value(kind: Kind, pattern: &str) -> BoxedStrategy<Value> {
    if model::members(kind).is_some() {
        return structure(kind, pattern);
    }
    if let Some(kind) = model::item(kind) {
        return list(kind, pattern);
    }
    if let Some(kind) = kind.get("map") {
        let names = sample::select(&TEXTS[..]).prop_map(str::to_owned);
        let entries = collection::btree_map(names, value(kind, &format!("{pattern}.added")), 0..3);
        return entries
            .prop_map(|entries| entries.into_iter().collect())
            .boxed();
    }
    let any = scalar(kind, pattern);
    match facts::default_of(pattern) {
        Some(default) => prop_oneof![2 => any, 1 => Just(default)].boxed(),
        None => any,
    }
}

fn structure(kind: Kind, pattern: &str) -> BoxedStrategy<Value> {
    let members = written(kind, pattern);
    let often = often(members.len());
    let (names, values): (Vec<_>, Vec<_>) = members
        .into_iter()
        .map(|(pattern, of)| {
            let name = pattern.rsplit_once('.').unwrap().1.to_owned();
            let is_always = model::is_required(kind, &name) || facts::is_name(&pattern);
            let value = value(of, &pattern);
            let value = match is_always {
                true => value.prop_map(Some).boxed(),
                false => option::weighted(often, value).boxed(),
            };
            (name, value)
        })
        .unzip();
    let together = values.prop_map(move |values| {
        let given = names.iter().cloned().zip(values);
        given
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    });
    together.boxed()
}

/// Entries of one key are rare: AWS takes them of some lists only. No two containers have one name.
fn list(kind: Kind, pattern: &str) -> BoxedStrategy<Value> {
    let is_of_containers = pattern == "taskDefinition.containerDefinitions";
    let fewest = usize::from(is_of_containers);
    let entries = collection::vec(value(kind, &format!("{pattern}.*")), fewest..=2);
    let pattern = pattern.to_owned();
    (entries, prop::bool::weighted(0.9))
        .prop_map(move |(mut entries, are_unique)| {
            let mut keys = BTreeSet::new();
            entries.retain(|entry| match facts::key_of(&pattern, entry) {
                Some(key) if are_unique || is_of_containers => keys.insert(key),
                _ => true,
            });
            Value::Array(entries)
        })
        .boxed()
}

fn scalar(kind: Kind, pattern: &str) -> BoxedStrategy<Value> {
    let sizes = match pattern {
        "taskDefinition.cpu" => Some(&["256", "1024", "1 vCPU", ".5 vCPU", "2vcpu"]),
        "taskDefinition.memory" => Some(&["512", "1024", "1 GB", "0.5GB", "2gb"]),
        _ => None,
    };
    if let Some(sizes) = sizes {
        return sample::select(&sizes[..]).prop_map(Value::from).boxed();
    }
    match kind.as_str() {
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("integer" | "long") => (0..200_i64).prop_map(Value::from).boxed(),
        Some("double") => (0..20_u8).prop_map(|n| json!(f64::from(n) / 2.0)).boxed(),
        _ => {
            let texts = TEXTS.iter().map(|text| (*text).to_owned());
            let texts = texts.filter(|text| !(text.is_empty() && facts::is_name(pattern)));
            let words = model::words(kind).unwrap_or_else(|| texts.collect());
            sample::select(words).prop_map(Value::from).boxed()
        }
    }
}
