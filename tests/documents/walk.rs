//! The walk through a document that changes one thing after the other, and says what must be told of each.

use std::{borrow::Cow, collections::BTreeSet};

use serde_json::{Value, json};

use super::{
    changes::{Change, Expected, Side, another},
    facts,
    model::{self, Kind},
    told,
};

/// A walk through one document.
pub struct Walk<'a> {
    root: &'static str,
    side: Side,
    document: Value,
    manifest: Value,
    live: Value,
    is_count_declared: bool,
    added: &'a mut BTreeSet<String>,
    changes: Vec<Change>,
}

impl<'a> Walk<'a> {
    /// Through the document called `root` of this side.
    pub fn new(
        root: &'static str,
        side: Side,
        manifest: Value,
        live: Value,
        is_count_declared: bool,
        added: &'a mut BTreeSet<String>,
    ) -> Self {
        let document = match side {
            Side::Manifest => manifest.clone(),
            Side::Live => live.clone(),
        };
        Self {
            root,
            side,
            document,
            manifest,
            live,
            is_count_declared,
            added,
            changes: Vec::new(),
        }
    }

    /// Every change of it.
    pub fn changes(mut self, kind: Kind) -> Vec<Change> {
        self.structure(&Here::root(self.root), kind);
        if self.side == Side::Live && self.root == "service" {
            self.primary_deployment();
        }
        self.changes
    }

    fn value(&mut self, here: &Here, kind: Kind) {
        let value = self.document.pointer(&here.in_document()).unwrap().clone();
        match value {
            Value::Object(_) => self.structure(here, kind),
            Value::Array(entries) => self.list(here, kind, &entries),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                let other = another(&value);
                self.change(here, "is another", Some(other));
            }
        }
    }

    fn structure(&mut self, here: &Here, kind: Kind) {
        let members = self.document.pointer(&here.in_document()).unwrap();
        let names: Vec<_> = members.as_object().unwrap().keys().cloned().collect();
        for name in names {
            let kind = model::member(kind, &name);
            let member = Here {
                is_known: kind.is_some(),
                ..here.member(&name)
            };
            if self.is_elsewhere(&member.pattern) {
                continue;
            }
            self.change(&member, "is gone", None);
            match kind {
                Some(kind) if facts::read_only(&member.pattern).is_none() => {
                    self.value(&member, kind);
                }
                // Nothing below can matter when the whole does not.
                _ => self.change(&member, "is another", Some(json!("changed"))),
            }
        }
        self.members_more(here, kind);
    }

    /// What could stand here and does not.
    fn members_more(&mut self, here: &Here, kind: Kind) {
        for (name, kind) in model::members(kind).into_iter().flatten() {
            if model::is_open(kind) {
                continue;
            }
            let member = here.member(name);
            let is_there = self.document.pointer(&member.in_document()).is_some();
            let is_ours = self.side == Side::Live || facts::read_only(&member.pattern).is_none();
            if is_there
                || !is_ours
                || self.is_elsewhere(&member.pattern)
                || !self.added.insert(member.pattern.clone())
            {
                continue;
            }
            let sample = model::sample(kind, &member.pattern);
            self.change(&member, "is there too", Some(sample));
        }
    }

    fn list(&mut self, here: &Here, kind: Kind, entries: &[Value]) {
        let kind = model::item(kind).unwrap();
        let mut more = entries.to_vec();
        more.push(match entries.last() {
            Some(last) => facts::another_entry(&here.pattern, last),
            None => model::sample(kind, &format!("{}.*", here.pattern)),
        });
        let added = here.entry(entries.len());
        self.replace(here, &added, In::After, "has one more", more);

        let mut reversed = entries.to_vec();
        reversed.reverse();
        if facts::said(&here.pattern, &json!(reversed))
            != facts::said(&here.pattern, &json!(entries))
        {
            if facts::is_unordered(&here.pattern) {
                let document = self.changed(here, Some(json!(reversed)));
                let expected = Expected::Nothing("the order means nothing");
                self.push(here, "is reversed", document, expected);
            } else {
                self.replace(here, here, In::Both, "is reversed", reversed);
            }
        }
        for (index, entry) in entries.iter().enumerate() {
            let place = here.entry(index);
            let mut fewer = entries.to_vec();
            fewer.remove(index);
            let what = format!("lacks {entry}");
            self.replace(here, &place, In::Before, &what, fewer);
            self.value(&place, kind);
        }
    }

    /// What ECS shows only on the primary deployment.
    fn primary_deployment(&mut self) {
        let kind = model::root("service");
        for name in facts::ON_PRIMARY {
            let mut here = Here::root("service").member(name);
            here.deployment = primary(&self.document).unwrap();
            let kind = model::member(kind, name).unwrap();
            let value = self.document.pointer(&here.in_document()).cloned();
            if value.is_some() {
                self.change(&here, "is gone", None);
                self.value(&here, kind);
            } else if self.added.insert(here.pattern.clone()) {
                let sample = model::sample(kind, &here.pattern);
                self.change(&here, "is there too", Some(sample));
            }
        }
    }

    /// A list has other entries, which is told of `place`.
    fn replace(&mut self, here: &Here, place: &Here, looked_for: In, what: &str, list: Vec<Value>) {
        let document = self.changed(here, Some(Value::Array(list)));
        let expected = match self.is_left_alone(here) {
            Some(why) => Expected::Nothing(why),
            None => self.told(place, looked_for, &document),
        };
        self.push(here, what, document, expected);
    }

    fn change(&mut self, here: &Here, what: &str, is: Option<Value>) {
        let document = self.changed(here, is);
        let expected = if let Some(why) = self.is_left_alone(here) {
            Expected::Nothing(why)
        } else if here.said_around(&self.document) == here.said_around(&document) {
            Expected::Nothing("it means the same")
        } else {
            self.told(here, In::Both, &document)
        };
        self.push(here, what, document, expected);
    }

    /// What must be told of a change at this place.
    fn told(&self, place: &Here, looked_for: In, changed: &Value) -> Expected {
        let (desired, live) = match self.side {
            Side::Manifest => (changed, &self.live),
            Side::Live => (&self.manifest, changed),
        };
        let live = with_primary(live);
        let mut pointers = BTreeSet::new();
        for (when, document) in [(In::Before, &self.document), (In::After, changed)] {
            if looked_for == when || looked_for == In::Both {
                let document = with_primary(document);
                let told = told::told(self.root, desired, &live, &document, &place.pointer);
                pointers.extend(told);
            }
        }
        if pointers.is_empty() {
            Expected::Nothing("it is left alone when the manifest does not mention it")
        } else {
            Expected::Named(pointers)
        }
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

    fn is_left_alone(&self, here: &Here) -> Option<&'static str> {
        if here.pattern == "service.desiredCount" {
            return (!self.is_count_declared).then_some("the count is not declared");
        }
        facts::read_only(&here.pattern)
            .or_else(|| facts::host_port(&here.pattern, &self.document))
            .or_else(|| (!here.is_known).then_some("the table of ECS's model does not have it"))
    }

    /// The document with something else, or nothing, at this place.
    fn changed(&self, here: &Here, is: Option<Value>) -> Value {
        let mut document = self.document.clone();
        let pointer = here.in_document();
        let (around, name) = pointer.rsplit_once('/').unwrap();
        let name = name.replace("~1", "/").replace("~0", "~");
        let around = document.pointer_mut(around).unwrap();
        match (around.as_array_mut(), is) {
            (Some(entries), is) => entries[name.parse::<usize>().unwrap()] = is.unwrap(),
            (None, Some(is)) => around[name] = is,
            (None, None) => drop(around.as_object_mut().unwrap().remove(&name)),
        }
        document
    }

    fn push(&mut self, here: &Here, what: &str, document: Value, expected: Expected) {
        let Value::Object(document) = document else {
            unreachable!("documents are objects")
        };
        self.changes.push(Change {
            what: format!("{} {what}", here.in_document()),
            root: self.root,
            document,
            expected,
        });
    }
}

/// A place in a document.
#[derive(Debug, Clone)]
struct Here {
    /// The pointer to the primary deployment, where the value stands there and not on the service itself.
    deployment: String,
    /// Where the value is from there: a JSON pointer.
    pointer: String,
    /// Which field it is: `service.loadBalancers.*.containerPort`.
    pattern: String,
    /// Which field it is in. A key of a map may have a dot.
    around: String,
    /// Whether ECS's model has it.
    is_known: bool,
}

impl Here {
    fn root(root: &str) -> Self {
        Self {
            deployment: String::new(),
            pointer: String::new(),
            pattern: root.to_owned(),
            around: root.to_owned(),
            is_known: true,
        }
    }

    fn below(&self, pointer: &str, pattern: &str) -> Self {
        Self {
            deployment: self.deployment.clone(),
            pointer: format!("{}/{pointer}", self.pointer),
            pattern: format!("{}.{pattern}", self.pattern),
            around: self.pattern.clone(),
            is_known: self.is_known,
        }
    }

    fn member(&self, name: &str) -> Self {
        self.below(&name.replace('~', "~0").replace('/', "~1"), name)
    }

    fn entry(&self, index: usize) -> Self {
        self.below(&index.to_string(), "*")
    }

    /// What the structure or list around it says.
    fn said_around(&self, document: &Value) -> Option<Value> {
        let pointer = self.in_document();
        let (pointer, _) = pointer.rsplit_once('/')?;
        facts::said(&self.around, document.pointer(pointer)?)
    }

    fn in_document(&self) -> String {
        format!("{}{}", self.deployment, self.pointer)
    }
}

/// In which document the changed place is looked for: an entry that is gone is not in the changed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    Before,
    After,
    Both,
}

/// A live service with the members that stand only on its primary deployment; another document as it is.
fn with_primary(document: &Value) -> Cow<'_, Value> {
    let mut whole = Cow::Borrowed(document);
    if let Some(primary) = primary(document) {
        for name in facts::ON_PRIMARY {
            if let Some(value) = document.pointer(&format!("{primary}/{name}")) {
                whole.to_mut()[name] = value.clone();
            }
        }
    }
    whole
}

/// The pointer to a service's primary deployment.
fn primary(service: &Value) -> Option<String> {
    let mut deployments = service.get("deployments")?.as_array()?.iter();
    let index = deployments.position(|deployment| deployment["status"] == "PRIMARY");
    index.map(|index| format!("/deployments/{index}"))
}
