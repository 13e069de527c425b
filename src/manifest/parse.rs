//! One file: its text to its manifests, or to everything that is wrong with it.

use super::{
    Diagnostic, Manifest, References,
    decode::{self, Context, Decoded},
    diagnostic::Report,
    resolve::{self, Spent},
    yaml,
};

/// How strictly manifests are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Names and enum values that the ECS table does not know are warnings instead of errors, so that what is newer than
    /// the table can be used at once.
    pub allow_unknown_ecs_fields: bool,
}

/// A service that a file names, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) cluster: Option<String>,
    pub(super) name: Option<String>,
}

/// What came of one file.
pub(super) struct Parsed {
    /// Empty where anything in the file is wrong: a file is used whole or not at all.
    pub(super) manifests: Vec<Manifest>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What a file that is not used names.
    pub(super) named: Vec<Named>,
}

/// Parses one file of any number of documents, finding everything that is wrong with it at once.
///
/// `file` is the name that messages and manifests carry. Diagnostics come in the file's order. When one of them is an
/// error, no manifest is returned: a file is used whole or not at all.
#[must_use]
pub fn parse_file(
    file: &str,
    text: &str,
    references: &References,
    options: Options,
) -> (Vec<Manifest>, Vec<Diagnostic>) {
    let parsed = parse(file, text, references, options);
    (parsed.manifests, parsed.diagnostics)
}

pub(super) fn parse(file: &str, text: &str, references: &References, options: Options) -> Parsed {
    let mut report = Report::new(file, text);
    let documents = yaml::read(&mut report, text);
    if documents.is_empty() && !report.has_errors() {
        let nothing = Diagnostic {
            line: 1,
            column: 1,
            span: Some(0..0),
            ..Diagnostic::of_file(file, "the file describes no service")
        };
        report.add_whole(nothing.help("a manifest has apiVersion, kind, metadata and spec"));
    }
    let first = documents.first().map(|document| document.place);
    let mut context = Context {
        references,
        options,
        spent: Spent::default(),
    };
    let decoded: Vec<Decoded> = documents
        .into_iter()
        .map(|document| decode::document(document, &mut context, &mut report))
        .collect();
    if let Some(first) = first {
        resolve::note_unresolved(&context.spent, first, &mut report);
    }
    let (mut manifests, mut named) = (Vec::new(), Vec::new());
    match report.has_errors() {
        true => named.extend(
            decoded
                .into_iter()
                .map(|Decoded { cluster, name, .. }| Named { cluster, name }),
        ),
        false => manifests.extend(decoded.into_iter().filter_map(|decoded| decoded.manifest)),
    }
    Parsed {
        manifests,
        diagnostics: report.finish(),
        named,
    }
}
