//! Manifests for tests.

use crate::manifest::{ManifestSet, Options, References, SourceFile, parse_set};

/// A manifest of a service that needs nothing else.
pub(super) fn manifest(name: &str, cluster: &str) -> String {
    format!(
        "apiVersion: evenkeel/v1
kind: Service
metadata: {{name: {name}}}
spec:
  cluster: {cluster}
  service: {{desiredCount: 1}}
  taskDefinition:
    containerDefinitions:
      - {{name: main, image: nginx, memory: 128}}
"
    )
}

/// What a directory with these files gives. References to anything are unknown.
pub(super) fn set(files: &[(&str, &str)]) -> ManifestSet {
    let file = |(name, text): &(&str, &str)| SourceFile {
        name: (*name).to_owned(),
        text: Ok((*text).to_owned()),
    };
    let references = References::new(Some("{}"), []).unwrap();
    parse_set(
        files.iter().map(file).collect(),
        &references,
        Options::default(),
    )
}
