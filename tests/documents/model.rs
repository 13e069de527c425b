//! The shapes of ECS's API model, as the table in the repository has them.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::facts;

static TABLE: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../src/manifest/ecs_fields.json")).unwrap()
});

/// What a member can be, in the table's words.
pub type Kind = &'static Value;

static ROOTS: LazyLock<Value> = LazyLock::new(|| {
    let roots = TABLE["roots"].as_object().unwrap().iter();
    roots
        .map(|(root, structure)| (root.clone(), json!({"structure": structure})))
        .collect()
});

/// The kind of the whole document called `root`.
pub fn root(root: &str) -> Kind {
    &ROOTS[root]
}

/// The kind of the field at `pattern`, such as `service.loadBalancers.*`; `None` where the model has none.
pub fn at(pattern: &str) -> Option<Kind> {
    let (first, rest) = pattern.split_once('.').unwrap_or((pattern, ""));
    let mut steps = rest.split('.').filter(|step| !step.is_empty());
    steps.try_fold(root(first), |kind, step| match step {
        "*" => item(kind),
        name => member(kind, name),
    })
}

/// The members of a structure; `None` of anything else.
pub fn members(kind: Kind) -> Option<&'static Map<String, Value>> {
    let name = kind.get("structure")?.as_str()?;
    TABLE["structures"][name]["members"].as_object()
}

/// Whether the model leaves open what stands there (a document type); manifests cannot give that.
pub fn is_open(kind: Kind) -> bool {
    members(kind).is_some_and(Map::is_empty)
}

/// The kind of a member: of a structure by its name, of a map the one of all values.
pub fn member(kind: Kind, name: &str) -> Option<Kind> {
    match members(kind) {
        Some(members) => members.get(name),
        None => kind.get("map"),
    }
}

/// Whether AWS takes the structure only with this member.
pub fn is_required(kind: Kind, member: &str) -> bool {
    let structure = kind["structure"].as_str().unwrap();
    let required = TABLE["structures"][structure]["required"].as_array();
    required.is_some_and(|required| required.iter().any(|name| name == member))
}

/// The values of an enum; `None` of anything else.
pub fn words(kind: Kind) -> Option<Vec<String>> {
    let words = TABLE["enums"][kind.get("enum")?.as_str()?].as_array()?;
    Some(
        words
            .iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect(),
    )
}

/// The kind of a list's items.
pub fn item(kind: Kind) -> Option<Kind> {
    kind.get("list")
}

/// A value that AWS would not fill in.
pub fn sample(kind: Kind, pattern: &str) -> Value {
    if let Some(members) = members(kind) {
        let mut closed = members.iter().filter(|(_, kind)| !is_open(kind));
        let (name, kind) = closed.next().unwrap();
        return json!({ name: sample(kind, &format!("{pattern}.{name}")) });
    }
    if let Some(kind) = kind.get("map") {
        return json!({"added": sample(kind, &format!("{pattern}.added"))});
    }
    if let Some(kind) = kind.get("list") {
        return json!([sample(kind, &format!("{pattern}.*"))]);
    }
    match kind.as_str() {
        Some("boolean") => json!(facts::default_of(pattern) != Some(json!(true))),
        Some("integer" | "long") => json!(7),
        Some("double") => json!(7.5),
        _ => json!("added"),
    }
}
