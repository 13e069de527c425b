//! What differs between environments: `values.yaml`, a mapping of names to what `${values.NAME}` stands for.
//!
//! A value stands in a manifest as if it had been written there: `2` may be a number or a string, as the field wants.

use std::collections::BTreeMap;

use super::{
    Diagnostic,
    diagnostic::{Report, quoted},
    node::{Kind, Node},
    yaml,
};

/// Values by name.
#[derive(Debug, Clone, Default)]
pub struct Values(pub(super) BTreeMap<String, Node>);

impl Values {
    /// Parses the text of a values file. `file` is the name that messages carry.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut report = Report::new(file, text);
        let documents = yaml::read(&mut report, text);
        let mut values = BTreeMap::new();
        for (index, document) in documents.into_iter().enumerate() {
            let place = document.place;
            match document.kind {
                Kind::Map(entries) if index == 0 => {
                    for entry in entries {
                        if !is_name(&entry.key) {
                            report
                                .error(entry.at, format!("{} is not a name", quoted(&entry.key)))
                                .help("a name has letters, digits, `_` and `-`");
                        }
                        refuse_references(&entry.value, &mut report);
                        values.insert(entry.key, entry.value);
                    }
                }
                Kind::Map(_) | Kind::List(_) | Kind::Scalar(_) | Kind::Unresolved(_) => {
                    report
                        .error(place, "a values file is one mapping of names to values")
                        .help("such as `api_tasks: 2`");
                }
            }
        }
        let diagnostics = report.finish();
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(diagnostics);
        }
        Ok(Self(values))
    }
}

fn is_name(key: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !key.is_empty() && key.chars().all(is_of_name)
}

/// Values are looked up once: what they hold is taken as it is.
fn refuse_references(node: &Node, report: &mut Report<'_>) {
    match &node.kind {
        Kind::Scalar(scalar) if scalar.text.contains("${") => {
            report
                .error(node.place, "a value cannot refer to anything")
                .help("write the reference in the manifest");
        }
        Kind::Scalar(_) | Kind::Unresolved(_) => {}
        Kind::List(items) => items
            .iter()
            .for_each(|item| refuse_references(item, report)),
        Kind::Map(entries) => entries
            .iter()
            .for_each(|entry| refuse_references(&entry.value, report)),
    }
}
