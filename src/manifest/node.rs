//! A manifest as a tree in which everything knows its place. Scalars keep their text: nothing is guessed.

use super::diagnostic::{Place, quoted};

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// A reference that cannot be resolved here and may stand for anything.
    Unresolved(String),
}

#[derive(Debug, Clone)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Whether it was written without quotes, and so may mean a number, a truth value or nothing.
    pub(super) plain: bool,
    /// As written, where references in it were resolved: what messages may repeat.
    pub(super) written: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Place,
    pub(super) value: Node,
}

impl Node {
    /// What it is, in a message: `a list`, `a string`, …
    pub(super) fn what(&self) -> &'static str {
        match &self.kind {
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
            Kind::Unresolved(_) => "a reference",
            Kind::Scalar(scalar) if scalar.is_null() => "nothing",
            Kind::Scalar(scalar) if scalar.plain && scalar.text.parse::<f64>().is_ok() => {
                "a number"
            }
            Kind::Scalar(scalar) if scalar.plain && scalar.boolean().is_some() => "true or false",
            Kind::Scalar(_) => "a string",
        }
    }

    /// How many bytes of text it holds.
    pub(super) fn bytes(&self) -> usize {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.text.len(),
            Kind::Unresolved(text) => text.len(),
            Kind::List(items) => items.iter().map(Node::bytes).sum(),
            Kind::Map(entries) => entries.iter().map(|e| e.key.len() + e.value.bytes()).sum(),
        }
    }

    /// How many nodes it is made of.
    pub(super) fn size(&self) -> usize {
        match &self.kind {
            Kind::Scalar(_) | Kind::Unresolved(_) => 1,
            Kind::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Kind::Map(entries) => 1 + entries.iter().map(|e| 1 + e.value.size()).sum::<usize>(),
        }
    }
}

impl Scalar {
    /// Whether it is written as nothing: an empty value, `~` or `null`, unquoted.
    pub(super) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// YAML 1.2's truth values; `yes` and `on` are words.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self.text.as_str() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// How it may be repeated in a message: as written, references unresolved.
    pub(super) fn shown(&self) -> String {
        quoted(self.written.as_ref().unwrap_or(&self.text))
    }
}
