//! Task definitions: families and their revisions.

use std::{cmp::Reverse, collections::BTreeMap};

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
    page::{Paging, with_token},
    time::seconds,
};

const CODE: &str = "ClientException";
const FAMILIES: usize = 10_000;
const REVISIONS: usize = 10_000;
/// Source: <https://docs.aws.amazon.com/general/latest/gr/ecs-service.html>
const DEFINITION_BYTES: usize = 64 * 1024;
const PAGING: Paging = Paging {
    token: "nextToken",
    limit: "maxResults",
    default: 100,
    max: 100,
};

/// The revisions of one family, by number.
#[derive(Debug, Default)]
pub(super) struct Family {
    revisions: BTreeMap<u64, Definition>,
}

#[derive(Debug)]
pub(super) struct Definition {
    pub(super) arn: String,
    active: bool,
    /// As DescribeTaskDefinition returns it, but for what deregistering changes.
    pub(super) document: Value,
    pub(super) tags: Tags,
    deregistered: Option<Timestamp>,
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

    fn view(&self) -> Value {
        let mut view = self.document.clone();
        if let Some(map) = view.as_object_mut() {
            let status = if self.active { "ACTIVE" } else { "INACTIVE" };
            map.insert("status".to_owned(), Value::from(status));
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

fn family_and_revision(arn: &str) -> Option<(&str, u64)> {
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
                family.revisions.values().rev().find(|d| d.active)
            }
        }
    }

    /// The definition that a service is to run.
    pub(super) fn usable_definition(&self, reference: &str) -> Result<&Definition, ApiError> {
        let definition = self
            .find_definition(reference)
            .ok_or_else(|| client("TaskDefinition not found."))?;
        if !definition.active {
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
        for list in ["compatibilities"] {
            if let Some(Value::Array(list)) = document.get_mut(list) {
                self.ids.shuffle(list);
            }
        }
        for container in document
            .get_mut("containerDefinitions")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(Value::Array(list)) = container.get_mut("environment") {
                self.ids.shuffle(list);
            }
        }
        let families = &self.ecs.families;
        let known = families.get(family);
        let revision = known
            .and_then(|family| family.revisions.keys().next_back())
            .map_or(1, |last| last + 1);
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
            active: true,
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
        family.revisions.insert(revision, definition);
        Ok(reply)
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

    pub(super) fn deregister_definition(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["taskDefinition"])?;
        let reference = input.need("taskDefinition")?;
        let name = reference
            .strip_prefix(&self.ids.arn("ecs", "task-definition/"))
            .unwrap_or(reference);
        if !name.contains(':') {
            return Err(invalid("Invalid revision number. Number: null"));
        }
        let arn = self
            .find_definition(reference)
            .map(|definition| definition.arn.clone());
        let definition = arn
            .and_then(|arn| self.ecs.definition_mut(&arn))
            .ok_or_else(|| client("The specified task definition does not exist."))?;
        if definition.active {
            definition.active = false;
            definition.deregistered = Some(now);
        }
        Ok(json!({ "taskDefinition": definition.view() }))
    }

    pub(super) fn list_definitions(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["familyPrefix", "status", "sort", "nextToken", "maxResults"];
        let input = Input::new(input, CODE, &members)?;
        let family = input.text("familyPrefix")?;
        let active = input.word("status", &["ACTIVE", "INACTIVE"])? != Some("INACTIVE");
        let descending = input.word("sort", &["ASC", "DESC"])? == Some("DESC");
        let mut found: Vec<(&String, u64, &Definition)> = self
            .ecs
            .families
            .iter()
            .filter(|(name, _)| family.is_none_or(|family| *name == family))
            .flat_map(|(name, family)| family.revisions.iter().map(move |(n, d)| (name, *n, d)))
            .filter(|(_, _, definition)| definition.active == active)
            .filter(|(_, _, definition)| active || self.is_referenced(&definition.arn))
            .collect();
        if descending {
            found.sort_by_key(|(name, revision, _)| Reverse((*name, *revision)));
        }
        // Keys must ascend in either direction, and survive new revisions between two pages.
        let keyed = found.into_iter().map(|(name, revision, definition)| {
            let key = format!("{name}:{revision:020}");
            let key = if descending { flipped(&key) } else { key };
            (key, definition.arn.clone())
        });
        let (page, next) = PAGING.cut(&input, keyed)?;
        Ok(with_token(json!({ "taskDefinitionArns": page }), next))
    }

    pub(super) fn list_families(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["familyPrefix", "status", "nextToken", "maxResults"];
        let input = Input::new(input, CODE, &members)?;
        let prefix = input.text("familyPrefix")?.unwrap_or_default();
        let status = input
            .word("status", &["ACTIVE", "INACTIVE", "ALL"])?
            .unwrap_or("ALL");
        let wanted = self.ecs.families.iter().filter(|(name, family)| {
            let active = family.revisions.values().any(|d| d.active);
            name.starts_with(prefix) && (status == "ALL" || active == (status == "ACTIVE"))
        });
        let (page, next) = PAGING.cut(&input, wanted.map(|(name, _)| (name.clone(), name)))?;
        Ok(with_token(json!({ "families": page }), next))
    }

    /// Whether a deployment or a task still runs it.
    fn is_referenced(&self, arn: &str) -> bool {
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

/// A text that sorts the other way round.
fn flipped(text: &str) -> String {
    text.bytes()
        .map(|byte| char::from(0x7f - (byte & 0x7f)))
        .chain(['\u{7f}'])
        .collect()
}
