//! What is said about a manifest: one message with its place, its context and what to do.
//!
//! A [`Diagnostic`] never carries more of the file than the words of its message, so its one-line form may go to a log.
//! The picture with the source line is made elsewhere, from the text, for a person at a terminal.

use std::{fmt, ops::Range};

/// The most messages kept about one file; a file with more is broken beyond a list.
const MOST: usize = 100;

/// How many characters lie between two known byte offsets.
const STEP: usize = 256;

/// One message about a manifest file.
///
/// Its [`Display`](fmt::Display) is one line, `FILE:LINE:COLUMN: MESSAGE (LABEL); HELP`, and holds no source line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it keeps the manifest from being used.
    pub severity: Severity,
    /// The file as the person knows it.
    pub file: String,
    /// Counted from 1; 0 when the message is about the file as a whole.
    pub line: usize,
    /// Counted in characters from 1; 0 when the message is about the file as a whole.
    pub column: usize,
    /// The bytes of the file's text that the message is about.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// Where in the manifest, or what was found.
    pub label: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The manifest is not used.
    Error,
    /// The manifest is used; somebody should look.
    Warning,
    /// Good to know.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

impl Diagnostic {
    /// An error about a file as a whole.
    #[must_use]
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: 0,
            column: 0,
            span: None,
            message: message.into(),
            label: None,
            help: None,
        }
    }

    /// Whether it keeps the manifest from being used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(label) = &self.label {
            write!(f, " ({label})")?;
        }
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

/// A stretch of a file's text. Characters, not bytes, so that it survives the protection of references (see `yaml`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: usize,
    /// From 1.
    pub(super) column: usize,
    /// The first character's index.
    pub(super) start: usize,
    /// The index after the last character.
    pub(super) end: usize,
}

/// The messages about one file, as they are found.
#[derive(Debug)]
pub(super) struct Report<'t> {
    file: &'t str,
    text: &'t str,
    /// The byte at which every `STEP`th character begins.
    steps: Vec<usize>,
    found: Vec<Diagnostic>,
    untold: usize,
}

impl<'t> Report<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self {
            file,
            text,
            steps: text
                .char_indices()
                .step_by(STEP)
                .map(|(at, _)| at)
                .collect(),
            found: Vec::new(),
            untold: 0,
        }
    }

    pub(super) fn file(&self) -> &'t str {
        self.file
    }

    /// The source of a stretch, as written.
    pub(super) fn source(&self, place: Place) -> &'t str {
        self.text.get(self.bytes(place)).unwrap_or_default()
    }

    pub(super) fn error(&mut self, place: Place, message: impl Into<String>) -> Note<'_> {
        self.add(Severity::Error, place, message.into())
    }

    pub(super) fn warning(&mut self, place: Place, message: impl Into<String>) -> Note<'_> {
        self.add(Severity::Warning, place, message.into())
    }

    pub(super) fn add(&mut self, severity: Severity, place: Place, message: String) -> Note<'_> {
        if self.is_full() {
            self.untold += 1;
            return Note(None);
        }
        let diagnostic = Diagnostic {
            severity,
            line: place.line,
            column: place.column,
            span: Some(self.bytes(place)),
            ..Diagnostic::of_file(self.file, message)
        };
        self.found.push(diagnostic);
        Note(self.found.last_mut())
    }

    pub(super) fn add_whole(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Whether further messages are only counted, and finding out more about them is in vain.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MOST
    }

    pub(super) fn has_errors(&self) -> bool {
        self.found.iter().any(Diagnostic::is_error)
    }

    /// Everything found, in the file's order.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|d| (d.line, d.column));
        if self.untold > 0 {
            let message = format!("{} more messages are not shown", self.untold);
            self.found.push(Diagnostic::of_file(self.file, message));
        }
        self.found
    }

    fn bytes(&self, place: Place) -> Range<usize> {
        self.byte(place.start)..self.byte(place.end.max(place.start))
    }

    /// The byte at which a character begins.
    fn byte(&self, character: usize) -> usize {
        let near = self.steps.get(character / STEP).copied();
        let near = near.unwrap_or(self.text.len());
        let rest = self.text.get(near..).unwrap_or_default();
        let mut starts = rest.char_indices().map(|(at, _)| near + at);
        starts.nth(character % STEP).unwrap_or(self.text.len())
    }
}

/// The message just added, to be completed.
pub(super) struct Note<'r>(Option<&'r mut Diagnostic>);

impl Note<'_> {
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        if let Some(diagnostic) = &mut self.0 {
            diagnostic.label = Some(label.into());
        }
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        if let Some(diagnostic) = &mut self.0 {
            diagnostic.help = Some(help.into());
        }
        self
    }

    /// "did you mean", where one of the known words is near enough.
    pub(super) fn suggest<'w>(self, word: &str, known: impl IntoIterator<Item = &'w str>) -> Self {
        match self.0.as_ref().and_then(|_| nearest(word, known)) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

/// The known word nearest to a misspelt one, if any is near enough to be meant.
pub(super) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    /// Beyond this a word is not a name, and comparing it costs time for nothing.
    const LONGEST: usize = 128;
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let likeness = strsim::jaro_winkler(&lower, &candidate.to_lowercase());
            (likeness, candidate)
        })
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// A word of the file, as it may be repeated in a message: short, and nothing in it can act on a terminal or a log.
pub(super) fn quoted(word: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = word
        .chars()
        .take(LONGEST)
        .flat_map(|character| {
            let harmless = !character.is_control() && !is_format(character);
            let plain = harmless.then_some(character);
            let escaped = (!harmless).then(|| character.escape_unicode());
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect();
    if word.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// Characters that reorder or hide text (Unicode Bidi controls, zero-width characters).
fn is_format(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
