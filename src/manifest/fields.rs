//! Reading a mapping field by field: what is asked for is known, everything else is a mistake.

use std::time::Duration;

use super::{
    convert,
    diagnostic::{Place, Report, quoted},
    duration,
    node::{Entry, Kind, Node, Scalar},
};

/// A mapping of the envelope being read. [`Fields::finish`] reports every field that was not asked for.
pub(super) struct Fields<'n> {
    /// Where the mapping is, as a message says it: `spec.image`. Empty for the document.
    pub(super) path: String,
    /// The key that holds the mapping: where something missing is reported.
    pub(super) at: Place,
    entries: &'n [Entry],
    asked: Vec<&'static str>,
}

/// One field that was found.
#[derive(Clone, Copy)]
pub(super) struct Field<'n> {
    pub(super) name: &'static str,
    pub(super) at: Place,
    pub(super) node: &'n Node,
}

impl<'n> Fields<'n> {
    /// `None`, reported, where the node is not a mapping.
    pub(super) fn of(
        node: &'n Node,
        at: Place,
        path: impl Into<String>,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let path = path.into();
        match &node.kind {
            Kind::Map(entries) => Some(Self {
                path,
                at,
                entries,
                asked: Vec::new(),
            }),
            Kind::Unresolved(_) => None,
            Kind::Scalar(_) | Kind::List(_) => {
                let place = if matches!(node.kind, Kind::Scalar(_)) && !is_null(node) {
                    node.place
                } else {
                    at
                };
                report
                    .error(place, format!("expected a mapping, found {}", node.what()))
                    .label(if path.is_empty() {
                        "the document".to_owned()
                    } else {
                        path
                    });
                None
            }
        }
    }

    pub(super) fn take(&mut self, name: &'static str) -> Option<Field<'n>> {
        self.asked.push(name);
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        Some(Field {
            name,
            at: entry.at,
            node: &entry.value,
        })
    }

    pub(super) fn require(
        &mut self,
        name: &'static str,
        report: &mut Report<'_>,
    ) -> Option<Field<'n>> {
        let found = self.take(name);
        if found.is_none() {
            let note = report.error(self.at, format!("`{name}` is missing"));
            if !self.path.is_empty() {
                note.label(format!("in {}", self.path));
            }
        }
        found
    }

    /// A mapping below this one.
    pub(super) fn inner(&self, field: Field<'n>, report: &mut Report<'_>) -> Option<Fields<'n>> {
        Fields::of(field.node, field.at, self.path_of(field.name), report)
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    /// Reports every field that was not asked for.
    pub(super) fn finish(self, report: &mut Report<'_>) {
        for Entry { key, at, .. } in self.entries {
            if !self.asked.contains(&key.as_str()) {
                let note = report.error(*at, format!("unknown field {}", quoted(key)));
                let note = match self.path.as_str() {
                    "" => note,
                    path => note.label(format!("in {path}")),
                };
                note.suggest(key, self.asked.iter().copied());
            }
        }
    }
}

fn is_null(node: &Node) -> bool {
    matches!(&node.kind, Kind::Scalar(scalar) if scalar.is_null())
}

/// Typed reading of one field. `None` means that it was reported, or that it is a reference left unresolved.
impl<'n> Field<'n> {
    /// Where the value is wrong: the value itself, or the key where there is no such place.
    pub(super) fn place(&self) -> Place {
        match &self.node.kind {
            Kind::Scalar(scalar) if !scalar.is_null() => self.node.place,
            Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) | Kind::Unresolved(_) => self.at,
        }
    }

    /// The text of a scalar. Numbers stand as written: `1.10` is `1.10`.
    pub(super) fn text(&self, report: &mut Report<'_>) -> Option<String> {
        match &self.node.kind {
            Kind::Unresolved(text) => Some(text.clone()),
            Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => self
                .scalar("a string", report)
                .map(|scalar| scalar.text.clone()),
        }
    }

    pub(super) fn boolean(&self, report: &mut Report<'_>) -> Option<bool> {
        let scalar = self.scalar("true or false", report)?;
        let truth = scalar.boolean();
        if truth.is_none() {
            self.expected("true or false", report);
        }
        truth
    }

    pub(super) fn number(
        &self,
        bounds: std::ops::RangeInclusive<u32>,
        report: &mut Report<'_>,
    ) -> Option<u32> {
        let scalar = self.scalar("a whole number", report)?;
        let number = convert::integer(&scalar.text).and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            let what = format!("a whole number from {} to {}", bounds.start(), bounds.end());
            self.expected(&what, report);
        }
        number
    }

    /// A duration of at least a second and at most thirty days.
    pub(super) fn duration(&self, report: &mut Report<'_>) -> Option<Duration> {
        const LONGEST: Duration = Duration::from_secs(30 * 86_400);
        let what = "a duration like 90s, 15m or 2h";
        let scalar = self.scalar(what, report)?;
        let duration = duration::parse(&scalar.text);
        let duration = duration.filter(|d| (Duration::from_secs(1)..=LONGEST).contains(d));
        if duration.is_none() {
            report
                .error(
                    self.node.place,
                    format!("expected {what}, found {}", scalar.shown()),
                )
                .label(format!("`{}` takes from 1s to 30d", self.name));
        }
        duration
    }

    /// One word of a few.
    pub(super) fn choice<T: Copy>(
        &self,
        choices: &[(&str, T)],
        report: &mut Report<'_>,
    ) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let scalar = self.scalar(&words.join(" or "), report)?;
        let chosen = choices.iter().find(|(word, _)| *word == scalar.text);
        if chosen.is_none() {
            report
                .error(self.node.place, format!("unknown value {}", scalar.shown()))
                .label(format!("`{}` is {}", self.name, words.join(" or ")))
                .suggest(&scalar.text, words.iter().copied());
        }
        chosen.map(|(_, value)| *value)
    }

    pub(super) fn list(&self, report: &mut Report<'_>) -> &'n [Node] {
        match &self.node.kind {
            Kind::List(items) => items,
            Kind::Unresolved(_) => &[],
            Kind::Scalar(_) | Kind::Map(_) => {
                self.expected("a list", report);
                &[]
            }
        }
    }

    pub(super) fn scalar(&self, what: &str, report: &mut Report<'_>) -> Option<&'n Scalar> {
        match &self.node.kind {
            Kind::Scalar(scalar) if !scalar.is_null() => Some(scalar),
            Kind::Unresolved(_) => None,
            Kind::Scalar(_) => {
                report
                    .error(self.at, "no value is given")
                    .label(format!("`{}` expects {what}", self.name))
                    .help("give it a value or remove the line");
                None
            }
            Kind::List(_) | Kind::Map(_) => {
                self.expected(what, report);
                None
            }
        }
    }

    fn expected(&self, what: &str, report: &mut Report<'_>) {
        let found = match &self.node.kind {
            Kind::Scalar(scalar) => scalar.shown(),
            Kind::List(_) | Kind::Map(_) | Kind::Unresolved(_) => self.node.what().to_owned(),
        };
        report
            .error(self.place(), format!("expected {what}, found {found}"))
            .label(format!("for `{}`", self.name));
    }
}
