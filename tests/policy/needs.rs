//! Which actions of IAM a request needs, and on which resources.
//!
//! Actions are called as operations are, but for S3's. What is implied, and which resources an action knows ("*": none):
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html> and its
//! neighbours for Elastic Load Balancing V2, CloudWatch Logs, ECR and S3.

use serde_json::Value;

/// What is called so in every test.
pub const CLUSTER: &str = "evenkeel";
pub const BUCKET: &str = "evenkeel";
const ECS: &str = "arn:aws:ecs:us-east-1:123456789012";
const LOG_GROUP: &str = "arn:aws:logs:us-east-1:123456789012:log-group";

/// An action on a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// `service:Action`.
    pub action: String,
    /// An ARN, or `*`.
    pub resource: String,
}

impl Need {
    /// Whether the policy is about this resource: tests also have other clusters, families, log groups,
    /// repositories and buckets.
    pub fn is_of_the_stack(&self) -> bool {
        let mut parts = self.resource.splitn(6, ':').skip(2);
        let (service, rest) = (parts.next(), parts.nth(2));
        let (Some(service), Some(rest)) = (service, rest) else {
            return true;
        };
        let segments: Vec<_> = rest.split('/').collect();
        match (service, segments[0]) {
            ("ecs", "task-definition") => segments[1].starts_with(&format!("{CLUSTER}-")),
            ("ecs", _) => segments[1] == CLUSTER,
            ("ecr", _) => rest == "repository/api",
            ("logs", _) => rest.starts_with("log-group:/ecs/api"),
            ("s3", bucket) => bucket == BUCKET,
            (_, _) => true,
        }
    }
}

/// What this request needs.
pub fn of(service: &str, operation: &str, input: &Value) -> Vec<Need> {
    assert!(
        input["tooLong"].is_null(),
        "the journal has not kept the input of {operation}"
    );
    let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
    let texts = |key: &str| -> Vec<String> {
        let items = input[key].as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let in_cluster = |kind: &str, name: &str| {
        let (cluster, name) = (text("cluster"), short(name));
        format!("{ECS}:{kind}/{}/{name}", short(&cluster))
    };
    let all = || vec!["*".to_owned()];
    let service_itself = || vec![in_cluster("service", &text("service"))];
    let action = match operation {
        "ListObjectsV2" => "ListBucket",
        "HeadObject" => "GetObject",
        other => other,
    };
    let resources = match (service, operation) {
        ("ecs", "DescribeClusters") => {
            let clusters = texts("clusters").into_iter();
            clusters
                .map(|cluster| format!("{ECS}:cluster/{}", short(&cluster)))
                .collect()
        }
        ("ecs", "DescribeServices") => {
            let services = texts("services").into_iter();
            services
                .map(|service| in_cluster("service", &service))
                .collect()
        }
        ("ecs", "CreateService") => vec![in_cluster("service", &text("serviceName"))],
        ("ecs", "UpdateService" | "ListServiceDeployments") => service_itself(),
        ("ecs", "DescribeServiceDeployments") => with_services(texts("serviceDeploymentArns")),
        ("ecs", "DescribeServiceRevisions") => with_services(texts("serviceRevisionArns")),
        ("ecs", "StopServiceDeployment") => with_services(vec![text("serviceDeploymentArn")]),
        ("ecs", "DescribeTasks") => {
            let tasks = texts("tasks").into_iter();
            tasks.map(|task| in_cluster("task", &task)).collect()
        }
        ("ecs", "RegisterTaskDefinition") => vec![new_definition(&text("family"))],
        ("ecs", "TagResource" | "UntagResource") | ("logs", "ListTagsForResource") => {
            vec![text("resourceArn")]
        }
        (
            "ecs",
            "DescribeTaskDefinition"
            | "DeregisterTaskDefinition"
            | "ListTaskDefinitions"
            | "ListServices"
            | "ListTasks",
        )
        | ("elasticloadbalancing", "DescribeTargetHealth")
        | ("logs", "DescribeLogGroups") => all(),
        ("logs", "GetLogEvents") => vec![format!(
            "{LOG_GROUP}:{}:log-stream:{}",
            text("logGroupName"),
            text("logStreamName")
        )],
        ("logs", "CreateLogGroup" | "PutRetentionPolicy" | "DeleteRetentionPolicy") => {
            vec![format!("{LOG_GROUP}:{}:*", text("logGroupName"))]
        }
        ("ecr", "DescribeImages") => vec![format!(
            "arn:aws:ecr:us-east-1:{}:repository/{}",
            text("registryId"),
            text("repositoryName")
        )],
        ("s3", "ListObjectsV2") => vec![format!("arn:aws:s3:::{}", text("Bucket"))],
        ("s3", "GetObject" | "HeadObject" | "PutObject") => {
            vec![format!("arn:aws:s3:::{}/{}", text("Bucket"), text("Key"))]
        }
        (service, operation) => {
            panic!(
                "which resource does {service}:{operation} need? Say so in tests/policy/needs.rs"
            )
        }
    };
    let need = |action: &str, resource: String| Need {
        action: action.to_owned(),
        resource,
    };
    let action = format!("{service}:{action}");
    let mut needs: Vec<_> = resources
        .into_iter()
        .map(|resource| need(&action, resource))
        .collect();
    // Tags that come with what is made; a role that ECS is given.
    // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html
    // https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    let has_tags = !input["tags"].is_null();
    match operation {
        "CreateService" if has_tags => {
            needs.push(need("ecs:TagResource", needs[0].resource.clone()));
        }
        "RegisterTaskDefinition" => {
            if has_tags {
                needs.push(need("ecs:TagResource", new_definition(&text("family"))));
            }
            let roles = ["executionRoleArn", "taskRoleArn"].map(text).into_iter();
            let roles = roles.filter(|role| !role.is_empty());
            needs.extend(roles.map(|role| need("iam:PassRole", role)));
        }
        "CreateLogGroup" if has_tags => {
            let group = format!("{LOG_GROUP}:{}", text("logGroupName"));
            needs.push(need("logs:TagResource", group));
        }
        _ => {}
    }
    needs
}

/// The definition that is to be registered has no revision yet.
fn new_definition(family: &str) -> String {
    format!("{ECS}:task-definition/{family}")
}

/// These deployments or revisions, and the services that they are of: both are asked for.
fn with_services(arns: Vec<String>) -> Vec<String> {
    let services: Vec<_> = arns
        .iter()
        .map(|arn| {
            let mut segments = arn.split('/').skip(1);
            let (cluster, service) = (segments.next().unwrap(), segments.next().unwrap());
            format!("{ECS}:service/{cluster}/{service}")
        })
        .collect();
    [arns, services].concat()
}

fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
