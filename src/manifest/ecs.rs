//! ECS's own names: the shapes of RegisterTaskDefinition and CreateService.
//!
//! The table comes from ECS's API model; `scripts/ecs-fields.py` writes it.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

/// The two blocks of a manifest that are ECS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    TaskDefinition,
    Service,
}

/// The table as the script writes it.
#[derive(Debug, Deserialize)]
pub(super) struct Table {
    roots: Roots,
    structures: BTreeMap<String, Structure>,
    pub(super) enums: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Roots {
    task_definition: String,
    service: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Structure {
    pub(super) members: BTreeMap<String, Shape>,
    #[serde(default)]
    pub(super) required: Vec<String>,
}

/// A type of ECS's API model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Shape {
    String,
    Integer,
    Long,
    Double,
    Boolean,
    Structure(String),
    Enum(String),
    List(Box<Shape>),
    Map(Box<Shape>),
}

pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the table is part of the program, and a test reads it"
    )]
    serde_json::from_str(include_str!("ecs_fields.json")).expect("ecs_fields.json is whole")
});

static NO_STRUCTURE: LazyLock<Structure> = LazyLock::new(Structure::default);

impl Table {
    pub(super) fn structure(&self, name: &str) -> &Structure {
        self.structures.get(name).unwrap_or(&NO_STRUCTURE)
    }

    pub(super) fn root(&self, block: Block) -> &Structure {
        self.structure(match block {
            Block::TaskDefinition => &self.roots.task_definition,
            Block::Service => &self.roots.service,
        })
    }
}

impl Block {
    /// The names of the block's fields, as ECS has them.
    pub(super) fn fields(self) -> impl Iterator<Item = &'static str> {
        TABLE.root(self).members.keys().map(String::as_str)
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::TaskDefinition => "spec.taskDefinition",
            Self::Service => "spec.service",
        }
    }

    /// Fields of the operation that the envelope or Evenkeel gives, and where they belong instead.
    pub(super) fn reserved(self, field: &str) -> Option<&'static str> {
        match (self, field) {
            (Self::Service, "cluster") => Some("put it in spec.cluster"),
            (Self::Service, "serviceName") => Some("put it in metadata.name"),
            (Self::Service, "taskDefinition") => {
                Some("describe the task definition in spec.taskDefinition")
            }
            (Self::Service | Self::TaskDefinition, "tags") => Some("put them in metadata.labels"),
            (Self::Service, "clientToken") => {
                Some("remove it: a service is created once, and a token would outlive it")
            }
            (Self::Service, "role") => {
                Some("remove it: ECS uses its service-linked role, AWSServiceRoleForECS")
            }
            (Self::Service, "monitoring" | "gatewayConnectors") => Some(
                "remove it: DescribeServices does not show it, so nobody could tell whether it is so",
            ),
            _ => None,
        }
    }

    /// Fields that AWS prints and nobody can set.
    pub(super) fn filled_in_by_aws(self, field: &str) -> bool {
        match self {
            Self::Service => matches!(
                field,
                "serviceArn"
                    | "clusterArn"
                    | "status"
                    | "runningCount"
                    | "pendingCount"
                    | "deployments"
                    | "taskSets"
                    | "roleArn"
                    | "events"
                    | "createdAt"
                    | "createdBy"
                    | "platformFamily"
                    | "currentServiceDeployment"
                    | "currentServiceRevisions"
                    | "resourceManagementType"
            ),
            Self::TaskDefinition => matches!(
                field,
                "taskDefinitionArn"
                    | "revision"
                    | "status"
                    | "requiresAttributes"
                    | "compatibilities"
                    | "registeredAt"
                    | "registeredBy"
                    | "deregisteredAt"
                    | "deleteRequestedAt"
            ),
        }
    }
}

/// Whether AWS prints this member of a task definition and nobody can set it.
#[must_use]
pub fn is_filled_in_definition(member: &str) -> bool {
    Block::TaskDefinition.filled_in_by_aws(member)
}

impl Shape {
    /// What it is, in a message.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer | Self::Long => "a whole number",
            Self::Double => "a number",
            Self::Boolean => "true or false",
            Self::Enum(_) => "a word",
            Self::List(_) => "a list",
            Self::Structure(_) | Self::Map(_) => "a mapping",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_knows_the_fields_of_old() {
        let has = |block: Block, field: &str| block.fields().any(|known| known == field);
        assert!(has(Block::TaskDefinition, "containerDefinitions"));
        assert!(has(Block::TaskDefinition, "family"));
        assert!(has(Block::Service, "deploymentConfiguration"));
        assert!(has(Block::Service, "desiredCount"));
        assert!(!has(Block::Service, "replicas"));
        let launch = TABLE.enums.get("LaunchType").expect("an enum of old");
        assert!(launch.contains(&"FARGATE".to_owned()));
    }

    #[test]
    fn every_name_the_table_mentions_is_in_it() {
        fn check(shape: &Shape) {
            match shape {
                Shape::Structure(name) => assert!(TABLE.structures.contains_key(name), "{name}"),
                Shape::Enum(name) => assert!(TABLE.enums.contains_key(name), "{name}"),
                Shape::List(inner) | Shape::Map(inner) => check(inner),
                Shape::String | Shape::Integer | Shape::Long | Shape::Double | Shape::Boolean => {}
            }
        }
        for structure in TABLE.structures.values() {
            structure.members.values().for_each(check);
            for required in &structure.required {
                assert!(structure.members.contains_key(required), "{required}");
            }
        }
        for block in [Block::TaskDefinition, Block::Service] {
            assert!(!TABLE.root(block).members.is_empty());
        }
    }
}
