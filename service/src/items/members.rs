//! A JSON object with what is wrong with its names. Pure.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

/// The members of an object. Where a name is there again, readers disagree on which value is meant (RFC 8259, section 4); `Value` would
/// take the last one, and say nothing.
#[derive(Default)]
pub(super) struct Members {
    /// Each name with the first of its values.
    pub(super) first: Map<String, Value>,
    pub(super) again: BTreeSet<String>,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Self, A::Error> {
        while let Some((name, value)) = object.next_entry::<String, Value>()? {
            match self.first.entry(name) {
                Entry::Vacant(free) => {
                    free.insert(value);
                }
                Entry::Occupied(taken) => {
                    self.again.insert(taken.key().clone());
                }
            }
        }
        Ok(self)
    }
}
