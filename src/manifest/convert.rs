//! A block of a manifest brought into ECS's shape.
//!
//! Scalars take the types of ECS's model, so that `cpu: 256` and `cpu: "256"` are the same task definition.

use serde_json::{Map, Number, Value};

use super::{
    diagnostic::{Place, Report, Severity, quoted},
    ecs::{Block, Shape, Structure, TABLE},
    node::{Entry, Kind, Node, Scalar},
};

/// Brings a block into ECS's shape. Everything wrong is reported; what is right is returned.
///
/// With `lenient`, names and enum values that the table does not know are warnings, and go through as they are.
pub(super) fn block(
    block: Block,
    entries: &[Entry],
    at: Place,
    lenient: bool,
    report: &mut Report<'_>,
) -> Map<String, Value> {
    let unknown = if lenient {
        Severity::Warning
    } else {
        Severity::Error
    };
    let mut converter = Converter { report, unknown };
    let (reserved, rest): (Vec<&Entry>, Vec<&Entry>) = entries
        .iter()
        .partition(|entry| block.reserved(&entry.key).is_some());
    for entry in reserved {
        converter
            .report
            .error(
                entry.at,
                format!("{} may not be given here", quoted(&entry.key)),
            )
            .label(format!("in {}", block.path()))
            .help(block.reserved(&entry.key).unwrap_or_default());
    }
    let (filled, rest): (Vec<&Entry>, Vec<&Entry>) = rest
        .into_iter()
        .partition(|entry| block.filled_in_by_aws(&entry.key));
    for entry in filled {
        converter
            .report
            .error(
                entry.at,
                format!("{} is filled in by AWS", quoted(&entry.key)),
            )
            .label(format!("in {}", block.path()))
            .help("remove it");
    }
    let root = TABLE.root(block);
    let converted = converter.structure(rest.into_iter(), root, block.path());
    // The envelope gives the operation's other required fields.
    let required = "containerDefinitions";
    if block == Block::TaskDefinition && !entries.iter().any(|entry| entry.key == required) {
        report
            .error(at, format!("`{required}` is missing"))
            .label(format!("in {}", block.path()))
            .help("a task definition has at least one container");
    }
    converted
}

struct Converter<'r, 't> {
    report: &'r mut Report<'t>,
    unknown: Severity,
}

impl Converter<'_, '_> {
    fn structure<'n>(
        &mut self,
        entries: impl Iterator<Item = &'n Entry>,
        structure: &Structure,
        path: &str,
    ) -> Map<String, Value> {
        let mut fields = Map::new();
        for Entry { key, at, value } in entries {
            let value = match structure.members.get(key) {
                Some(shape) => self.value(value, *at, shape, &format!("{path}.{key}")),
                None => {
                    let known = structure.members.keys().map(String::as_str);
                    self.report
                        .add(self.unknown, *at, format!("unknown field {}", quoted(key)))
                        .label(format!("in {path}"))
                        .suggest(key, known);
                    Some(as_written(value))
                }
            };
            fields.extend(value.map(|value| (key.clone(), value)));
        }
        fields
    }

    fn value(&mut self, node: &Node, at: Place, shape: &Shape, path: &str) -> Option<Value> {
        match (&node.kind, shape) {
            (Kind::Unresolved(text), _) => Some(Value::String(text.clone())),
            (Kind::Map(entries), Shape::Structure(name)) => {
                let structure = TABLE.structure(name);
                for required in &structure.required {
                    if !entries.iter().any(|entry| entry.key == *required) {
                        self.report
                            .error(at, format!("`{required}` is missing"))
                            .label(format!("in {path}"));
                    }
                }
                Some(Value::Object(self.structure(
                    entries.iter(),
                    structure,
                    path,
                )))
            }
            (Kind::Map(entries), Shape::Map(shape)) => {
                let mut fields = Map::new();
                for Entry { key, at, value } in entries {
                    let value = self.value(value, *at, shape, &format!("{path}.{key}"));
                    fields.extend(value.map(|value| (key.clone(), value)));
                }
                Some(Value::Object(fields))
            }
            (Kind::List(items), Shape::List(shape)) => {
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{}]", item_name(item, index));
                    values.extend(self.value(item, item.place, shape, &path));
                }
                Some(Value::Array(values))
            }
            (Kind::Scalar(scalar), _) if scalar.is_null() => {
                self.report
                    .error(at, "no value is given")
                    .label(format!("{path} expects {}", shape.what()))
                    .help("give it a value or remove the line");
                None
            }
            (Kind::Scalar(scalar), _) => self.scalar(scalar, node, shape, path),
            (Kind::List(_) | Kind::Map(_), _) => {
                self.expected(shape, node, at, path);
                None
            }
        }
    }

    fn scalar(&mut self, scalar: &Scalar, node: &Node, shape: &Shape, path: &str) -> Option<Value> {
        let text = scalar.text.as_str();
        let value = match shape {
            Shape::String => Some(Value::String(text.to_owned())),
            Shape::Integer => integer(text)
                .filter(|n| i32::try_from(*n).is_ok())
                .map(Value::from),
            Shape::Long => integer(text).map(Value::from),
            Shape::Double => text
                .parse()
                .ok()
                .and_then(Number::from_f64)
                .map(Value::Number),
            Shape::Boolean => scalar.boolean().map(Value::Bool),
            Shape::Enum(name) => {
                self.check_enum(scalar, node.place, name, path);
                Some(Value::String(text.to_owned()))
            }
            Shape::Structure(_) | Shape::List(_) | Shape::Map(_) => None,
        };
        if value.is_none() {
            self.expected(shape, node, node.place, path);
        }
        value
    }

    fn check_enum(&mut self, scalar: &Scalar, place: Place, name: &str, path: &str) {
        let Some(values) = TABLE.enums.get(name) else {
            return;
        };
        if values.contains(&scalar.text) {
            return;
        }
        let known = || values.iter().map(String::as_str);
        let note = self.report.add(
            self.unknown,
            place,
            format!("unknown value {} for {path}", scalar.shown()),
        );
        let note = match values.len() {
            0..=6 => note.label(format!("expected {}", values.join(", "))),
            _ => note,
        };
        note.suggest(&scalar.text, known());
    }

    fn expected(&mut self, shape: &Shape, node: &Node, at: Place, path: &str) {
        // A number that is none may be shown; a text, which may be long, need not be.
        let found = match (shape, &node.kind) {
            (
                Shape::Integer | Shape::Long | Shape::Double | Shape::Boolean,
                Kind::Scalar(scalar),
            ) => scalar.shown(),
            _ => node.what().to_owned(),
        };
        let note = self
            .report
            .error(at, format!("expected {}, found {found}", shape.what()))
            .label(path.to_owned());
        match (shape, &node.kind) {
            (Shape::List(_), Kind::Scalar(_) | Kind::Map(_)) => {
                note.help("write it as a list: `- …` on a line of its own, or `[…]`");
            }
            (Shape::Boolean, _) => {
                note.help("write true or false");
            }
            (Shape::Integer | Shape::Long, Kind::Scalar(_)) => {
                note.help("write a whole number in decimal digits");
            }
            _ => {}
        }
    }
}

/// Decimal digits only: a leading zero is octal to some and decimal to others.
pub(super) fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let ambiguous = digits.len() > 1 && digits.starts_with('0');
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if ambiguous || !only_digits {
        return None;
    }
    text.parse().ok()
}

/// A list item's name where it has one, as `plan` prints it too.
fn item_name(item: &Node, index: usize) -> String {
    let Kind::Map(entries) = &item.kind else {
        return index.to_string();
    };
    let name = entries
        .iter()
        .find(|entry| entry.key == "name")
        .map(|entry| &entry.value.kind);
    match name {
        Some(Kind::Scalar(scalar)) if scalar.text.len() <= 64 => scalar.text.clone(),
        _ => index.to_string(),
    }
}

/// A node of a type nobody knows, by YAML's own rules.
pub(super) fn as_written(node: &Node) -> Value {
    match &node.kind {
        Kind::Unresolved(text) => Value::String(text.clone()),
        Kind::List(items) => items.iter().map(as_written).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), as_written(&entry.value)))
            .collect(),
        Kind::Scalar(scalar) if scalar.is_null() => Value::Null,
        Kind::Scalar(scalar) if scalar.plain => match (scalar.boolean(), integer(&scalar.text)) {
            (Some(truth), _) => Value::Bool(truth),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => Value::String(scalar.text.clone()),
        },
        Kind::Scalar(scalar) => Value::String(scalar.text.clone()),
    }
}
