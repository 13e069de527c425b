//! The stream of manifest sets: a source, read whenever it changes.
//!
//! A change is taken only after two equal reads, so that half-written files are not acted on. File events make it
//! quick; polling makes it sure, where events are lost or never come (S3, network file systems, swapped symlinks).

use std::{sync::Arc, time::Duration};

use notify::Watcher;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Named, Place, Reader, Reading, Source, Texts};
use crate::{aws::Aws, backoff, manifest::SourceFile};

/// How often a place that keeps changing is read again before waiting for the next poll.
const READS: usize = 20;

/// Every text that was read, by name, or why it could not be: what two readings are compared by.
type Fingerprint = Result<Vec<(String, Result<String, String>)>, String>;

fn fingerprint(texts: &Result<Texts, String>) -> Fingerprint {
    let texts = texts.as_ref().map_err(Clone::clone)?;
    let said = |file: &SourceFile| match &file.text {
        Ok(text) => Ok(text.clone()),
        Err(error) => Err(error.to_string()),
    };
    let files = texts.files.iter();
    let files = files.map(|file| (file.name.clone(), said(file)));
    let beside = texts.terraform.iter().chain(&texts.values);
    let beside = beside.map(|Named { name, text }| (name.clone(), Ok(text.clone())));
    Ok(files.chain(beside).collect())
}

/// Reads now and after every change, until `shutdown`.
pub async fn watch(
    source: Source,
    aws: Aws,
    out: watch::Sender<Option<Reading>>,
    shutdown: CancellationToken,
) {
    let changes = Arc::new(Notify::new());
    let _watcher = watcher(&source, Arc::clone(&changes));
    let mut reader = Reader::new(source, aws);
    shutdown
        .run_until_cancelled(follow(&mut reader, &out, &changes))
        .await;
}

/// Ends only when nobody listens any more.
async fn follow(reader: &mut Reader, out: &watch::Sender<Option<Reading>>, changes: &Notify) {
    let pace = Pace::of(&reader.source.place);
    let mut last = None;
    let mut failures = 0;
    loop {
        let (print, texts) = settled(reader, last.as_ref(), pace).await;
        failures = if print.is_ok() { 0 } else { failures + 1 };
        if last.as_ref() != Some(&print) {
            last = Some(print);
            let options = reader.source.options;
            let reading = texts.and_then(|texts| texts.parse(options));
            if out.send(Some(reading)).is_err() {
                return;
            }
        }
        let more = match failures {
            0 => Duration::ZERO,
            failures => backoff::delay(failures, fastrand::f64()).min(pace.poll),
        };
        // Without events there is the poll.
        let _ = timeout(pace.poll + more, changes.notified()).await;
    }
}

/// Reads until two readings are equal, one of which may be the last that was taken.
async fn settled(
    reader: &mut Reader,
    last: Option<&Fingerprint>,
    pace: Pace,
) -> (Fingerprint, Result<Texts, String>) {
    let mut before = last.cloned();
    for _ in 0..READS {
        let texts = reader.texts().await;
        let print = fingerprint(&texts);
        let is_settled = match (&before, &print) {
            // What cannot be read is not half of anything, whatever the words.
            (Some(Err(_)), Err(_)) => true,
            (before, _) => before.as_ref() == Some(&print),
        };
        if is_settled {
            return (print, texts);
        }
        before = Some(print);
        sleep(pace.settle).await;
    }
    let place = &reader.source.place;
    let changing = format!("{place} keeps changing; nothing is taken until it rests");
    (Err(changing.clone()), Err(changing))
}

/// How often a place is read.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Without being told of a change.
    poll: Duration,
    /// Between two reads that must be equal.
    settle: Duration,
}

impl Pace {
    fn of(place: &Place) -> Self {
        match place {
            Place::Directory(_) => Self {
                poll: Duration::from_secs(5),
                settle: Duration::from_millis(100),
            },
            // A listing costs half a thousandth of a cent.
            Place::Bucket(_) => Self {
                poll: Duration::from_secs(10),
                settle: Duration::from_secs(1),
            },
        }
    }
}

/// Tells of changes; `None` where the system cannot, which leaves polling.
fn watcher(source: &Source, changed: Arc<Notify>) -> Option<notify::RecommendedWatcher> {
    let Place::Directory(directory) = &source.place else {
        return None;
    };
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
    let named = [&source.terraform_outputs, &source.values].into_iter();
    let beside = named.flatten().filter_map(|path| path.parent());
    for directory in std::iter::once(directory.as_path()).chain(beside) {
        if let Err(error) = watcher.watch(directory, notify::RecursiveMode::NonRecursive) {
            tracing::warn!(directory = %directory.display(), %error, "file events are not available here; polling instead");
        }
    }
    Some(watcher)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::time::Instant;

    use super::*;
    use crate::{aws::Clients, manifest::Options, metrics::Metrics};

    fn reader(directory: &Path) -> Reader {
        let source = Source {
            place: Place::Directory(directory.to_owned()),
            terraform_outputs: None,
            values: None,
            options: Options::default(),
        };
        Reader::new(source, nobody())
    }

    /// AWS as nobody asks it.
    fn nobody() -> Aws {
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .build();
        Aws::new(Clients::new(&config), Metrics::new().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn without_file_events_the_directory_is_polled_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let mut reader = reader(directory.path());
        let pace = Pace::of(&reader.source.place);
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
            () = follow(&mut reader, &out, &changes) => panic!("it ended"),
            took = changed => took,
        };
        assert!(
            took >= pace.poll && took < pace.poll + 10 * pace.settle,
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_ends_it_at_any_point() {
        let directory = tempfile::tempdir().unwrap();
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let (out, _readings) = watch::channel(None);
        let began = Instant::now();
        let source = reader(directory.path()).source;
        watch(source, nobody(), out, shutdown).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
