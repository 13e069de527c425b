//! From a task definition to what the driver starts: images, secrets, log streams.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::{secrets, task::Task};
use crate::core::{Cloud, ContainerLaunch, LocalImage, LogTarget, Port, TaskLaunch, ecr::Found};

/// Why a task cannot start, in ECS's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StartError {
    /// The image is not there; ECS tries for a while.
    Pull(String),
    /// A secret or a log group is not there.
    Resource(String),
}

/// Source of the default: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>
const STOP_TIMEOUT: u64 = 30;

impl Cloud {
    /// Resolves everything that a task needs. The deployment's first task pins the tags for those that follow.
    pub(super) fn resolve(
        &mut self,
        task: &Task,
        now: Timestamp,
    ) -> Result<(TaskLaunch, BTreeMap<String, String>), StartError> {
        let Some(definition) = self.ecs.definition(&task.definition) else {
            let reason = "ResourceInitializationError: the task definition is gone";
            return Err(StartError::Resource(reason.to_owned()));
        };
        let definitions = definition.containers().to_vec();
        let mut digests = self.pinned(task);
        let mut containers = Vec::new();
        for container in &definitions {
            let name = text(container, "name").to_owned();
            let consistent = text(container, "versionConsistency") != "disabled";
            let pinned = digests.get(&name).filter(|_| consistent).cloned();
            let (digest, image) = self.image(text(container, "image"), pinned.as_deref())?;
            digests.insert(name.clone(), digest);
            let said = task.overrides.iter().find(|o| o.name == name);
            let mut environment = self.environment(container)?;
            environment.extend(said.into_iter().flat_map(|o| o.environment.clone()));
            containers.push(ContainerLaunch {
                command: said
                    .and_then(|o| o.command.clone())
                    .or_else(|| command(container)),
                environment,
                ports: ports(container),
                log: self.log(container, task, now)?,
                stop_timeout: Duration::from_secs(
                    container
                        .get("stopTimeout")
                        .and_then(Value::as_u64)
                        .unwrap_or(STOP_TIMEOUT),
                ),
                name,
                image,
            });
        }
        let launch = TaskLaunch {
            task: task.arn.clone(),
            address: task.address,
            group: task.origin.group(),
            containers,
        };
        Ok((launch, digests))
    }

    fn pinned(&self, task: &Task) -> BTreeMap<String, String> {
        let service = task.service().and_then(|arn| self.ecs.services.get(arn));
        service
            .into_iter()
            .flat_map(|service| &service.revisions)
            .find(|revision| task.deployment() == Some(&revision.id))
            .map(|revision| revision.digests.clone())
            .unwrap_or_default()
    }

    fn image(
        &self,
        reference: &str,
        pinned: Option<&str>,
    ) -> Result<(String, LocalImage), StartError> {
        let found = reference
            .strip_prefix(&self.registry())
            .and_then(|path| path.strip_prefix('/'))
            .map_or(Found::Missing, |path| {
                let (repository, tag, digest) = split(path);
                let tag = tag.or(Some("latest"));
                self.ecr.find(repository, tag, pinned.or(digest))
            });
        match found {
            Found::Runnable(digest, image) => Ok((digest, image)),
            Found::Foreign => Err(StartError::Pull(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor matching platform 'linux/amd64'".to_owned(),
            )),
            Found::Missing => Err(StartError::Pull(format!(
                "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref {reference}: {reference}: not found"
            ))),
        }
    }

    /// The definition's environment, with the secrets' values in it.
    fn environment(&self, container: &Value) -> Result<BTreeMap<String, String>, StartError> {
        let mut environment: BTreeMap<String, String> = items(container, "environment")
            .map(|pair| {
                (
                    text(pair, "name").to_owned(),
                    text(pair, "value").to_owned(),
                )
            })
            .collect();
        for secret in items(container, "secrets") {
            let value = secrets::value(&self.settings.secrets, text(secret, "valueFrom")).map_err(|why| {
                StartError::Resource(format!(
                    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: {why}"
                ))
            })?;
            environment.insert(text(secret, "name").to_owned(), value);
        }
        Ok(environment)
    }

    fn log(
        &mut self,
        container: &Value,
        task: &Task,
        now: Timestamp,
    ) -> Result<Option<LogTarget>, StartError> {
        let Some(options) = container.pointer("/logConfiguration/options") else {
            return Ok(None);
        };
        let group = text(options, "awslogs-group").to_owned();
        if text(options, "awslogs-create-group") == "true" {
            self.logs.ensure_group(&group, now);
        }
        if !self.logs.has_group(&group) {
            return Err(StartError::Resource(format!(
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1 (log group {group})"
            )));
        }
        let prefix = text(options, "awslogs-stream-prefix");
        let log = LogTarget {
            group,
            stream: format!("{prefix}/{}/{}", text(container, "name"), task.id),
        };
        self.logs.open_stream(&log, now);
        Ok(Some(log))
    }
}

/// `repository[:tag][@digest]`.
fn split(path: &str) -> (&str, Option<&str>, Option<&str>) {
    let (name, digest) = match path.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (path, None),
    };
    match name.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag), digest),
        None => (name, None, digest),
    }
}

pub(super) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(object: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    object
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn command(container: &Value) -> Option<Vec<String>> {
    let words: Vec<String> = items(container, "command")
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect();
    (!words.is_empty()).then_some(words)
}

fn ports(container: &Value) -> Vec<Port> {
    items(container, "portMappings")
        .filter_map(|mapping| {
            let port = mapping.get("containerPort")?.as_u64()?;
            Some(Port {
                name: mapping
                    .get("name")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                container_port: u16::try_from(port).ok()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn references_name_a_tag_a_digest_or_both() {
        assert_eq!(split("api"), ("api", None, None));
        assert_eq!(split("shop/api:1.0"), ("shop/api", Some("1.0"), None));
        assert_eq!(
            split("api:1@sha256:ab"),
            ("api", Some("1"), Some("sha256:ab"))
        );
        assert_eq!(split("api@sha256:ab"), ("api", None, Some("sha256:ab")));
    }
}
