//! What binds a daemon: the last set of manifests that it may take, for a moment the one before, and what it can know.

use std::{collections::BTreeMap, time::Duration};

use emulator::core::Service;
use jiff::Timestamp;

use super::known::{Known, of_log_group};
use crate::{
    furniture::CLUSTER,
    journal::{Called, Caller, Entry, What},
    manifest::{File, Files, Manifest},
    sight::Subject,
};

/// How long a pass that has begun may go on by the manifest that it began with.
pub const MOMENT: Duration = Duration::from_secs(15);

/// The manifests that bind each daemon, and what it can know of AWS.
#[derive(Debug, Default)]
pub struct Bound {
    pub(super) known: Known,
    files: Files,
    /// Since when these have been the files.
    since: Option<Timestamp>,
    daemons: BTreeMap<usize, Daemon>,
}

/// A manifest, and since when it binds. `None` when nothing describes the service any more.
type Version = (Timestamp, Option<Manifest>);

#[derive(Debug, Default)]
struct Daemon {
    /// By service, the newest last.
    versions: BTreeMap<String, Vec<Version>>,
    /// What was taken, by file.
    taken: BTreeMap<String, Manifest>,
}

impl Bound {
    pub(super) fn step(&mut self, entry: &Entry) {
        self.known.step(entry);
        match &entry.what {
            What::Manifests(files) => {
                self.files.clone_from(files);
                self.since = Some(entry.at);
                for daemon in self.daemons.values_mut() {
                    daemon.take(files, entry.at);
                }
            }
            What::Started(number) => {
                let mut daemon = Daemon::default();
                daemon.take(&self.files, entry.at);
                self.daemons.insert(*number, daemon);
            }
            What::Ended(number) => {
                self.daemons.remove(number);
            }
            What::Sent(_) | What::Called(_) | What::Meddled(_) | What::Seen(..) | What::Rest(_) => {
            }
        }
    }

    /// The manifests by which a daemon may act on a service at some time.
    pub fn manifests(&self, by: Caller, service: &str, at: Timestamp) -> Vec<&Manifest> {
        let mut bind = Vec::new();
        let versions = self.versions(by, service).unwrap_or_default();
        for (since, manifest) in versions.iter().rev() {
            bind.extend(manifest);
            // Older ones ended more than a moment ago.
            if *since + MOMENT < at {
                break;
            }
        }
        bind
    }

    fn versions(&self, by: Caller, service: &str) -> Option<&[Version]> {
        let Caller::Daemon(number) = by else {
            return None;
        };
        let versions = self.daemons.get(&number)?.versions.get(service)?;
        Some(versions)
    }

    /// Whether the manifest of a service has just been edited.
    pub(super) fn is_edited(&self, by: Caller, service: &str, at: Timestamp) -> bool {
        let versions = self.versions(by, service).unwrap_or_default();
        versions.last().is_some_and(|(since, _)| *since == at)
    }

    /// How many services a daemon's manifests describe.
    #[must_use]
    pub fn described(&self, number: usize) -> usize {
        self.daemons
            .get(&number)
            .map_or(0, |daemon| daemon.taken.len())
    }

    /// Whether the manifests describe a service, taken or not, or did a moment ago.
    #[must_use]
    pub fn is_written(&self, service: &str, at: Timestamp) -> bool {
        let written = self.files.values().any(|file| match file {
            File::Manifest(manifest) => manifest.name == service,
            // What it was meant to describe nobody knows.
            File::Broken(_) => true,
        });
        written || self.since.is_none_or(|since| since + MOMENT >= at)
    }

    /// The services whose manifests name a target group.
    pub(super) fn of_target_group(&self, by: Caller, arn: &str) -> Vec<String> {
        let Caller::Daemon(number) = by else {
            return Vec::new();
        };
        let taken = self
            .daemons
            .get(&number)
            .into_iter()
            .flat_map(|daemon| daemon.taken.values());
        taken
            .filter(|manifest| {
                let group = manifest.target_group.as_ref();
                group.is_some_and(|group| arn.contains(&format!(":targetgroup/{group}/")))
            })
            .map(|manifest| manifest.name.clone())
            .collect()
    }
}

impl Daemon {
    fn take(&mut self, files: &Files, at: Timestamp) {
        if files.is_empty() {
            return;
        }
        let is_missing = |file: &&String| !files.contains_key(*file);
        let missing = self.taken.keys().filter(is_missing).count();
        if missing >= 2 && missing * 5 > self.taken.len() {
            return;
        }
        let mut next = BTreeMap::new();
        for (name, file) in files {
            let manifest = match file {
                File::Manifest(manifest) => Some(&**manifest),
                File::Broken(_) => self.taken.get(name),
            };
            next.extend(manifest.map(|manifest| (name.clone(), manifest.clone())));
        }
        let gone = self.versions.keys().cloned();
        let mut now: BTreeMap<_, _> = gone.map(|service| (service, None)).collect();
        now.extend(
            next.values()
                .map(|one| (one.name.clone(), Some(one.clone()))),
        );
        for (service, manifest) in now {
            let versions = self.versions.entry(service).or_default();
            if versions.last().is_none_or(|(_, last)| *last != manifest) {
                versions.push((at, manifest));
            }
        }
        self.taken = next;
    }
}

/// The service that a call is about, by the names that manifests give to what belongs to it.
pub(super) fn service_of(called: &Called) -> Option<String> {
    if !matches!(called.service, Service::Ecs | Service::Logs) {
        return None;
    }
    match Subject::of(called.service, &called.operation, &called.input) {
        Subject::Service(name) => Some(name),
        Subject::Family(family) => of_family(&family).map(str::to_owned),
        Subject::LogGroup(name) => of_log_group(&name).map(str::to_owned),
        Subject::Other => None,
    }
}

/// The service that a family of definitions belongs to.
pub(super) fn of_family(name: &str) -> Option<&str> {
    name.strip_prefix(CLUSTER)?.strip_prefix('-')
}
