//! The stream of manifest sets: a directory and Terraform's outputs, read whenever they change.
//!
//! A change is taken only after two equal reads, so that half-written files are not acted on. File events make it
//! quick; polling makes it sure, where events are lost or never come (network file systems, swapped symlinks).

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::Watcher;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::manifest::{self, ManifestSet, Options, References, SourceFile};

/// How often the directory is read without being told of a change.
const POLL: Duration = Duration::from_secs(5);
/// Between two reads that must be equal.
const SETTLE: Duration = Duration::from_millis(100);
/// How often a directory that keeps changing is read again before waiting for the next poll.
const READS: usize = 20;

/// Where manifests come from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The directory.
    pub directory: PathBuf,
    /// The file with `terraform output -json`, when there is one.
    pub terraform_outputs: Option<PathBuf>,
    /// How strictly they are read.
    pub options: Options,
}

/// What one reading gave: the set, or why there is none.
pub type Reading = Result<ManifestSet, String>;

/// What was read.
#[derive(Debug)]
struct Texts {
    files: Vec<SourceFile>,
    terraform: Option<String>,
}

/// Every text that was read, by name, or why it could not be: what two readings are compared by.
type Fingerprint = Result<Vec<(String, Result<String, String>)>, String>;

fn fingerprint(texts: &Result<Texts, String>) -> Fingerprint {
    let texts = texts.as_ref().map_err(Clone::clone)?;
    let said = |file: &SourceFile| match &file.text {
        Ok(text) => Ok(text.clone()),
        Err(error) => Err(error.to_string()),
    };
    let files = texts
        .files
        .iter()
        .map(|file| (file.name.clone(), said(file)));
    let terraform = texts
        .terraform
        .iter()
        .map(|text| ("terraform outputs".to_owned(), Ok(text.clone())));
    Ok(files.chain(terraform).collect())
}

impl Source {
    /// Reads once.
    ///
    /// # Errors
    /// Why the set as a whole cannot be read, for people. A bad file is not such a reason: it is in the set.
    pub fn read(&self) -> Reading {
        self.texts().and_then(|texts| self.parse(texts))
    }

    fn texts(&self) -> Result<Texts, String> {
        let files = manifest::read_dir(&self.directory).map_err(|error| error.to_string())?;
        let terraform = self.terraform()?;
        Ok(Texts { files, terraform })
    }

    /// Parses files that were read elsewhere, with this source's references.
    ///
    /// # Errors
    /// When Terraform's outputs cannot be read.
    pub fn parse_files(&self, files: Vec<SourceFile>) -> Reading {
        self.parse(Texts {
            files,
            terraform: self.terraform()?,
        })
    }

    fn terraform(&self) -> Result<Option<String>, String> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).map_err(|error| {
                format!(
                    "{}: {error}; write it with `terraform output -json`",
                    path.display()
                )
            })
        };
        self.terraform_outputs.as_ref().map(read).transpose()
    }

    fn parse(&self, texts: Texts) -> Reading {
        // Without outputs every reference to one is unknown, rather than left as it is: what acts must be whole.
        let terraform = texts.terraform.as_deref().unwrap_or("{}");
        let references =
            References::new(Some(terraform), readable(std::env::vars_os())).map_err(|error| {
                let path = self
                    .terraform_outputs
                    .as_deref()
                    .unwrap_or(Path::new("terraform outputs"));
                format!("{}: {error}", path.display())
            })?;
        Ok(manifest::parse_set(texts.files, &references, self.options))
    }
}

/// The variables that are text; manifests can name no others.
fn readable(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (String, String)> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Reads now and after every change, until `shutdown`.
pub async fn watch(
    source: Source,
    out: watch::Sender<Option<Reading>>,
    shutdown: CancellationToken,
) {
    let changes = Arc::new(Notify::new());
    let _watcher = watcher(&source, Arc::clone(&changes));
    shutdown
        .run_until_cancelled(follow(&source, &out, &changes))
        .await;
}

/// Ends only when nobody listens any more.
async fn follow(source: &Source, out: &watch::Sender<Option<Reading>>, changes: &Notify) {
    let mut last = None;
    loop {
        let (print, texts) = settled(source).await;
        if last.as_ref() != Some(&print) {
            last = Some(print);
            let reading = texts.and_then(|texts| source.parse(texts));
            if out.send(Some(reading)).is_err() {
                return;
            }
        }
        // Without events there is the poll.
        let _ = tokio::time::timeout(POLL, changes.notified()).await;
    }
}

async fn settled(source: &Source) -> (Fingerprint, Result<Texts, String>) {
    let mut before = fingerprint(&read_aside(source).await);
    for _ in 1..READS {
        tokio::time::sleep(SETTLE).await;
        let texts = read_aside(source).await;
        let print = fingerprint(&texts);
        if print == before {
            return (print, texts);
        }
        before = print;
    }
    let changing = format!(
        "{} keeps changing; nothing is taken until it rests",
        source.directory.display()
    );
    (Err(changing.clone()), Err(changing))
}

async fn read_aside(source: &Source) -> Result<Texts, String> {
    let source = source.clone();
    let read = tokio::task::spawn_blocking(move || source.texts()).await;
    read.unwrap_or_else(|error| Err(format!("reading the manifests failed: {error}")))
}

/// Tells of changes; `None` where the system cannot, which leaves polling.
fn watcher(source: &Source, changed: Arc<Notify>) -> Option<notify::RecommendedWatcher> {
    let tell = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            changed.notify_one();
        }
    };
    let mut watcher = notify::recommended_watcher(tell)
        .inspect_err(
            |error| tracing::warn!(%error, "file events are not available; polling instead"),
        )
        .ok()?;
    let outputs = source.terraform_outputs.as_deref().and_then(Path::parent);
    for directory in std::iter::once(source.directory.as_path()).chain(outputs) {
        if let Err(error) = watcher.watch(directory, notify::RecursiveMode::NonRecursive) {
            tracing::warn!(directory = %directory.display(), %error, "file events are not available here; polling instead");
        }
    }
    Some(watcher)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use tokio::time::Instant;

    use super::*;

    fn source(directory: &Path) -> Source {
        Source {
            directory: directory.to_owned(),
            terraform_outputs: None,
            options: Options::default(),
        }
    }

    #[test]
    fn a_variable_that_is_not_text_is_passed_over() {
        let broken = OsString::from_vec(vec![b'a', 0xff]);
        let variables = [
            ("GOOD".into(), "value".into()),
            ("BROKEN".into(), broken.clone()),
            (broken, "value".into()),
        ];
        let readable: Vec<_> = readable(variables.into_iter()).collect();
        assert_eq!(readable, [("GOOD".to_owned(), "value".to_owned())]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_file_events_the_directory_is_polled_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let source = source(directory.path());
        let (out, mut readings) = watch::channel(None::<Reading>);
        let changes = Notify::new();
        let changed = async {
            readings.changed().await.unwrap();
            let began = Instant::now();
            std::fs::write(directory.path().join("api.yaml"), "spec: {}").unwrap();
            readings.changed().await.unwrap();
            assert_eq!(
                readings.borrow().as_ref().unwrap().as_ref().unwrap().files,
                1
            );
            began.elapsed()
        };
        let took = tokio::select! {
            () = follow(&source, &out, &changes) => panic!("it ended"),
            took = changed => took,
        };
        assert!(took >= POLL && took < POLL + 10 * SETTLE, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_ends_it_at_any_point() {
        let directory = tempfile::tempdir().unwrap();
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let (out, _readings) = watch::channel(None);
        let began = Instant::now();
        watch(source(directory.path()), out, shutdown).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
