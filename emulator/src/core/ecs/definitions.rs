//! Task definitions: families and their revisions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    containers,
    tags::{self, Tags},
};
use crate::core::{
    ApiError, Call, Cloud, Reply,
    error::{client, invalid, limit},
    input::Input,
    time::seconds,
};

pub(super) const CODE: &str = "ClientException";
const FAMILIES: usize = 10_000;
const REVISIONS: usize = 10_000;
/// Source: <https://docs.aws.amazon.com/general/latest/gr/ecs-service.html>
const DEFINITION_BYTES: usize = 64 * 1024;

/// The revisions of one family, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Family {
    pub(super) revisions: BTreeMap<u64, Definition>,
    /// The highest number given out, even if that revision has been deleted since.
    last: u64,
}

/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Active,
    /// Deregistered.
    Inactive,
    /// Gone as soon as nothing refers to it; asked for at this time.
    Deleting(Timestamp),
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Deleting(_) => "DELETE_IN_PROGRESS",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub(super) arn: String,
    pub(super) state: State,
    /// As DescribeTaskDefinition returns it, but for what deregistering changes.
    pub(super) document: Value,
    pub(super) tags: Tags,
    pub(super) deregistered: Option<Timestamp>,
}

impl Definition {
    pub(super) fn containers(&self) -> &[Value] {
        self.document
            .get("containerDefinitions")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.document.get(key)?.as_str()
    }

    /// Whether it can run on Fargate.
    pub(super) fn fits_fargate(&self) -> bool {
        let compatible = self.document.get("compatibilities");
        compatible
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|item| item == "FARGATE"))
    }

    pub(super) fn is_active(&self) -> bool {
        self.state == State::Active
    }

    pub(super) fn view(&self) -> Value {
        let mut view = self.document.clone();
        if let Some(map) = view.as_object_mut() {
            map.insert("status".to_owned(), Value::from(self.state.word()));
            if let State::Deleting(at) = self.state {
                map.insert("deleteRequestedAt".to_owned(), seconds(at));
            }
            if let Some(at) = self.deregistered {
                map.insert("deregisteredAt".to_owned(), seconds(at));
            }
        }
        view
    }
}

impl super::Ecs {
    /// A definition by its ARN.
    pub(super) fn definition(&self, arn: &str) -> Option<&Definition> {
        let (family, revision) = family_and_revision(arn)?;
        self.families
            .get(family)?
            .revisions
            .get(&revision)
            .filter(|definition| definition.arn == arn)
    }

    pub(super) fn definition_mut(&mut self, arn: &str) -> Option<&mut Definition> {
        let (family, revision) = family_and_revision(arn)?;
        self.families
            .get_mut(family)?
            .revisions
            .get_mut(&revision)
            .filter(|definition| definition.arn == arn)
    }
}

pub(super) fn family_and_revision(arn: &str) -> Option<(&str, u64)> {
    let (family, revision) = arn.rsplit_once('/')?.1.split_once(':')?;
    Some((family, revision.parse().ok()?))
}

impl Cloud {
    /// `family` (its latest active revision), `family:revision` or an ARN.
    pub(super) fn find_definition(&self, reference: &str) -> Option<&Definition> {
        let name = reference
            .strip_prefix(&self.ids.arn("ecs", "task-definition/"))
            .unwrap_or(reference);
        match name.split_once(':') {
            Some((family, revision)) => self
                .ecs
                .families
                .get(family)?
                .revisions
                .get(&revision.parse().ok()?),
            None => {
                let family = self.ecs.families.get(name)?;
                family.revisions.values().rev().find(|d| d.is_active())
            }
        }
    }

    /// The definition that a service is to run.
    pub(super) fn usable_definition(&self, reference: &str) -> Result<&Definition, ApiError> {
        let definition = self
            .find_definition(reference)
            .ok_or_else(|| client("TaskDefinition not found."))?;
        if !definition.is_active() {
            return Err(client("TaskDefinition is inactive"));
        }
        Ok(definition)
    }

    pub(super) fn register_definition(
        &mut self,
        call: &Call,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let members = [
            "family",
            "taskRoleArn",
            "executionRoleArn",
            "networkMode",
            "containerDefinitions",
            "volumes",
            "placementConstraints",
            "requiresCompatibilities",
            "cpu",
            "memory",
            "tags",
            "pidMode",
            "ipcMode",
            "proxyConfiguration",
            "inferenceAccelerators",
            "ephemeralStorage",
            "runtimePlatform",
            "enableFaultInjection",
        ];
        let input = Input::new(&call.input, CODE, &members)?;
        let family = input.need("family")?;
        super::clusters::check_name(family, "Family").map_err(|error| client(error.message))?;
        let tags = tags::read(&input)?;
        if call.input.to_string().len() > DEFINITION_BYTES {
            return Err(client(
                "Actual length of the task definition exceeds the limit of 64 KB.",
            ));
        }
        let mut document = containers::normalized(&input)?;
        self.shuffle(&mut document);
        let families = &self.ecs.families;
        let known = families.get(family);
        let revision = known.map_or(1, |family| family.last + 1);
        if known.is_none() && families.len() >= FAMILIES
            || known.is_some_and(|family| family.revisions.len() >= REVISIONS)
        {
            return Err(limit(
                "The emulator holds at most 10000 families and 10000 revisions of each.",
            ));
        }
        let arn = self
            .ids
            .arn("ecs", &format!("task-definition/{family}:{revision}"));
        let mut full = Map::new();
        full.insert("taskDefinitionArn".to_owned(), Value::from(arn.clone()));
        full.append(&mut document);
        full.insert("family".to_owned(), Value::from(family));
        full.insert("revision".to_owned(), Value::from(revision));
        full.insert("registeredAt".to_owned(), seconds(now));
        let caller = self.ids.caller(&call.caller);
        full.insert("registeredBy".to_owned(), Value::from(caller));
        let definition = Definition {
            arn,
            state: State::Active,
            document: Value::Object(full),
            tags,
            deregistered: None,
        };
        let mut reply = json!({ "taskDefinition": definition.view() });
        if !definition.tags.is_empty()
            && let Some(map) = reply.as_object_mut()
        {
            map.insert("tags".to_owned(), Value::from(tags::view(&definition.tags)));
        }
        let family = self.ecs.families.entry(family.to_owned()).or_default();
        family.last = revision;
        family.revisions.insert(revision, definition);
        Ok(reply)
    }

    /// ECS keeps these in no order. Ports stay in theirs: the first is the one that a process is told as `PORT`.
    fn shuffle(&mut self, document: &mut Map<String, Value>) {
        for key in [
            "compatibilities",
            "requiresAttributes",
            "containerDefinitions",
        ] {
            if let Some(Value::Array(list)) = document.get_mut(key) {
                self.ids.shuffle(list);
            }
        }
        let containers = document.get_mut("containerDefinitions");
        let containers = containers.and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            for key in ["environment", "secrets"] {
                if let Some(Value::Array(list)) = container.get_mut(key) {
                    self.ids.shuffle(list);
                }
            }
        }
    }

    pub(super) fn describe_definition(&self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["taskDefinition", "include"])?;
        let include = input.texts("include")?;
        if include.iter().any(|word| *word != "TAGS") {
            return Err(invalid("include should be one of [TAGS]"));
        }
        let definition = self
            .find_definition(input.need("taskDefinition")?)
            .ok_or_else(|| client("Unable to describe task definition."))?;
        let mut reply = json!({ "taskDefinition": definition.view() });
        if !include.is_empty()
            && let Some(map) = reply.as_object_mut()
        {
            map.insert("tags".to_owned(), Value::from(tags::view(&definition.tags)));
        }
        Ok(reply)
    }

    /// Whether a deployment or a task still runs it.
    pub(super) fn is_referenced(&self, arn: &str) -> bool {
        let deployed = |service: &super::Service| {
            service
                .deployments
                .iter()
                .any(|d| d.shape.definition == arn)
        };
        self.ecs.services.values().any(deployed)
            || self.ecs.tasks.values().any(|task| task.definition == arn)
    }
}
