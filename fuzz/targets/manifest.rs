//! Bytes for a directory of manifests: each file is used or refused, with messages about places that it has.

#![no_main]

use std::sync::{Arc, LazyLock};

use evenkeel::{
    desired::{Desired, Settings},
    manifest::{self, Diagnostic, ManifestSet, Options, References, SourceFile},
    normal::Form,
    observed::Image,
};
use libfuzzer_sys::fuzz_target;

/// Parts one file from the next: no text has this byte.
const NEXT_FILE: u8 = 0xff;

/// More messages about one file than this are counted, not told.
const MOST_MESSAGES: usize = 101;

static REFERENCES: LazyLock<References> = LazyLock::new(|| {
    let outputs = include_str!("../../terraform/tests/outputs.json");
    let variable = ("TAG".to_owned(), "1.4.0".to_owned());
    References::new(Some(outputs), [variable]).unwrap()
});

fuzz_target!(|data: &[u8]| {
    for allow_unknown_ecs_fields in [false, true] {
        let options = Options {
            allow_unknown_ecs_fields,
        };
        let files = data.split(|byte| *byte == NEXT_FILE).enumerate();
        let files = files.map(|(index, bytes)| SourceFile {
            name: index.to_string(),
            text: manifest::text_of(bytes.to_vec()),
        });
        let set = manifest::parse_set(files.collect(), &REFERENCES, options);
        for diagnostic in &set.diagnostics {
            check(diagnostic, data);
        }
        check_use(set);
    }
});

/// The place is one of the file, and can be drawn.
fn check(diagnostic: &Diagnostic, data: &[u8]) {
    let index: usize = diagnostic.file.parse().unwrap();
    let mut files = data.split(|byte| *byte == NEXT_FILE);
    let text = files
        .nth(index)
        .and_then(|bytes| std::str::from_utf8(bytes).ok());
    let drawn = manifest::picture(diagnostic, text, true);
    assert!(!drawn.is_empty() && !diagnostic.to_string().contains('\n'));
    let Some(text) = text else {
        return;
    };
    if let Some(span) = &diagnostic.span {
        assert!(
            text.get(span.clone()).is_some(),
            "{span:?} of {} bytes",
            text.len()
        );
    }
    if diagnostic.line > 0 {
        let line = text.split('\n').nth(diagnostic.line - 1);
        let columns = line.map(|line| line.chars().count());
        assert!(
            columns.is_some_and(|columns| diagnostic.column <= columns + 1),
            "{diagnostic}"
        );
    }
}

/// What is right can be used.
fn check_use(set: ManifestSet) {
    let told = |file: &str| {
        set.diagnostics
            .iter()
            .filter(|told| told.file == file)
            .count()
    };
    assert!((0..set.files).all(|file| told(&file.to_string()) <= MOST_MESSAGES));
    assert!(manifest::accept(Some(&set), &set).is_ok() || set.manifests.is_empty());
    let settings = Settings {
        owner: "evenkeel".to_owned(),
        form: Form::current(),
    };
    for manifest in set.manifests {
        let desired = Desired::new(Arc::new(manifest), &settings, &Image::NotUsed);
        assert_eq!(desired.normal_service(), desired.normal_service());
        assert!(desired.normal_definition().is_some());
    }
}
