//! The model and its faults take time and chance as values.

use std::{fs, path::Path};

const IMPURE: [&str; 8] = [
    "tokio",
    "hyper",
    "tracing",
    "std::fs",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Rng::new",
];

/// Every use of something impure, as file and word.
fn impure(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(impure(&path));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let words = IMPURE.iter().filter(|word| line.contains(**word));
            found.extend(words.map(|word| format!("{}: {word}", path.display())));
        }
    }
    found
}

#[test]
fn the_core_and_the_faults_have_no_clock_and_no_io() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for part in ["core", "faults"] {
        assert_eq!(impure(&source.join(part)), Vec::<String>::new());
    }
    assert!(!impure(&source.join("server")).is_empty());
}
