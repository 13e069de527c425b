//! Text to a tree in which everything knows its place: YAML without the guessing.
//!
//! Scalars keep their text as written (`1.10` is not a number until somebody asks for one), anchors and merge keys are
//! expanded here, and nothing that is read can grow beyond fixed bounds. Built on the event parser of the YAML crate.
//!
//! A reference like `${terraform.NAME}` may stand unquoted inside `[…]` and `{…}`, where YAML would take its braces for
//! a mapping. Its braces are replaced, one character for one, while YAML is read, and put back in the scalars.

use std::{borrow::Cow, collections::HashMap};

use serde_yaml::granit_parser::{
    self, Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag,
};

use super::{
    diagnostic::{Diagnostic, Place, Report, quoted},
    node::{Entry, Kind, Node, Scalar},
};

/// The largest file read.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The most nodes in a file, after anchors are expanded.
const MAX_NODES: usize = 100_000;
/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// The most documents in a file.
const MAX_DOCUMENTS: usize = 1_000;

/// Stands for `{` of a reference while YAML is read; a file that has one of its own is refused.
const OPEN: char = '\u{e000}';
/// Stands for `}` of a reference.
const CLOSE: char = '\u{e001}';

/// Reads the documents of a text. Empty ones are left out.
///
/// Every duplicate key is reported; the first error of syntax ends the reading, what was complete before it is returned.
pub(super) fn read(report: &mut Report<'_>, text: &str) -> Vec<Node> {
    if let Some(refusal) = refused(report, text) {
        report.add_whole(refusal);
        return Vec::new();
    }
    let protected = protect(text);
    let mut options = granit_parser::Options::default();
    options.emit_comments = false;
    options.block_nesting_limit = MAX_DEPTH;
    options.flow_nesting_limit = MAX_DEPTH;
    let mut builder = Builder {
        parser: Parser::new_from_str_with_options(&protected, options),
        report,
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut documents = Vec::new();
    if let Err(Stop { place, message }) = builder.documents(&mut documents) {
        report.error(place, message);
    }
    documents
}

/// What is refused before YAML looks at it.
fn refused(report: &Report<'_>, text: &str) -> Option<Diagnostic> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, more than {MAX_BYTES}", text.len());
        return Some(
            Diagnostic::of_file(report.file(), message)
                .help("split it into several files; a file may hold 1 MiB"),
        );
    }
    let (mut line, mut column) = (1, 1);
    for (at, character) in text.char_indices() {
        let control = match character {
            // Alone it ends a line of YAML's, and of few editors': messages would name another line than people see.
            '\r' => !text.get(at..).is_some_and(|rest| rest.starts_with("\r\n")),
            '\n' | '\t' | '\u{85}' => false,
            _ => character.is_control(),
        };
        if control || character == OPEN || character == CLOSE {
            let message = format!("the character U+{:04X} may not be here", character as u32);
            return Some(Diagnostic {
                line,
                column,
                span: Some(at..at + character.len_utf8()),
                help: Some(
                    "remove it; inside double quotes YAML has escapes such as \\x00".to_owned(),
                ),
                ..Diagnostic::of_file(report.file(), message)
            });
        }
        if character == '\n' {
            (line, column) = (line + 1, 1);
        } else {
            column += 1;
        }
    }
    None
}

/// Replaces the braces of every `${name.name}`, so that YAML reads it as text everywhere.
fn protect(text: &str) -> String {
    let mut protected = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        protected.push_str(before);
        let name = after.find(|c: char| !(c.is_ascii_alphanumeric() || "_.- ".contains(c)));
        match name.and_then(|end| Some((after.get(..end)?, after.get(end..)?.strip_prefix('}')?))) {
            Some((name, after)) => {
                protected.extend(['$', OPEN]);
                protected.push_str(name);
                protected.push(CLOSE);
                rest = after;
            }
            None => {
                protected.push_str("${");
                rest = after;
            }
        }
    }
    protected.push_str(rest);
    protected
}

fn restore(text: Cow<'_, str>) -> String {
    if text.contains([OPEN, CLOSE]) {
        text.replace(OPEN, "{").replace(CLOSE, "}")
    } else {
        text.into_owned()
    }
}

/// Why the reading ended.
struct Stop {
    place: Place,
    message: String,
}

impl From<ScanError> for Stop {
    fn from(error: ScanError) -> Self {
        Self {
            place: point(*error.marker()),
            message: format!("not YAML: {}", restore(error.info().into())),
        }
    }
}

fn point(marker: Marker) -> Place {
    Place {
        line: marker.line(),
        column: marker.col() + 1,
        start: marker.index(),
        end: marker.index() + 1,
    }
}

fn place(span: Span) -> Place {
    Place {
        end: span.end.index(),
        ..point(span.start)
    }
}

struct Builder<'p, 'r, 't> {
    parser: Parser<'p, StrInput<'p>>,
    report: &'r mut Report<'t>,
    /// What each anchor stands for, with its size; absent while the anchor's own node is still being read.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'p> Builder<'p, '_, '_> {
    fn documents(&mut self, documents: &mut Vec<Node>) -> Result<(), Stop> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(..), span) => {
                    if documents.len() == MAX_DOCUMENTS {
                        let message = format!("a file may hold {MAX_DOCUMENTS} documents");
                        return Err(Stop {
                            place: place(span),
                            message,
                        });
                    }
                    let (event, span) = self.next()?;
                    let node = self.node(event, span, 0)?;
                    if !matches!(&node.kind, Kind::Scalar(scalar) if scalar.is_null()) {
                        documents.push(node);
                    }
                    self.anchors.clear();
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'p>, Span), Stop> {
        match self.parser.next_event() {
            Some(next) => Ok(next?),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the parser's events are not ours, and may become more"
    )]
    fn node(&mut self, event: Event<'p>, span: Span, depth: usize) -> Result<Node, Stop> {
        let here = place(span);
        let stop = |message: String| {
            Err(Stop {
                place: here,
                message,
            })
        };
        if depth > MAX_DEPTH {
            return stop(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.grow(here, 1)?;
        let (anchor, kind) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !is_string(tag.as_deref());
                self.refuse_tag(span, tag.as_deref());
                // The parser spells an empty value `~`; its span is empty.
                let text = match here.start == here.end && plain {
                    true => String::new(),
                    false => restore(text),
                };
                let scalar = Scalar {
                    text,
                    plain,
                    written: None,
                };
                (anchor, Kind::Scalar(scalar))
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(span, tag.as_deref());
                (anchor, Kind::List(self.list(depth)?))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(span, tag.as_deref());
                (anchor, Kind::Map(self.map(depth)?))
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return stop("an anchor may not contain itself".to_owned());
                };
                let (node, size) = (node.clone(), *size);
                self.grow(here, size)?;
                return Ok(node);
            }
            _ => return stop("not YAML: a value was expected here".to_owned()),
        };
        let node = Node { place: here, kind };
        if anchor > 0 {
            let size = node.size();
            self.grow(here, size)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd | Event::StreamEnd) {
                return Ok(items);
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                break;
            }
            let key = self.node(event, span, depth + 1)?;
            let at = key.place;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let Kind::Scalar(Scalar {
                text: key, plain, ..
            }) = key.kind
            else {
                self.report.error(at, "a key must be a plain word");
                continue;
            };
            if plain && key == "<<" {
                merged.push((at, value));
            } else if let Some(first) = seen.get(&key) {
                self.report
                    .error(at, format!("duplicate key {}", quoted(&key)))
                    .label(format!("already given on line {first}"))
                    .help("keep one of them");
            } else {
                seen.insert(key.clone(), at.line);
                entries.push(Entry { key, at, value });
            }
        }
        for (at, value) in merged {
            self.merge(&mut entries, at, value);
        }
        Ok(entries)
    }

    /// `<<`: the entries of one mapping or of several, earlier ones first, where the key is not given yet.
    fn merge(&mut self, entries: &mut Vec<Entry>, at: Place, value: Node) {
        let sources = match value.kind {
            Kind::List(items) => items,
            Kind::Map(_) | Kind::Scalar(_) | Kind::Unresolved(_) => vec![value],
        };
        let mut have: std::collections::HashSet<String> =
            entries.iter().map(|entry| entry.key.clone()).collect();
        for source in sources {
            let Kind::Map(more) = source.kind else {
                self.report
                    .error(at, "`<<` merges mappings only")
                    .help("give it an alias of a mapping, like `<<: *defaults`");
                continue;
            };
            entries.extend(
                more.into_iter()
                    .filter(|entry| have.insert(entry.key.clone())),
            );
        }
    }

    fn grow(&mut self, place: Place, by: usize) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(by);
        if self.nodes > MAX_NODES {
            let message =
                format!("more than {MAX_NODES} values in one file, with its anchors expanded");
            return Err(Stop { place, message });
        }
        Ok(())
    }

    fn refuse_tag(&mut self, span: Span, tag: Option<&Tag>) {
        if let Some(tag) = tag.filter(|tag| !is_string(Some(tag)) && !is_harmless(tag)) {
            let place = place(span.tag_span().unwrap_or(span));
            self.report
                .error(
                    place,
                    format!("the tag {} is not supported", quoted(&tag.original())),
                )
                .help("remove it");
        }
    }
}

fn is_string(tag: Option<&Tag>) -> bool {
    tag.is_some_and(|tag| tag.core_suffix() == Some("str"))
}

fn is_harmless(tag: &Tag) -> bool {
    matches!(tag.core_suffix(), Some("map" | "seq"))
}
