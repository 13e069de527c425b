//! A diagnostic with the source line it is about, for a person at a terminal. Never for a log: it shows the file.

use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer, Snippet, renderer::DecorStyle,
};

use super::{Diagnostic, Severity};

/// A longer line is no help to look at, and slow to draw.
const LONGEST_LINE: usize = 1_000;

/// Draws a diagnostic. `text` is the file's text, `None` where it could not be read.
#[must_use]
pub fn picture(diagnostic: &Diagnostic, text: Option<&str>, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(&diagnostic.message);
    let annotated = match (&diagnostic.span, text) {
        (Some(span), Some(text)) => first_line(text, span.start, span.end),
        _ => None,
    };
    let group = match annotated {
        Some((line, start, end)) => {
            let mut annotation = AnnotationKind::Primary.span(start..end);
            if let Some(label) = &diagnostic.label {
                annotation = annotation.label(label);
            }
            let snippet = Snippet::source(line)
                .line_start(diagnostic.line)
                .path(&diagnostic.file);
            title.element(snippet.annotation(annotation))
        }
        None => {
            let mut origin = Origin::path(&diagnostic.file);
            if diagnostic.line > 0 {
                origin = origin.line(diagnostic.line).char_column(diagnostic.column);
            }
            let group = title.element(origin);
            match &diagnostic.label {
                Some(label) => group.element(Level::NOTE.message(label)),
                None => group,
            }
        }
    };
    let group: Group<'_> = match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help)),
        None => group,
    };
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.decor_style(DecorStyle::Ascii).render(&[group])
}

/// The line a span begins on, and the span within it, cut at the line's end and at least one character wide.
fn first_line(text: &str, start: usize, end: usize) -> Option<(&str, usize, usize)> {
    let (before, after) = text.split_at_checked(start)?;
    let from = before.rfind('\n').map_or(0, |newline| newline + 1);
    let to = start + after.find('\n').unwrap_or(after.len());
    let line = text.get(from..to)?.trim_end_matches('\r');
    if line.len() > LONGEST_LINE {
        return None;
    }
    let width = after.chars().next().map_or(1, char::len_utf8);
    let end = end.max(start + width).min(from + line.len()).max(start);
    Some((line, start - from, end - from))
}
