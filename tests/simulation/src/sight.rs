//! What a call is about, as AWS has it: looked at through the core's own reads, which no fault touches.

use emulator::{
    core::{Call, Service},
    faults::{Answer, End, Unreliable},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::furniture::CLUSTER;

/// What a write changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A service, by name.
    Service(String),
    /// A family of task definitions.
    Family(String),
    /// A log group, by name.
    LogGroup(String),
    /// Nothing that is looked at: load balancers, images, objects.
    Other,
}

/// One subject as AWS has it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sight {
    /// The service with its tags; `Null` when there is none, or none any more.
    pub service: Value,
    /// Its service deployments, newest first.
    pub deployments: Vec<Value>,
    /// Their target service revisions, by ARN, each with its `definition`.
    pub revisions: Vec<Value>,
    /// The active definitions of the family, oldest first, each with its `tags`.
    pub definitions: Vec<Value>,
    /// The log group with its `tags`; `Null` when there is none.
    pub log_group: Value,
}

impl Subject {
    /// What a call is about.
    #[must_use]
    pub fn of(service: Service, operation: &str, input: &Value) -> Self {
        let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
        match (service, operation) {
            (Service::Ecs, "CreateService") => Self::Service(last(text("serviceName"))),
            (Service::Ecs, "UpdateService" | "DeleteService") => {
                Self::Service(last(text("service")))
            }
            (Service::Ecs, "StopServiceDeployment") => of_arn(text("serviceDeploymentArn")),
            (Service::Ecs, "TagResource" | "UntagResource") => of_arn(text("resourceArn")),
            (Service::Ecs, "RegisterTaskDefinition") => Self::Family(text("family").to_owned()),
            (Service::Ecs, "DeregisterTaskDefinition") => family(text("taskDefinition")),
            (Service::Logs, "CreateLogGroup" | "PutRetentionPolicy" | "DeleteRetentionPolicy") => {
                Self::LogGroup(text("logGroupName").to_owned())
            }
            _ => Self::Other,
        }
    }

    /// How it is now.
    pub fn look(&self, cloud: &mut Unreliable, now: Timestamp) -> Sight {
        let mut look = Look { cloud, now };
        match self {
            Self::Service(name) => look.service(name),
            Self::Family(family) => Sight {
                definitions: look.definitions(family),
                ..Sight::default()
            },
            Self::LogGroup(name) => Sight {
                log_group: look.log_group(name),
                ..Sight::default()
            },
            Self::Other => Sight::default(),
        }
    }
}

fn last(name_or_arn: &str) -> String {
    name_or_arn
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn family(definition: &str) -> Subject {
    let name = last(definition);
    let family = name
        .split_once(':')
        .map_or(name.as_str(), |(family, _)| family);
    Subject::Family(family.to_owned())
}

/// `…:service/CLUSTER/NAME`, `…:service-deployment/CLUSTER/NAME/ID`, `…:task-definition/FAMILY:REVISION`.
fn of_arn(arn: &str) -> Subject {
    let mut parts = arn
        .rsplit_once(':')
        .map_or(arn, |(_, rest)| rest)
        .split('/');
    match (parts.next(), parts.nth(1)) {
        (Some("service" | "service-deployment"), Some(name)) => Subject::Service(name.to_owned()),
        _ if arn.contains(":task-definition/") => family(arn),
        _ => Subject::Other,
    }
}

struct Look<'a> {
    cloud: &'a mut Unreliable,
    now: Timestamp,
}

impl Look<'_> {
    fn call(&mut self, service: Service, operation: &str, input: Value) -> Value {
        let call = Call {
            service,
            operation: operation.to_owned(),
            input,
            caller: String::new(),
        };
        match self.cloud.carry_out(&call, &End::Handled, self.now).0 {
            Answer::Reply(Ok(reply)) => reply,
            // What is not there.
            Answer::Reply(Err(_)) | Answer::Lost(_) | Answer::Unheard | Answer::Never => {
                Value::Null
            }
        }
    }

    fn service(&mut self, name: &str) -> Sight {
        let input = json!({ "cluster": CLUSTER, "services": [name], "include": ["TAGS"] });
        let mut reply = self.call(Service::Ecs, "DescribeServices", input);
        let mut service = taken(&mut reply, "/services/0");
        if service["status"] == "INACTIVE" {
            service = Value::Null;
        }
        if service.is_null() {
            return Sight::default();
        }
        // They say when it was steady last, and are no state.
        taken(&mut service, "/events");
        let input = json!({ "cluster": CLUSTER, "service": name });
        let listed = self.call(Service::Ecs, "ListServiceDeployments", input);
        let of = |list: &Value, member: &str| -> Vec<Value> {
            let items = list.as_array().into_iter().flatten();
            items.map(|item| item[member].clone()).collect()
        };
        let arns = of(&listed["serviceDeployments"], "serviceDeploymentArn");
        let mut revisions = of(&listed["serviceDeployments"], "targetServiceRevisionArn");
        revisions.sort_by_key(ToString::to_string);
        revisions.dedup();
        let mut deployments =
            self.described("DescribeServiceDeployments", "serviceDeployment", &arns);
        deployments.sort_by_key(|deployment| {
            arns.iter()
                .position(|arn| *arn == deployment["serviceDeploymentArn"])
        });
        let mut revisions =
            self.described("DescribeServiceRevisions", "serviceRevision", &revisions);
        for revision in &mut revisions {
            let input = json!({ "taskDefinition": revision["taskDefinition"] });
            let mut reply = self.call(Service::Ecs, "DescribeTaskDefinition", input);
            revision["definition"] = taken(&mut reply, "/taskDefinition");
        }
        Sight {
            service,
            deployments,
            revisions,
            ..Sight::default()
        }
    }

    /// Both operations take 20 ARNs at most.
    fn described(&mut self, operation: &str, kind: &str, arns: &[Value]) -> Vec<Value> {
        let (input, output) = (format!("{kind}Arns"), format!("/{kind}s"));
        let mut found = Vec::new();
        for some in arns.chunks(20) {
            let mut reply = self.call(Service::Ecs, operation, json!({ &input: some }));
            if let Value::Array(mut items) = taken(&mut reply, &output) {
                found.append(&mut items);
            }
        }
        found
    }

    fn definitions(&mut self, family: &str) -> Vec<Value> {
        let input = json!({ "familyPrefix": family });
        let listed = self.call(Service::Ecs, "ListTaskDefinitions", input);
        let arns = listed["taskDefinitionArns"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let describe = |arn| {
            let input = json!({ "taskDefinition": arn, "include": ["TAGS"] });
            let mut reply = self.call(Service::Ecs, "DescribeTaskDefinition", input);
            let mut definition = taken(&mut reply, "/taskDefinition");
            definition["tags"] = taken(&mut reply, "/tags");
            definition
        };
        arns.into_iter().map(describe).collect()
    }

    fn log_group(&mut self, name: &str) -> Value {
        let input = json!({ "logGroupNamePrefix": name });
        let found = self.call(Service::Logs, "DescribeLogGroups", input);
        let groups = found["logGroups"].as_array();
        let group =
            groups.and_then(|groups| groups.iter().find(|group| group["logGroupName"] == name));
        let Some(mut group) = group.cloned() else {
            return Value::Null;
        };
        let input = json!({ "resourceArn": group["logGroupArn"] });
        let mut reply = self.call(Service::Logs, "ListTagsForResource", input);
        group["tags"] = taken(&mut reply, "/tags");
        group
    }
}

fn taken(reply: &mut Value, pointer: &str) -> Value {
    reply
        .pointer_mut(pointer)
        .map(Value::take)
        .unwrap_or_default()
}
