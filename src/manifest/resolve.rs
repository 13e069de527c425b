//! Puts in what references stand for. What cannot be put in is reported, at the reference's own place.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    diagnostic::{Place, Report, Severity, nearest, quoted},
    node::{Entry, Kind, Node, Scalar},
    references::{Output, References},
    standing::{from_json, plain, standing_in, text_of},
};

/// How `${image}` and `$${` are taken in a part of the manifest.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// `spec.image` itself, which cannot refer to itself.
    Image,
    /// `spec.taskDefinition`: a template. The image's references and `$${` stay, and are replaced when it is rendered.
    Template {
        /// Whether there is a `spec.image`.
        has_image: bool,
    },
    /// Everything else: only the tag is known.
    Text {
        /// `spec.image.tag`.
        tag: Option<&'a str>,
    },
}

/// What resolving one file has cost so far.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// References left as they are because Terraform's outputs are not known.
    left: usize,
    /// Bytes put in place of references.
    bytes: usize,
}

/// The most that references may add to a file: a short name may stand for a long value, many times over.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Replaces every reference below a node.
pub(super) fn resolve(
    node: &mut Node,
    scope: Scope<'_>,
    references: &References,
    spent: &mut Spent,
    report: &mut Report<'_>,
) {
    match &mut node.kind {
        Kind::List(items) => items
            .iter_mut()
            .for_each(|item| resolve(item, scope, references, spent, report)),
        Kind::Map(entries) => entries
            .iter_mut()
            .for_each(|Entry { value, .. }| resolve(value, scope, references, spent, report)),
        Kind::Unresolved(_) => {}
        Kind::Scalar(scalar) if !scalar.text.contains("${") => {}
        Kind::Scalar(scalar) => {
            let mut resolver = Resolver {
                scope,
                references,
                report,
                place: node.place,
                seen: BTreeMap::new(),
                spent,
            };
            node.kind = resolver.scalar(scalar);
        }
    }
}

struct Resolver<'s, 'r, 't> {
    scope: Scope<'s>,
    references: &'s References,
    report: &'r mut Report<'t>,
    place: Place,
    /// How often each reference came up in this scalar, to find its own place.
    seen: BTreeMap<String, usize>,
    spent: &'r mut Spent,
}

/// What one reference stands for.
enum Meaning {
    Value(Value),
    /// As if it had been written here.
    Node(Node),
    /// Kept as it is, for the template.
    Kept(String),
    /// Not known here.
    Unresolved(String),
    /// Wrong, and reported.
    Wrong,
}

impl Resolver<'_, '_, '_> {
    fn scalar(&mut self, scalar: &Scalar) -> Kind {
        let written = scalar.text.clone();
        if let Some(name) = whole(&written) {
            return match self.meaning(name) {
                Meaning::Value(value) => {
                    let template = matches!(self.scope, Scope::Template { .. });
                    from_json(value, self.place, &written, template)
                }
                Meaning::Node(node) => standing_in(&node, self.place, &written).kind,
                Meaning::Kept(text) => text_of(text, written),
                Meaning::Unresolved(text) => Kind::Unresolved(text),
                // Whatever was meant, what depends on it must not complain as well.
                Meaning::Wrong => Kind::Unresolved(written),
            };
        }
        let template = matches!(self.scope, Scope::Template { .. });
        let mut text = String::with_capacity(written.len());
        let mut rest = written.as_str();
        let mut unknown = false;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                text.push_str(before);
                text.push_str(if template { "$${" } else { "${" });
                rest = after;
                continue;
            }
            text.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                self.report
                    .error(self.place, "a reference is not closed: `${` without `}`")
                    .help("write `$${` for a literal `${`");
                return Kind::Unresolved(written);
            };
            rest = after;
            match self.meaning(name.trim()) {
                Meaning::Value(value) => match plain(&value) {
                    Some(value) if template => text.push_str(&value.replace("${", "$${")),
                    Some(value) => text.push_str(&value),
                    None => self.not_text(name.trim()),
                },
                Meaning::Node(node) => match node.kind {
                    Kind::Scalar(scalar) => text.push_str(&scalar.text),
                    Kind::List(_) | Kind::Map(_) | Kind::Unresolved(_) => {
                        self.not_text(name.trim());
                    }
                },
                Meaning::Kept(kept) => text.push_str(&kept),
                Meaning::Unresolved(kept) => {
                    unknown = true;
                    text.push_str(&kept);
                }
                Meaning::Wrong => unknown = true,
            }
        }
        text.push_str(rest);
        match unknown {
            true => Kind::Unresolved(text),
            false => text_of(text, written),
        }
    }

    fn meaning(&mut self, name: &str) -> Meaning {
        *self.seen.entry(name.to_owned()).or_default() += 1;
        match name.split_once('.') {
            Some(("terraform", output)) => self.terraform(name, output),
            Some(("values", value)) => self.value_of_file(name, value),
            Some(("env", variable)) => self.env(name, variable),
            None if name == "image" => self.image(),
            Some(("image", "tag")) => self.image_tag(),
            _ => {
                let place = self.place_of(name);
                self.report
                    .error(place, format!("unknown reference {}", reference(name)))
                    .label("there are ${terraform.NAME}, ${values.NAME}, ${env.NAME}, ${image} and ${image.tag}")
                    .help("write `$${` for a literal `${`");
                Meaning::Wrong
            }
        }
    }

    fn terraform(&mut self, name: &str, output: &str) -> Meaning {
        let Some(outputs) = &self.references.terraform else {
            self.spent.left += 1;
            return Meaning::Unresolved(format!("${{{name}}}"));
        };
        match outputs.get(output) {
            Some(Output {
                sensitive: true, ..
            }) => {
                let place = self.place_of(name);
                self.report
                    .error(place, format!("{} is a sensitive Terraform output", reference(name)))
                    .help("a manifest names a secret by its ARN: refer to an output that holds the ARN");
                Meaning::Wrong
            }
            Some(Output { value, .. }) => self.value(value, name),
            None => {
                let known = outputs.keys().map(String::as_str);
                let otherwise = match outputs.is_empty() {
                    true => {
                        "give the outputs with --terraform-outputs FILE (`terraform output -json`)"
                    }
                    false => {
                        "name an output that there is, or add it to the Terraform configuration and apply that"
                    }
                };
                self.unknown(name, "no such Terraform output", otherwise, known)
            }
        }
    }

    fn env(&mut self, name: &str, variable: &str) -> Meaning {
        let Some(env) = &self.references.env else {
            return Meaning::Unresolved(format!("${{{name}}}"));
        };
        match env.get(variable) {
            Some(value) => self.value(&Value::String(value.clone()), name),
            None => {
                let known = env.keys().map(String::as_str);
                let otherwise = "set it where evenkeel runs";
                self.unknown(name, "no such environment variable", otherwise, known)
            }
        }
    }

    fn value_of_file(&mut self, name: &str, value: &str) -> Meaning {
        let values = &self.references.values.0;
        match values.get(value) {
            Some(node) if self.has_room(node.bytes(), name) => Meaning::Node(node.clone()),
            Some(_) => Meaning::Wrong,
            None => {
                let known = values.keys().map(String::as_str);
                let otherwise = "add it to the values file: values.yaml, or what --values names";
                self.unknown(name, "no such value", otherwise, known)
            }
        }
    }

    fn value(&mut self, value: &Value, name: &str) -> Meaning {
        if self.has_room(value.to_string().len(), name) {
            Meaning::Value(value.clone())
        } else {
            Meaning::Wrong
        }
    }

    /// Whether so many bytes more may be put in place of references. The first that may not are reported.
    fn has_room(&mut self, bytes: usize, name: &str) -> bool {
        if self.spent.bytes > MAX_BYTES {
            return false;
        }
        self.spent.bytes += bytes;
        if self.spent.bytes > MAX_BYTES {
            let place = self.place_of(name);
            self.report
                .error(
                    place,
                    format!("references add more than {MAX_BYTES} bytes to this file"),
                )
                .help("split the file");
            return false;
        }
        true
    }

    fn image(&mut self) -> Meaning {
        let (message, help) = match self.scope {
            Scope::Template { has_image: true } => return Meaning::Kept("${image}".to_owned()),
            Scope::Template { has_image: false } => NO_IMAGE,
            Scope::Image => OF_ITSELF,
            Scope::Text { .. } => (
                "`${image}` is known only within spec.taskDefinition",
                "elsewhere there is `${image.tag}`",
            ),
        };
        self.wrong("image", message, help)
    }

    fn image_tag(&mut self) -> Meaning {
        let (message, help) = match self.scope {
            Scope::Template { has_image: true } => {
                return Meaning::Kept("${image.tag}".to_owned());
            }
            Scope::Text { tag: Some(tag) } => return Meaning::Value(Value::String(tag.to_owned())),
            Scope::Template { has_image: false } | Scope::Text { tag: None } => NO_IMAGE,
            Scope::Image => OF_ITSELF,
        };
        self.wrong("image.tag", message, help)
    }

    fn wrong(&mut self, name: &str, message: &str, help: &str) -> Meaning {
        let place = self.place_of(name);
        self.report.error(place, message).help(help);
        Meaning::Wrong
    }

    fn not_text(&mut self, name: &str) {
        let place = self.place_of(name);
        self.report
            .error(
                place,
                format!("{} is not one value that text can contain", reference(name)),
            )
            .help("let the reference be the whole value");
    }

    /// Reports a name that there is not; `otherwise` is the help where no known name is near.
    fn unknown<'k>(
        &mut self,
        name: &str,
        why: &str,
        otherwise: &str,
        known: impl Iterator<Item = &'k str>,
    ) -> Meaning {
        let place = self.place_of(name);
        let (space, word) = name.split_once('.').unwrap_or(("", name));
        let near = (!self.report.is_full())
            .then(|| nearest(word, known))
            .flatten();
        let note = self
            .report
            .error(place, format!("unknown reference {}", reference(name)))
            .label(why.to_owned());
        match near {
            Some(near) => note.help(format!("did you mean `${{{space}.{near}}}`?")),
            None => note.help(otherwise),
        };
        Meaning::Wrong
    }

    /// The reference's own place, where it can be found in the source as it stands; the scalar's otherwise.
    fn place_of(&self, name: &str) -> Place {
        if self.report.is_full() {
            return self.place;
        }
        let source = self.report.source(self.place);
        let nth = self.seen.get(name).map_or(0, |count| count - 1);
        let needle = format!("${{{name}}}");
        let found = source.match_indices(&needle).nth(nth);
        let Some((before, after)) = found.and_then(|(at, _)| source.split_at_checked(at)) else {
            return self.place;
        };
        debug_assert!(after.starts_with(&needle), "found above");
        let skipped = before.chars().count();
        let lines = before.matches('\n').count();
        let in_line = before.rsplit('\n').next().unwrap_or(before).chars().count();
        let start = self.place.start + skipped;
        Place {
            line: self.place.line + lines,
            column: if lines == 0 {
                self.place.column + in_line
            } else {
                in_line + 1
            },
            start,
            end: start + needle.chars().count(),
        }
    }
}

const NO_IMAGE: (&str, &str) = (
    "`${image}` is used and there is no spec.image",
    "add spec.image with a repository and a tag",
);
const OF_ITSELF: (&str, &str) = (
    "spec.image cannot refer to itself",
    "write the repository and the tag out",
);

fn reference(name: &str) -> String {
    quoted(&format!("${{{name}}}"))
}

/// The name, where the text is one reference and nothing else.
fn whole(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix("${")?.strip_suffix('}')?;
    (!name.contains(['{', '}'])).then(|| name.trim())
}

/// Notes, once a file, that references were left as they are.
pub(super) fn note_unresolved(spent: &Spent, place: Place, report: &mut Report<'_>) {
    let left = spent.left;
    if left > 0 {
        let what = if left == 1 { "reference" } else { "references" };
        let were = if left == 1 { "was" } else { "were" };
        let message = format!("{left} {what} to Terraform outputs {were} not checked");
        report
            .add(Severity::Note, place, message)
            .help("give the outputs with --terraform-outputs FILE (`terraform output -json`)");
    }
}
