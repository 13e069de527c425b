//! Which manifests bind a daemon: the last set that it may take, and for a moment the one before.

use std::{collections::BTreeMap, time::Duration};

use emulator::core::Service;
use jiff::Timestamp;

use crate::{
    journal::{Called, Caller, Entry, What},
    manifest::{File, Files, Manifest},
    sight::Subject,
};

/// How long a pass that has begun may go on by the manifest that it began with.
pub const MOMENT: Duration = Duration::from_secs(15);

/// The manifests that bind each daemon.
#[derive(Debug, Default)]
pub struct Bound {
    files: Files,
    /// Since when these have been the files.
    since: Option<Timestamp>,
    daemons: BTreeMap<usize, Daemon>,
}

#[derive(Debug, Default)]
struct Daemon {
    /// Since when, by service: the newest last. `None` when nothing describes it any more.
    versions: BTreeMap<String, Vec<(Timestamp, Option<Manifest>)>>,
    /// What was taken, by file.
    taken: BTreeMap<String, Manifest>,
}

impl Bound {
    pub(super) fn step(&mut self, entry: &Entry) {
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
            What::Called(_) | What::Meddled(_) | What::Seen(..) | What::Rest(_) => {}
        }
    }

    /// The manifests by which a daemon may act on a service at some time.
    pub fn manifests(&self, by: Caller, service: &str, at: Timestamp) -> Vec<&Manifest> {
        let Caller::Daemon(number) = by else {
            return Vec::new();
        };
        let versions = self
            .daemons
            .get(&number)
            .and_then(|daemon| daemon.versions.get(service));
        let mut bind = Vec::new();
        for (since, manifest) in versions.into_iter().flatten().rev() {
            bind.extend(manifest);
            // Older ones ended more than a moment ago.
            if *since + MOMENT < at {
                break;
            }
        }
        bind
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
        Subject::Family(family) => family.strip_prefix("prod-").map(str::to_owned),
        Subject::LogGroup(name) => name.strip_prefix("/ecs/").map(str::to_owned),
        Subject::Other => None,
    }
}
