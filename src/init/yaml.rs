//! YAML as a person would write it: what is small stands on one line, and what might be taken for something else is
//! quoted.

use std::fmt::Write as _;

use serde_json::Value;

/// How long a line may get before what is on it gets lines of its own.
const LINE: usize = 100;
/// Words that one YAML or another takes for something else than text.
const NOT_TEXT: [&str; 10] = [
    "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan",
];

/// A mapping as a YAML document.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let _ = write!(out, "{:indent$}{}:", "", scalar(key, false));
                below(value, indent, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                let _ = write!(out, "{:indent$}-", "");
                match on_one_line(item, indent) {
                    Some(line) => {
                        let _ = writeln!(out, " {line}");
                    }
                    None => {
                        // The first field stands beside the dash, in the column of the others.
                        let mut inner = String::new();
                        block(item, indent + 2, &mut inner);
                        let _ = write!(out, " {}", inner.trim_start_matches(' '));
                    }
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let _ = writeln!(out, "{:indent$}{}", "", flow(value));
        }
    }
}

fn below(value: &Value, indent: usize, out: &mut String) {
    // What has a name of its own gets lines of its own: they are what people edit.
    let line = on_one_line(value, indent).filter(|line| !value.is_object() || line == "{}");
    match line {
        Some(line) => {
            let _ = writeln!(out, " {line}");
        }
        None => {
            out.push('\n');
            block(value, indent + 2, out);
        }
    }
}

/// A scalar; or what holds only scalars, when it is short. Null is the empty value here, and is never written.
fn on_one_line(value: &Value, indent: usize) -> Option<String> {
    let is_scalar = |value: &Value| !value.is_array() && !value.is_object();
    match value {
        Value::String(text) => return Some(scalar(text, false)),
        Value::Null | Value::Bool(_) | Value::Number(_) => return Some(flow(value)),
        Value::Array(items) if !items.iter().all(is_scalar) => return None,
        Value::Object(fields) if !fields.values().all(is_scalar) => return None,
        Value::Array(_) | Value::Object(_) => {}
    }
    let is_empty = value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(|fields| fields.is_empty());
    let line = flow(value);
    (is_empty || indent + line.chars().count() <= LINE).then_some(line)
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text, true),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|(key, value)| format!("{}: {}", scalar(key, true), flow(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Text as it is where it cannot be taken for anything else, or else in double quotes.
fn scalar(text: &str, in_flow: bool) -> String {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let also = if in_flow { "-_./@+" } else { "-_./@+:=" };
    let is_word = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || also.contains(c));
    let is_text = !NOT_TEXT.contains(&text.to_lowercase().as_str());
    // A reference of ours is no mapping, and is read as text where it is the whole value.
    let is_reference = text == "${image}" && !in_flow;
    if is_reference || (begins && is_word && is_text && !text.ends_with(':')) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Invisible, or taken for an end of the line by some.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
