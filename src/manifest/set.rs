//! All manifests together: what they describe, what is broken, what contradicts itself, and whether a new set may
//! replace the old one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use thiserror::Error;

use super::{
    Diagnostic, Manifest, Options, References, cluster_name, digest, parse, read::SourceFile,
};

/// Every manifest of a directory, as of one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ManifestSet {
    /// The manifests that act, in the order of their clusters and names. Shared: whoever keeps a set, or one manifest of it,
    /// keeps no copy.
    pub manifests: Vec<Arc<Manifest>>,
    /// Everything there is to say, file by file.
    pub diagnostics: Vec<Diagnostic>,
    /// What is described by a manifest that does not act; such a service is neither removed nor orphaned.
    pub broken: Vec<Broken>,
    /// How many files there are.
    pub files: usize,
    /// SHA-256, in hex, of the keys and digests of the manifests that act.
    pub digest: String,
}

/// A service, or a whole file, that is described and does not act.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// The file.
    pub file: String,
    /// The cluster's name; `None` where the file could not be read that far.
    pub cluster: Option<String>,
    /// The service's name; `None` where the file could not be read that far.
    pub name: Option<String>,
    /// Why it does not act.
    pub why: Why,
}

/// Why a manifest does not act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its file has errors: the last good version, if there is one, goes on.
    Invalid,
    /// Another manifest claims the same service, family or target group: neither acts.
    Contradicted,
}

/// A set may not replace the one in use. Nothing changes until it may.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Nothing has been described yet.
    #[error("there are no manifests yet; nothing is done until there is one")]
    NothingYet,
    /// The new set is empty.
    #[error(
        "there are no manifests any more, where there were {before}; the last ones stay in force. Put the files back; to take a service out of Evenkeel's hands, set `suspend: true` in its manifest"
    )]
    Empty {
        /// How many services were described.
        before: usize,
    },
    /// Too many manifests disappeared at once.
    #[error(
        "{} of {before} manifests disappeared at once ({}); the last ones stay in force. Put the files back, remove at most a fifth at a time, or restart evenkeel to take the set as it is",
        missing.len(),
        list(missing)
    )]
    Shrunk {
        /// How many services were described.
        before: usize,
        /// Those that are not any more, as `NAME (CLUSTER)`.
        missing: Vec<String>,
    },
}

/// The most names in one message.
const MOST_LISTED: usize = 5;

fn list(names: &[String]) -> String {
    let mut shown = names
        .iter()
        .take(MOST_LISTED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > MOST_LISTED {
        shown.push_str(", …");
    }
    shown
}

/// Parses every file and holds the manifests against each other.
///
/// A file that is wrong isolates itself: its errors are in `diagnostics`, what it names is in `broken`, the others act.
#[must_use]
pub fn parse_set(files: Vec<SourceFile>, references: &References, options: Options) -> ManifestSet {
    let mut set = ManifestSet {
        files: files.len(),
        ..ManifestSet::default()
    };
    for SourceFile { name: file, text } in files {
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                set.diagnostics
                    .push(Diagnostic::of_file(&file, error.to_string()));
                set.broken.push(Broken {
                    file,
                    cluster: None,
                    name: None,
                    why: Why::Invalid,
                });
                continue;
            }
        };
        let parsed = parse::parse(&file, &text, references, options);
        if parsed.diagnostics.iter().any(Diagnostic::is_error) {
            // The file itself as well: it may describe more than could be read.
            set.broken.push(Broken {
                file: file.clone(),
                cluster: None,
                name: None,
                why: Why::Invalid,
            });
        }
        set.broken.extend(
            parsed
                .named
                .into_iter()
                .filter(|named| named.name.is_some())
                .map(|named| Broken {
                    file: file.clone(),
                    cluster: named
                        .cluster
                        .map(|cluster| cluster_name(&cluster).to_owned()),
                    name: named.name,
                    why: Why::Invalid,
                }),
        );
        set.diagnostics.extend(parsed.diagnostics);
        set.manifests
            .extend(parsed.manifests.into_iter().map(Arc::new));
    }
    set.settle();
    set
}

/// Whether a set may replace the one in use.
///
/// # Errors
/// Nothing is described, or more than a fifth of what was, and at least two, would disappear at once. A file that does
/// not parse has not disappeared.
pub fn accept(previous: Option<&ManifestSet>, next: &ManifestSet) -> Result<(), Refusal> {
    let before = previous.map(ManifestSet::described).unwrap_or_default();
    if next.manifests.is_empty() && next.broken.is_empty() {
        return Err(match before.len() {
            0 => Refusal::NothingYet,
            before => Refusal::Empty { before },
        });
    }
    let missing = previous.map(|previous| previous.missing_from(next));
    let missing: Vec<String> = missing
        .into_iter()
        .flatten()
        .map(|(cluster, name)| format!("{name} ({cluster})"))
        .collect();
    if missing.len() >= 2 && missing.len() * 5 > before.len() {
        return Err(Refusal::Shrunk {
            before: before.len(),
            missing,
        });
    }
    Ok(())
}

type Key = (String, String);

impl ManifestSet {
    /// This set, with the last good version of every manifest whose file is broken now.
    ///
    /// Keep the result as the next `previous`, so that a file may stay broken for long.
    #[must_use]
    pub fn with_last_good(mut self, previous: Option<&ManifestSet>) -> Self {
        let kept: Vec<_> = previous
            .into_iter()
            .flat_map(|previous| &previous.manifests)
            .filter(|manifest| self.is_broken_now(manifest))
            .cloned()
            .collect();
        if !kept.is_empty() {
            self.manifests.extend(kept);
            self.settle();
        }
        self
    }

    /// Whether the file a manifest came from, or one that names the same service, is invalid, and nothing good or
    /// contradicted has its place.
    fn is_broken_now(&self, last_good: &Manifest) -> bool {
        let mut invalid = false;
        for broken in &self.broken {
            let same = broken.names(last_good.cluster_name(), &last_good.name);
            match broken.why {
                Why::Contradicted if same => return false,
                Why::Contradicted => {}
                Why::Invalid => invalid |= same || broken.file == last_good.file,
            }
        }
        invalid
            && self
                .get(last_good.cluster_name(), &last_good.name)
                .is_none()
    }

    /// The manifest of a service that acts, by its cluster's name and its own.
    #[must_use]
    pub fn get(&self, cluster: &str, name: &str) -> Option<&Arc<Manifest>> {
        let order = |manifest: &Arc<Manifest>| {
            (manifest.cluster_name(), manifest.name.as_str()).cmp(&(cluster, name))
        };
        let place = self.manifests.binary_search_by(order).ok()?;
        self.manifests.get(place)
    }

    /// Whether a service is described, acting or not. `file` is where it was described before.
    #[must_use]
    pub fn describes(&self, key: &(String, String), file: Option<&str>) -> bool {
        self.get(&key.0, &key.1).is_some()
            || self
                .broken
                .iter()
                .any(|broken| match (&broken.cluster, &broken.name) {
                    (Some(cluster), Some(name)) => *cluster == key.0 && *name == key.1,
                    (None, Some(name)) => *name == key.1,
                    (_, None) => file == Some(broken.file.as_str()),
                })
    }

    /// The services that this set describes and `next` does not, by cluster and name.
    #[must_use]
    pub fn missing_from(&self, next: &ManifestSet) -> BTreeSet<(String, String)> {
        let files = self.file_of();
        let mut missing = self.described();
        missing.retain(|key| !next.describes(key, files.get(key).copied()));
        missing
    }

    /// Every service that is described as far as its key is known.
    fn described(&self) -> BTreeSet<Key> {
        let broken = self.broken.iter().filter_map(Broken::key);
        self.manifests
            .iter()
            .map(|manifest| manifest.key())
            .chain(broken)
            .collect()
    }

    fn file_of(&self) -> BTreeMap<Key, &str> {
        let broken = self
            .broken
            .iter()
            .filter_map(|b| Some((b.key()?, b.file.as_str())));
        let good = self.manifests.iter().map(|m| (m.key(), m.file.as_str()));
        broken.chain(good).collect()
    }

    /// Takes out what contradicts each other, and brings the rest in order.
    fn settle(&mut self) {
        let contradicted = self.contradictions();
        let manifests = std::mem::take(&mut self.manifests);
        for (index, manifest) in manifests.into_iter().enumerate() {
            if contradicted.contains(&index) {
                let (cluster, name) = manifest.key();
                self.broken.push(Broken {
                    file: manifest.file.clone(),
                    cluster: Some(cluster),
                    name: Some(name),
                    why: Why::Contradicted,
                });
            } else {
                self.manifests.push(manifest);
            }
        }
        self.manifests.sort_by_key(|manifest| manifest.key());
        self.broken.sort_unstable();
        self.broken.dedup();
        self.digest = digest::of_set(&self.manifests);
    }

    /// Reports every claim made twice, on each side, and returns who made it.
    fn contradictions(&mut self) -> BTreeSet<usize> {
        let mut claims: BTreeMap<Claim, BTreeSet<usize>> = BTreeMap::new();
        for (index, manifest) in self.manifests.iter().enumerate() {
            for claim in claims_of(manifest) {
                claims.entry(claim).or_default().insert(index);
            }
        }
        claims.retain(|_, by| by.len() > 1);
        // Manifests of one service share the rest as a rule; saying so once is enough.
        let twins: Vec<_> = claims
            .iter()
            .filter(|(claim, _)| matches!(claim, Claim::Service(_)))
            .map(|(_, by)| by.clone())
            .collect();
        claims.retain(|claim, by| {
            matches!(claim, Claim::Service(_)) || !twins.iter().any(|twins| by.is_subset(twins))
        });
        for (claim, by) in &claims {
            for one in by {
                let others = by
                    .iter()
                    .filter(|other| *other != one)
                    .take(MOST_LISTED + 1);
                let others: Vec<String> = others
                    .filter_map(|other| self.manifests.get(*other))
                    .map(|manifest| said(manifest))
                    .collect();
                let Some(manifest) = self.manifests.get(*one) else {
                    continue;
                };
                self.diagnostics.push(Diagnostic {
                    line: manifest.line,
                    column: 1,
                    help: Some(
                        "neither is acted on; keep one of them, or change what they share"
                            .to_owned(),
                    ),
                    ..Diagnostic::of_file(
                        &manifest.file,
                        format!(
                            "{}: {} also used by {}",
                            said(manifest),
                            claim.said(),
                            list(&others)
                        ),
                    )
                });
            }
        }
        claims.into_values().flatten().collect()
    }
}

fn said(manifest: &Manifest) -> String {
    let (cluster, name) = manifest.key();
    format!("{name} ({cluster}) in {}:{}", manifest.file, manifest.line)
}

impl Broken {
    fn key(&self) -> Option<Key> {
        Some((self.cluster.clone()?, self.name.clone()?))
    }

    fn names(&self, cluster: &str, name: &str) -> bool {
        self.cluster.as_deref() == Some(cluster) && self.name.as_deref() == Some(name)
    }
}

/// What only one manifest may have.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Service(Key),
    Family(String),
    TargetGroup(String),
}

impl Claim {
    fn said(&self) -> String {
        match self {
            Self::Service(_) => "the service is".to_owned(),
            Self::Family(family) => format!("the task definition family `{family}` is"),
            Self::TargetGroup(arn) => format!("the target group {arn} is"),
        }
    }
}

fn claims_of(manifest: &Manifest) -> Vec<Claim> {
    let family = Some(&manifest.family).filter(|family| !family.is_empty());
    let groups = manifest.target_groups.iter().cloned();
    std::iter::once(Claim::Service(manifest.key()))
        .chain(family.cloned().map(Claim::Family))
        .chain(groups.map(Claim::TargetGroup))
        .collect()
}
