//! Every single change of a document: each scalar to another value, each member and entry gone, one entry more in each
//! list, each list in another order, each member that ECS's model has and the document has not.

use std::collections::BTreeSet;

use evenkeel::document::Document;
use serde_json::{Value, json};

use super::{
    facts,
    model::{self, Kind},
    pairs::Pair,
};

/// Which side is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What the manifest asks for.
    Manifest,
    /// What AWS returns.
    Live,
}

/// A document with one change.
#[derive(Debug)]
pub struct Change {
    /// What was changed, for people.
    pub what: String,
    /// `service` or `taskDefinition`.
    pub root: &'static str,
    /// The changed document.
    pub document: Document,
    /// What must be found.
    pub expected: Expected,
}

/// What must be found of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// A difference of this path.
    Named(String),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// Every change of one side of a pair. `added` are the members that were tried in another pair: once is enough.
pub fn of(pair: &Pair, side: Side, added: &mut BTreeSet<String>) -> Vec<Change> {
    let definition = pair.desired.definition.as_ref().unwrap();
    let (service, live_definition) = match side {
        Side::Manifest => (&pair.desired.service, definition),
        Side::Live => (&pair.service, &pair.definition),
    };
    let mut changes = Vec::new();
    for (root, document, manifest) in [
        ("service", service, &pair.desired.service),
        ("taskDefinition", live_definition, definition),
    ] {
        let mut walk = Walk {
            root,
            side,
            document: Value::Object(document.clone()),
            manifest: Value::Object(manifest.clone()),
            is_count_declared: pair.desired.manifest.desired_count.is_some(),
            added,
            changes: Vec::new(),
        };
        walk.structure(&Here::root(root), &model::root(root));
        if side == Side::Live && root == "service" {
            walk.primary_deployment();
        }
        changes.append(&mut walk.changes);
    }
    changes
}

/// A place in a document.
#[derive(Debug, Clone)]
struct Here {
    /// Where the value is: a JSON pointer.
    pointer: String,
    /// Which field it is: `service.loadBalancers.*.containerPort`.
    pattern: String,
    /// What a difference there is called. Below a list whose entries have no key it is the list's name.
    path: String,
    is_in_plain_list: bool,
    /// Whether ECS's model has it.
    is_known: bool,
}

impl Here {
    fn root(root: &str) -> Self {
        Self {
            pointer: String::new(),
            pattern: root.to_owned(),
            path: root.to_owned(),
            is_in_plain_list: false,
            is_known: true,
        }
    }

    fn below(&self, pointer: &str, pattern: &str, path: &str) -> Self {
        let path = if self.is_in_plain_list { "" } else { path };
        Self {
            pointer: format!("{}/{pointer}", self.pointer),
            pattern: format!("{}.{pattern}", self.pattern),
            path: format!("{}{path}", self.path),
            is_in_plain_list: self.is_in_plain_list,
            is_known: self.is_known,
        }
    }

    fn member(&self, name: &str) -> Self {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        self.below(&escaped, name, &format!(".{name}"))
    }

    fn entry(&self, index: usize, entry: &Value) -> Self {
        let index = index.to_string();
        match facts::key_of(&self.pattern, entry) {
            Some(key) => self.below(&index, "*", &format!("[{key}]")),
            None => Self {
                is_in_plain_list: true,
                ..self.below(&index, "*", "")
            },
        }
    }
}

struct Walk<'a> {
    root: &'static str,
    side: Side,
    document: Value,
    manifest: Value,
    is_count_declared: bool,
    added: &'a mut BTreeSet<String>,
    changes: Vec<Change>,
}

impl Walk<'_> {
    fn value(&mut self, here: &Here, kind: &Kind) {
        let value = self.document.pointer(&here.pointer).unwrap().clone();
        match value {
            Value::Object(_) => self.structure(here, kind),
            Value::Array(entries) => self.list(here, kind, &entries),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                let other = another(&value);
                self.change(here, "is another", Some(&value), Some(other));
            }
        }
    }

    fn structure(&mut self, here: &Here, kind: &Kind) {
        let members = self.document.pointer(&here.pointer).unwrap();
        for (name, value) in members.as_object().unwrap().clone() {
            let kind = model::member(kind, &name);
            let member = Here {
                is_known: kind.is_some(),
                ..here.member(&name)
            };
            if self.is_elsewhere(&member.pattern) {
                continue;
            }
            self.change(&member, "is gone", Some(&value), None);
            match kind {
                Some(kind) if facts::read_only(&member.pattern).is_none() => {
                    self.value(&member, &kind);
                }
                // Nothing below can matter when the whole does not.
                _ => self.change(&member, "is another", Some(&value), Some(json!("changed"))),
            }
        }
        self.members_more(here, kind);
    }

    /// What could stand here and does not.
    fn members_more(&mut self, here: &Here, kind: &Kind) {
        for (name, kind) in model::members(kind).into_iter().flatten() {
            if model::is_open(kind) {
                continue;
            }
            let mut member = here.member(name);
            let is_there = self.document.pointer(&member.pointer).is_some();
            let is_ours = self.side == Side::Live || facts::read_only(&member.pattern).is_none();
            if is_there
                || !is_ours
                || self.is_elsewhere(&member.pattern)
                || !self.added.insert(member.pattern.clone())
            {
                continue;
            }
            let (sample, below) = model::sample(kind, &member.pattern);
            if !member.is_in_plain_list {
                member.path.push_str(&below);
            }
            self.change(&member, "is there too", None, Some(sample));
        }
    }

    fn list(&mut self, here: &Here, kind: &Kind, entries: &[Value]) {
        let kind = model::item(kind).unwrap();
        let mut more = entries.to_vec();
        more.push(match entries.last() {
            Some(last) => facts::another_entry(&here.pattern, last),
            None => model::sample(&kind, &format!("{}.*", here.pattern)).0,
        });
        let added = here.entry(entries.len(), more.last().unwrap());
        let named = if entries.is_empty() { here } else { &added };
        self.replace(here, named, "has one more", json!(more));

        let mut reversed = entries.to_vec();
        reversed.reverse();
        if reversed != entries {
            let expected = if facts::is_unordered(&here.pattern) {
                Expected::Nothing("the order means nothing")
            } else {
                Expected::Named(here.path.clone())
            };
            self.push(here, "is reversed", Some(json!(reversed)), expected);
        }
        for (index, entry) in entries.iter().enumerate() {
            let place = here.entry(index, entry);
            let mut fewer = entries.to_vec();
            fewer.remove(index);
            let named = if fewer.is_empty() { here } else { &place };
            let what = format!("lacks {}", place.pointer);
            self.replace(here, named, &what, json!(fewer));
            self.value(&place, &kind);
        }
    }

    /// What ECS shows only on the primary deployment.
    fn primary_deployment(&mut self) {
        let deployments = self.document["deployments"].as_array().unwrap();
        let primary = deployments
            .iter()
            .position(|deployment| deployment["status"] == "PRIMARY")
            .unwrap();
        let kind = model::root("service");
        for name in facts::ON_PRIMARY {
            let mut here = Here::root("service").member(name);
            here.pointer = format!("/deployments/{primary}/{name}");
            let kind = model::member(&kind, name).unwrap();
            let value = self.document.pointer(&here.pointer).cloned();
            if value.is_some() {
                self.change(&here, "is gone", value.as_ref(), None);
                self.value(&here, &kind);
            } else if self.added.insert(here.pattern.clone()) {
                let (sample, below) = model::sample(&kind, &here.pattern);
                here.path.push_str(&below);
                self.change(&here, "is there too", None, Some(sample));
            }
        }
    }

    /// A list has other entries, which is told of `named`.
    fn replace(&mut self, here: &Here, named: &Here, what: &str, list: Value) {
        let expected = match self.is_left_alone(here, true) {
            Some(why) => Expected::Nothing(why),
            None => Expected::Named(named.path.clone()),
        };
        self.push(here, what, Some(list), expected);
    }

    fn change(&mut self, here: &Here, what: &str, was: Option<&Value>, is: Option<Value>) {
        let says_nothing =
            |value: Option<&Value>| value.is_none_or(|v| facts::says_nothing(&here.pattern, v));
        let expected = if let Some(why) = self.is_left_alone(here, is.is_some()) {
            Expected::Nothing(why)
        } else if says_nothing(was) && says_nothing(is.as_ref()) {
            Expected::Nothing("it is the default")
        } else {
            Expected::Named(facts::told_of(&here.pattern, &here.path))
        };
        self.push(here, what, is, expected);
    }

    /// Whether other tests, or [`Self::primary_deployment`], look at it.
    fn is_elsewhere(&self, pattern: &str) -> bool {
        let is_on_primary = || {
            facts::ON_PRIMARY
                .iter()
                .any(|name| pattern == format!("service.{name}"))
        };
        facts::is_elsewhere(pattern)
            || match self.side {
                Side::Live => is_on_primary(),
                Side::Manifest => pattern == "service.desiredCount",
            }
    }

    fn is_left_alone(&self, here: &Here, will_be: bool) -> Option<&'static str> {
        if let Some((field, why)) = facts::conditional(&here.pattern) {
            let is_mentioned = match self.side {
                Side::Manifest => will_be || !here.pattern.ends_with(field),
                Side::Live => facts::is_mentioned(&self.manifest, &here.pattern),
            };
            if !is_mentioned {
                return Some(why);
            }
        }
        if here.pattern == "service.desiredCount" {
            return (!self.is_count_declared).then_some("the count is not declared");
        }
        facts::read_only(&here.pattern)
            .or_else(|| facts::host_port(&here.pattern, &self.document))
            .or_else(|| (!here.is_known).then_some("the table of ECS's model does not have it"))
    }

    fn push(&mut self, here: &Here, what: &str, is: Option<Value>, expected: Expected) {
        let mut document = self.document.clone();
        let (around, name) = here.pointer.rsplit_once('/').unwrap();
        let name = name.replace("~1", "/").replace("~0", "~");
        let around = document.pointer_mut(around).unwrap();
        match (around.as_array_mut(), is) {
            (Some(entries), is) => entries[name.parse::<usize>().unwrap()] = is.unwrap(),
            (None, Some(is)) => around[name] = is,
            (None, None) => drop(around.as_object_mut().unwrap().remove(&name)),
        }
        self.changes.push(Change {
            what: format!("{} {what}", here.pointer),
            root: self.root,
            document: document.as_object().unwrap().clone(),
            expected,
        });
    }
}

/// Another value of the same type.
pub fn another(value: &Value) -> Value {
    match value {
        Value::Bool(yes) => json!(!yes),
        Value::String(text) => json!(format!("{text}-changed")),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => json!(whole + 1),
            None => json!(number.as_f64().unwrap() + 1.0),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => panic!("{value} is not a scalar"),
    }
}
