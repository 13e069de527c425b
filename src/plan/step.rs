//! The steps of a plan: AWS operations with their inputs.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::{
    desired::Desired,
    diff::Difference,
    document::Document,
    plan::{Hold, tagging},
    tags,
};

/// Stands in an input for the ARN of the revision that the plan registers; it is not known before.
pub const REGISTERED: &str = "(the revision registered by this plan)";

/// Members of UpdateService that start a deployment (API_UpdateService).
pub(super) const STARTS_DEPLOYMENT: &[&str] = &[
    "forceNewDeployment",
    "loadBalancers",
    "monitoring",
    "networkConfiguration",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "taskDefinition",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// One call that changes something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The operation.
    pub operation: Write,
    /// Its input, in the service's own JSON shape.
    pub input: Document,
}

impl Step {
    /// Whether the call starts tasks of a new deployment.
    pub fn starts_deployment(&self) -> bool {
        match self.operation {
            Write::CreateService => true,
            Write::UpdateService => self
                .input
                .keys()
                .any(|member| STARTS_DEPLOYMENT.contains(&member.as_str())),
            Write::CreateLogGroup
            | Write::PutRetentionPolicy
            | Write::DeleteRetentionPolicy
            | Write::RegisterTaskDefinition
            | Write::DeregisterTaskDefinition
            | Write::StopServiceDeployment
            | Write::TagResource
            | Write::UntagResource => false,
        }
    }

    /// Whether the call takes this difference away.
    pub(super) fn mends(&self, difference: &Difference) -> bool {
        let names = |list: &str, key: &str| {
            let items = self.input.get(list).and_then(Value::as_array);
            items.is_some_and(|items| {
                items
                    .iter()
                    .any(|item| item == key || item.get("key").is_some_and(|named| named == key))
            })
        };
        let label = tagging::label_of(difference);
        match self.operation {
            Write::UpdateService if difference.is_in_definition() => {
                self.input.contains_key("taskDefinition")
            }
            Write::UpdateService => {
                difference.root() == "service" && self.input.contains_key(difference.member())
            }
            Write::TagResource => label.is_some_and(|label| names("tags", label)),
            Write::UntagResource => label.is_some_and(|label| names("tagKeys", label)),
            Write::CreateLogGroup | Write::PutRetentionPolicy | Write::DeleteRetentionPolicy => {
                difference.root() == "logGroup"
            }
            Write::CreateService
            | Write::RegisterTaskDefinition
            | Write::DeregisterTaskDefinition
            | Write::StopServiceDeployment => false,
        }
    }

    /// Whether the call changes the service itself, so that it must be as it was planned for.
    pub fn changes_service(&self) -> bool {
        match self.operation {
            Write::CreateService
            | Write::UpdateService
            | Write::StopServiceDeployment
            | Write::TagResource
            | Write::UntagResource => true,
            Write::CreateLogGroup
            | Write::PutRetentionPolicy
            | Write::DeleteRetentionPolicy
            | Write::RegisterTaskDefinition
            | Write::DeregisterTaskDefinition => false,
        }
    }
}

/// The operations that change something. There are no others in Evenkeel's daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// CloudWatch Logs.
    CreateLogGroup,
    /// CloudWatch Logs.
    PutRetentionPolicy,
    /// CloudWatch Logs.
    DeleteRetentionPolicy,
    /// ECS.
    RegisterTaskDefinition,
    /// ECS.
    DeregisterTaskDefinition,
    /// ECS.
    CreateService,
    /// ECS.
    UpdateService,
    /// ECS.
    StopServiceDeployment,
    /// ECS.
    TagResource,
    /// ECS.
    UntagResource,
}

impl Write {
    /// Whether it changes a log group.
    pub fn is_of_log_group(self) -> bool {
        matches!(
            self,
            Self::CreateLogGroup | Self::PutRetentionPolicy | Self::DeleteRetentionPolicy
        )
    }

    /// AWS's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateLogGroup => "CreateLogGroup",
            Self::PutRetentionPolicy => "PutRetentionPolicy",
            Self::DeleteRetentionPolicy => "DeleteRetentionPolicy",
            Self::RegisterTaskDefinition => "RegisterTaskDefinition",
            Self::DeregisterTaskDefinition => "DeregisterTaskDefinition",
            Self::CreateService => "CreateService",
            Self::UpdateService => "UpdateService",
            Self::StopServiceDeployment => "StopServiceDeployment",
            Self::TagResource => "TagResource",
            Self::UntagResource => "UntagResource",
        }
    }
}

impl Serialize for Write {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The call that lifts a hold: the service is told which failed deployment to forget.
pub fn forgive(service_arn: &str, hold: &Hold) -> Step {
    tag(
        service_arn,
        &BTreeMap::from([(tags::FORGIVEN.to_owned(), hold.deployment.clone())]),
    )
}

fn step(operation: Write, input: Value) -> Step {
    let input = match input {
        Value::Object(input) => input,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Document::new()
        }
    };
    Step { operation, input }
}

pub(super) fn create_log_group(name: &str, owner: &str) -> Step {
    step(
        Write::CreateLogGroup,
        json!({"logGroupName": name, "tags": {tags::OWNER: owner}}),
    )
}

pub(super) fn retention(name: &str, days: Option<u32>) -> Step {
    match days {
        Some(days) => step(
            Write::PutRetentionPolicy,
            json!({"logGroupName": name, "retentionInDays": days}),
        ),
        None => step(Write::DeleteRetentionPolicy, json!({"logGroupName": name})),
    }
}

pub(super) fn register(definition: &Document, tags: &BTreeMap<String, String>) -> Step {
    let mut input = definition.clone();
    input.insert("tags".to_owned(), tags::to_list(tags));
    step(Write::RegisterTaskDefinition, Value::Object(input))
}

pub(super) fn deregister(arn: &str) -> Step {
    step(
        Write::DeregisterTaskDefinition,
        json!({"taskDefinition": arn}),
    )
}

pub(super) fn create_service(desired: &Desired, definition: &str) -> Step {
    let manifest = &desired.manifest;
    let mut input = Document::new();
    input.insert("cluster".to_owned(), json!(manifest.cluster));
    input.insert("serviceName".to_owned(), json!(manifest.name));
    input.insert("taskDefinition".to_owned(), json!(definition));
    input.insert(
        "desiredCount".to_owned(),
        json!(manifest.desired_count.unwrap_or(manifest.initial_count)),
    );
    input.extend(desired.service.clone());
    input.insert("tags".to_owned(), tags::to_list(&desired.service_tags()));
    step(Write::CreateService, Value::Object(input))
}

pub(super) fn update_service(cluster: &str, name: &str, changes: Document) -> Step {
    let mut input = Document::new();
    input.insert("cluster".to_owned(), json!(cluster));
    input.insert("service".to_owned(), json!(name));
    input.extend(changes);
    step(Write::UpdateService, Value::Object(input))
}

/// Starts new tasks of what is desired already.
pub(super) fn redeploy(cluster: &str, name: &str) -> Step {
    let force = Document::from_iter([("forceNewDeployment".to_owned(), json!(true))]);
    update_service(cluster, name, force)
}

/// Has ECS take the rollout back to the last one that was completed (API_StopServiceDeployment).
pub(super) fn roll_back(service_deployment: &str) -> Step {
    step(
        Write::StopServiceDeployment,
        json!({"serviceDeploymentArn": service_deployment, "stopType": "ROLLBACK"}),
    )
}

pub(super) fn tag_owner(arn: &str, owner: &str) -> Step {
    tag(
        arn,
        &BTreeMap::from([(tags::OWNER.to_owned(), owner.to_owned())]),
    )
}

pub(super) fn tag(arn: &str, wanted: &BTreeMap<String, String>) -> Step {
    step(
        Write::TagResource,
        json!({"resourceArn": arn, "tags": tags::to_list(wanted)}),
    )
}

pub(super) fn untag(arn: &str, keys: &[String]) -> Step {
    step(
        Write::UntagResource,
        json!({"resourceArn": arn, "tagKeys": keys}),
    )
}
