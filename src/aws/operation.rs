//! Every operation of AWS that Evenkeel uses. The daemon's IAM policy is this list, without what only commands call.

use crate::{aws::budget::Bucket, plan::Write};

/// An operation: its service and name as IAM writes them, and the bucket that it spends from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// IAM's prefix, such as `ecs`.
    pub service: &'static str,
    /// The API's name.
    pub name: &'static str,
    /// The bucket that it spends from.
    pub bucket: Bucket,
    /// Whether only the daemon that acts may call it.
    pub(super) is_fenced: bool,
}

const fn ecs(name: &'static str, bucket: Bucket) -> Operation {
    Operation {
        service: "ecs",
        name,
        bucket,
        is_fenced: false,
    }
}

const fn elb(name: &'static str) -> Operation {
    Operation {
        service: "elasticloadbalancing",
        name,
        bucket: Bucket::LoadBalancing,
        is_fenced: false,
    }
}

/// The lease and the manifests are no services: whoever may write them does.
const fn s3(name: &'static str) -> Operation {
    Operation {
        service: "s3",
        name,
        bucket: Bucket::Objects,
        is_fenced: false,
    }
}

const fn logs(name: &'static str, bucket: Bucket) -> Operation {
    Operation {
        service: "logs",
        name,
        bucket,
        is_fenced: false,
    }
}

impl Operation {
    pub(super) const DESCRIBE_SERVICES: Self = ecs("DescribeServices", Bucket::ServiceRead);
    pub(super) const DESCRIBE_CLUSTERS: Self = ecs("DescribeClusters", Bucket::ClusterRead);
    pub(super) const LIST_SERVICES: Self = ecs("ListServices", Bucket::ServiceRead);
    pub(super) const DESCRIBE_TASK_DEFINITION: Self =
        ecs("DescribeTaskDefinition", Bucket::TaskDefinitionRead);
    pub(super) const LIST_TASK_DEFINITIONS: Self =
        ecs("ListTaskDefinitions", Bucket::TaskDefinitionRead);
    pub(super) const LIST_SERVICE_DEPLOYMENTS: Self =
        ecs("ListServiceDeployments", Bucket::ServiceDeployment);
    pub(super) const DESCRIBE_SERVICE_DEPLOYMENTS: Self =
        ecs("DescribeServiceDeployments", Bucket::ServiceDeployment);
    pub(super) const DESCRIBE_SERVICE_REVISIONS: Self =
        ecs("DescribeServiceRevisions", Bucket::ServiceRevision);
    pub(super) const LIST_TASKS: Self = ecs("ListTasks", Bucket::ClusterResourceRead);
    pub(super) const DESCRIBE_TASKS: Self = ecs("DescribeTasks", Bucket::ClusterResourceRead);
    pub(super) const DESCRIBE_TARGET_HEALTH: Self = elb("DescribeTargetHealth");
    pub(super) const DESCRIBE_IMAGES: Self = Self {
        service: "ecr",
        name: "DescribeImages",
        bucket: Bucket::Images,
        is_fenced: false,
    };
    pub(super) const DESCRIBE_LOG_GROUPS: Self = logs("DescribeLogGroups", Bucket::Logs);
    pub(super) const LIST_LOG_GROUP_TAGS: Self = logs("ListTagsForResource", Bucket::Logs);
    pub(super) const GET_LOG_EVENTS: Self = logs("GetLogEvents", Bucket::Logs);
    pub(super) const LIST_OBJECTS: Self = s3("ListObjectsV2");
    pub(super) const GET_OBJECT: Self = s3("GetObject");
    pub(super) const PUT_OBJECT: Self = s3("PutObject");

    // What only commands of people call.
    pub(super) const DELETE_SERVICE: Self = ecs("DeleteService", Bucket::ServiceModify).fenced();
    pub(super) const DELETE_OBJECT: Self = s3("DeleteObject");
    pub(super) const DESCRIBE_TARGET_GROUPS: Self = elb("DescribeTargetGroups");
    pub(super) const FILTER_LOG_EVENTS: Self = logs("FilterLogEvents", Bucket::LogSearch);

    /// The operation of a plan's step.
    pub(super) fn of(write: Write) -> Self {
        let operation = match write {
            Write::CreateLogGroup => logs(write.name(), Bucket::Logs),
            Write::PutRetentionPolicy | Write::DeleteRetentionPolicy => {
                logs(write.name(), Bucket::LogRetention)
            }
            Write::RegisterTaskDefinition | Write::DeregisterTaskDefinition => {
                ecs(write.name(), Bucket::TaskDefinitionModify)
            }
            // StopServiceDeployment's own limit is not published.
            Write::CreateService | Write::UpdateService | Write::StopServiceDeployment => {
                ecs(write.name(), Bucket::ServiceModify)
            }
            Write::TagResource | Write::UntagResource => ecs(write.name(), Bucket::TagModify),
        };
        operation.fenced()
    }

    const fn fenced(self) -> Self {
        Self {
            is_fenced: true,
            ..self
        }
    }
}
