//! Leaving out what AWS would fill in anyway.

use serde_json::Value;

use crate::{document::Document, normal::Normal, shape};

/// Which of the two ECS documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Service,
    Definition,
}

/// The document without every member that makes no difference to its normal form. What the API requires inside of what
/// stays, stays.
///
/// The normal form is asked, member by member, from the outside in: so there is no second table of defaults.
pub(super) fn defaults(
    root: Root,
    document: Document,
    normal: impl Fn(&Document) -> Normal,
) -> Document {
    let structure = match root {
        Root::Service => "CreateServiceRequest",
        Root::Definition => "RegisterTaskDefinitionRequest",
    };
    let wanted = normal(&document);
    let mut members = Vec::new();
    in_structure(structure, &document, "", &mut members);
    let mut kept = document;
    for (parent, member) in members {
        let mut without = Value::Object(kept.clone());
        // The parent is gone when it made no difference itself.
        let Some(Value::Object(members)) = without.pointer_mut(&parent) else {
            continue;
        };
        members.shift_remove(&member);
        if let Value::Object(without) = without
            && normal(&without) == wanted
        {
            kept = without;
        }
    }
    kept
}

/// Every member that may be left out: the JSON pointer of what it is in, and its name; the outer ones first.
fn in_structure(name: &str, members: &Document, at: &str, found: &mut Vec<(String, String)>) {
    for (member, value) in members {
        if !shape::is_required(name, member) {
            found.push((at.to_owned(), member.clone()));
        }
        if let Some(kind) = shape::kind_of(name, member) {
            in_kind(kind, value, &format!("{at}/{}", escape(member)), found);
        }
    }
}

fn in_kind(kind: &Value, value: &Value, at: &str, found: &mut Vec<(String, String)>) {
    match (
        kind.get("structure").and_then(Value::as_str),
        kind.get("list"),
        value,
    ) {
        (Some(name), _, Value::Object(members)) => in_structure(name, members, at, found),
        (_, Some(item), Value::Array(items)) => {
            for (index, value) in items.iter().enumerate() {
                in_kind(item, value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
