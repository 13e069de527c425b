//! What a difference must be called: the JSON pointers that `plan` prints, from two documents and the place where one of
//! them was changed. Written without the normal form, so that it can be held against it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    facts,
    model::{self, Kind},
};

/// The pointers of what differs at `place`, a pointer into `from`, which is one of the two documents or was one.
///
/// A structure or list that one side lacks is told of as a whole, but for a structure that the manifest lacks: of that, every
/// member is. What is in a list whose entries have no key is told of by the list's name.
pub fn told(
    root: &str,
    desired: &Value,
    live: &Value,
    from: &Value,
    place: &str,
) -> BTreeSet<String> {
    let mut here = Here {
        pointer: format!("/{root}"),
        pattern: root.to_owned(),
        kind: Some(model::root(root)),
        desired: Some(desired),
        live: Some(live),
    };
    let mut from = Some(from);
    for step in place.split('/').skip(1).map(unescaped) {
        let entries = from.and_then(Value::as_array);
        let Some(entries) = entries else {
            if here.is_content(&step) {
                break;
            }
            from = from.and_then(|from| from.get(&step));
            here = here.member(&step);
            if here.is_told_as_a_whole() || here.is_for_aws_to_choose() {
                break;
            }
            continue;
        };
        let entry = entries.get(step.parse::<usize>().unwrap());
        match entry.and_then(|entry| here.key_of(entry)) {
            Some(key) => here = here.entry(&key),
            None => break,
        }
        if here.live.is_none() {
            break;
        }
        from = entry;
    }
    here.names(live)
}

/// A place on both sides.
struct Here<'a> {
    pointer: String,
    pattern: String,
    /// `None` where the model has nothing.
    kind: Option<Kind>,
    desired: Option<&'a Value>,
    live: Option<&'a Value>,
}

impl<'a> Here<'a> {
    fn member(&self, name: &str) -> Self {
        Self {
            pointer: format!("{}/{}", self.pointer, escaped(name)),
            pattern: format!("{}.{name}", self.pattern),
            kind: self.kind.and_then(|kind| model::member(kind, name)),
            desired: self.desired.and_then(|side| side.get(name)),
            live: self.live.and_then(|side| side.get(name)),
        }
    }

    fn entry(&self, key: &str) -> Self {
        let of = |side: Option<&'a Value>| {
            let mut entries = side?.as_array()?.iter();
            entries.find(|entry| facts::key_of(&self.pattern, entry).as_deref() == Some(key))
        };
        Self {
            pointer: format!("{}/{}", self.pointer, escaped(key)),
            pattern: format!("{}.*", self.pattern),
            kind: self.kind.and_then(model::item),
            desired: of(self.desired),
            live: of(self.live),
        }
    }

    /// The key of an entry of this list, if no other entry of either side has the same.
    fn key_of(&self, entry: &Value) -> Option<String> {
        let key = facts::key_of(&self.pattern, entry)?;
        let is_unique = |side: Option<&Value>| {
            let entries = side.and_then(Value::as_array).into_iter().flatten();
            let keys: Vec<_> = entries.map(|e| facts::key_of(&self.pattern, e)).collect();
            keys.iter().collect::<BTreeSet<_>>().len() == keys.len()
        };
        (is_unique(self.desired) && is_unique(self.live)).then_some(key)
    }

    /// Whether the member of an entry is the entry's key or its whole content, so that the entry is told of.
    fn is_content(&self, member: &str) -> bool {
        let list = self.pattern.strip_suffix(".*");
        list.is_some_and(|list| facts::is_key_or_content(list, member))
    }

    fn is_told_as_a_whole(&self) -> bool {
        let [desired, live] = [self.desired, self.live].map(|side| !self.says_nothing(side));
        match self.kind.and_then(model::item) {
            Some(_) => desired != live,
            None => desired && !live,
        }
    }

    fn is_for_aws_to_choose(&self) -> bool {
        facts::conditional(&self.pattern).is_some() && self.says_nothing(self.desired)
    }

    fn says_nothing(&self, side: Option<&Value>) -> bool {
        side.is_none_or(|value| facts::says_nothing(&self.pattern, value))
    }

    /// All of it: this place, or the members of a structure that the manifest lacks. Whether a host port counts, is in `root`.
    fn names(&self, root: &Value) -> BTreeSet<String> {
        if self.is_for_aws_to_choose() {
            return BTreeSet::new();
        }
        let is_lacking = match self.pattern.strip_suffix(".*") {
            Some(list) => self.desired.is_none() && !facts::has_content(list),
            None => self.says_nothing(self.desired),
        };
        let Some(members) = self.live.and_then(Value::as_object).filter(|_| is_lacking) else {
            return BTreeSet::from([self.pointer.clone()]);
        };
        let members = members.keys().map(|name| self.member(name));
        let compared = members.filter(|member| {
            !member.says_nothing(member.live)
                && member.kind.is_some()
                && facts::host_port(&member.pattern, root).is_none()
        });
        let names: BTreeSet<_> = compared.flat_map(|member| member.names(root)).collect();
        if names.is_empty() && self.pattern.ends_with(".*") {
            return BTreeSet::from([self.pointer.clone()]);
        }
        names
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}
