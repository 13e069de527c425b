//! The hand: edits manifests, meddles in AWS, and makes things go wrong.

use emulator::{core::Service, faults::FaultPlan};
use evenkeel::manifest::{Options, References, SourceFile, parse_set};
use serde_json::{Value, json};

use crate::{
    furniture::CLUSTER,
    journal::What,
    manifest::{File, Files, Manifest},
    world::World,
};

impl World {
    /// Puts these files in place of all manifests.
    pub fn set_manifests(&mut self, files: Files) {
        self.cloud.note(What::Manifests(files.clone()));
        let texts = files.iter().map(|(name, file)| SourceFile {
            name: name.clone(),
            text: Ok(match file {
                File::Manifest(manifest) => {
                    let group = manifest.target_group.as_ref();
                    let arn = group.and_then(|group| self.groups.get(group));
                    manifest.text(arn.map(String::as_str))
                }
                File::Broken(text) => text.clone(),
            }),
        });
        let reading = References::new(Some("{}"), [])
            .map(|references| parse_set(texts.collect(), &references, Options::default()))
            .map_err(|error| error.to_string());
        self.manifests.send_replace(Some(reading));
        self.files = files;
    }

    /// Adds a manifest, or puts it in place of the one of the same service.
    pub fn describe(&mut self, manifest: Manifest) {
        let mut files = self.files.clone();
        files.extend([manifest.file()]);
        self.set_manifests(files);
    }

    /// Removes the manifest of a service.
    pub fn remove(&mut self, name: &str) {
        let mut files = self.files.clone();
        files.remove(&format!("{name}.yaml"));
        self.set_manifests(files);
    }

    /// UpdateService by hand, with these members.
    pub fn update(&self, service: &str, mut members: Value) -> Value {
        members["cluster"] = json!(CLUSTER);
        members["service"] = json!(service);
        self.call(Service::Ecs, "UpdateService", members)
    }

    /// `evenkeel retry`: the newest deployment that failed may be tried again.
    pub fn retry(&self, service: &str) {
        let sight = self.service(service);
        let failed = sight.deployments.iter().find(|deployment| {
            let status = deployment["status"].as_str().unwrap_or_default();
            status.starts_with("ROLLBACK_")
        });
        let value = failed.map(|failed| &failed["serviceDeploymentArn"]);
        let input = json!({
            "resourceArn": sight.service["serviceArn"],
            "tags": [{ "key": "evenkeel:forgiven", "value": value }],
        });
        self.call(Service::Ecs, "TagResource", input);
    }

    /// Lets the health checks of a service fail, or pass again.
    pub fn set_ill(&self, service: &str, is_ill: bool) {
        let what = if is_ill { "ill" } else { "well" };
        self.cloud
            .note(What::Meddled(format!("{service} is {what}")));
        self.cloud
            .with_tasks(|tasks, _| tasks.set_ill(service, is_ill));
    }

    /// Ends every process of a service's tasks.
    pub fn kill_tasks(&self, service: &str) {
        self.cloud
            .note(What::Meddled(format!("the tasks of {service} are killed")));
        self.cloud.with_tasks(|tasks, now| tasks.kill(service, now));
    }

    /// From now on this goes wrong, as [`FaultPlan`] has it in JSON.
    ///
    /// # Panics
    /// When it is no plan.
    pub fn set_faults(&self, plan: &Value) {
        self.cloud.note(What::Meddled(format!("faults: {plan}")));
        let plan = FaultPlan::from_json(plan.to_string().as_bytes());
        assert!(plan.is_ok(), "{plan:?}");
        self.cloud.set_faults(plan.unwrap_or_default());
    }

    /// From now on nothing goes wrong.
    pub fn clear_faults(&self) {
        self.cloud.note(What::Meddled("no faults".to_owned()));
        self.cloud.clear_faults();
    }
}
