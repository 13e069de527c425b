//! The shape of the reconciler, kept true: imports point one way, and the core stays pure.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every module of the reconciler, lowest first. A module may use those on lower lines only.
const LAYERS: &[&[&str]] = &[
    &["document", "tags", "backoff", "log"],
    &["manifest"],
    &["normal", "shape"],
    &["diff"],
    &["observed", "event", "home"],
    &["desired"],
    &["init", "plan"],
    &["status"],
    &["metrics"],
    &["aws"],
    &["reconcile", "source", "lease"],
    &["daemon"],
    &["local"],
    &["cli"],
];

/// Modules that are values in, values out.
const PURE: &[&str] = &[
    "backoff", "desired", "diff", "document", "event", "home", "init", "manifest", "normal",
    "observed", "plan", "shape", "status", "tags",
];

/// What a pure module never says: runtimes, AWS, logs, clocks, chance, files.
const IMPURE: &[&str] = &[
    "tokio::",
    "aws_sdk",
    "aws_smithy",
    "tracing::",
    "Timestamp::now",
    "Zoned::now",
    "Instant::",
    "SystemTime",
    "fastrand",
    "std::fs",
    "std::env",
];

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// The module of `src` that a file belongs to.
fn module_of(path: &Path) -> String {
    let inside = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    inside
        .iter()
        .next()
        .unwrap()
        .to_str()
        .unwrap()
        .trim_end_matches(".rs")
        .to_owned()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The modules named in `crate::name` and in the first level of `use crate::{…}`.
fn used(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push(
                rest.chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect(),
            );
            continue;
        };
        let (mut depth, mut name) = (0, String::new());
        for c in group.chars() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => names.push(std::mem::take(&mut name)),
                c if depth == 0 && !c.is_whitespace() => name.push(c),
                _ => {}
            }
        }
        names.push(name);
    }
    names.retain(|name| !name.is_empty());
    names
        .iter()
        .map(|name| name.split("::").next().unwrap().to_owned())
        .collect()
}

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        if ["main", "lib"].contains(&module.as_str()) {
            continue;
        }
        let own =
            layer_of(&module).unwrap_or_else(|| panic!("{module} has no layer; give it one here"));
        for name in used(&text) {
            let Some(other) = layer_of(&name) else {
                continue;
            };
            if name != module && other >= own {
                wrong.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_core_is_pure() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        // Reading files is this one's whole purpose.
        if !PURE.contains(&module_of(&path).as_str()) || path.ends_with("manifest/read.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        if path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        wrong.extend(
            IMPURE
                .iter()
                .filter(|word| code.contains(**word))
                .map(|word| format!("{}: {word}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_checker_knows_nothing_of_what_it_judges() {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulation/src/checker");
    let (mut files, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(checker).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        files += 1;
        wrong.extend(text.contains("evenkeel::").then_some(path));
    }
    assert!(files > 10 && wrong.is_empty(), "{files} files, {wrong:#?}");
}

#[test]
fn only_the_command_deletes() {
    let allowed = ["aws/delete.rs", "aws/mod.rs", "cli/delete.rs"];
    let names: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| text.contains("Deleter") || text.contains("delete_service"))
        .map(|(path, _)| path)
        .filter(|path| !allowed.iter().any(|allowed| path.ends_with(allowed)))
        .collect();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn main_stays_short() {
    let main = include_str!("../../src/main.rs");
    assert!(main.lines().count() < 60);
}
