//! Tells Prometheus where the tasks' metrics are, as a file for its file-based service discovery:
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config>.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Mutex,
};

use serde::Serialize;

use super::lock;
use crate::{core::TaskLaunch, files};

/// `tasks.json` in the state directory.
#[derive(Debug)]
pub(super) struct Discovery {
    path: PathBuf,
    /// By task ARN.
    tasks: Mutex<BTreeMap<String, Vec<Endpoint>>>,
}

/// One entry of the file.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Endpoint {
    targets: [String; 1],
    labels: BTreeMap<&'static str, String>,
}

impl Endpoint {
    pub(super) fn new(launch: &TaskLaunch, container: &str, port: u16) -> Self {
        let id = launch.task.rsplit('/').next().unwrap_or(&launch.task);
        let (kind, name) = launch.group.split_once(':').unwrap_or(("group", ""));
        let kind = match kind {
            "service" => "service",
            "family" => "family",
            _ => "group",
        };
        Self {
            targets: [format!("127.0.0.1:{port}")],
            labels: BTreeMap::from([
                (kind, name.to_owned()),
                ("task", id.to_owned()),
                ("container", container.to_owned()),
            ]),
        }
    }
}

impl Discovery {
    pub(super) fn open(state: &Path) -> io::Result<Self> {
        let discovery = Self {
            path: state.join("tasks.json"),
            tasks: Mutex::default(),
        };
        discovery.write(&BTreeMap::new())?;
        Ok(discovery)
    }

    pub(super) fn add(&self, task: &str, endpoints: Vec<Endpoint>) {
        if !endpoints.is_empty() {
            self.change(|tasks| tasks.insert(task.to_owned(), endpoints).is_none());
        }
    }

    pub(super) fn remove(&self, task: &str) {
        self.change(|tasks| tasks.remove(task).is_some());
    }

    /// The lock is held while the small file is written, so that the last change is what stays.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<Endpoint>>) -> bool) {
        let mut tasks = lock(&self.tasks);
        if change(&mut tasks)
            && let Err(error) = self.write(&tasks)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot write the list of tasks for Prometheus");
        }
    }

    fn write(&self, tasks: &BTreeMap<String, Vec<Endpoint>>) -> io::Result<()> {
        let entries: Vec<&Endpoint> = tasks.values().flatten().collect();
        files::replace(&self.path, &serde_json::to_vec_pretty(&entries)?)
    }
}
