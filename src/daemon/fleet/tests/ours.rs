//! A cluster whose services exist, as their manifests say, until they are taken away.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The cluster's name.
pub(super) const CLUSTER: &str = "ours";
const ACCOUNT: &str = "arn:aws:ecs:us-east-1:123456789012";

/// What there is, and what was asked for.
#[derive(Debug, Default)]
pub(super) struct Ours {
    pub(super) services: BTreeSet<String>,
    /// Which of them DescribeServices does not find.
    pub(super) hidden: BTreeSet<String>,
    /// The names of services that were to be created.
    pub(super) created: Vec<String>,
}

impl Ours {
    /// What AWS answers to an operation on this cluster.
    pub(super) fn answer(&mut self, operation: &str, input: &Value) -> Value {
        let definition = |family: &str| {
            json!({
                "taskDefinitionArn": format!("{ACCOUNT}:task-definition/{family}:1"), "family": family, "revision": 1,
                "status": "ACTIVE",
                "containerDefinitions": [{"name": "main", "image": "nginx", "memory": 128, "essential": true}],
            })
        };
        match operation {
            "DescribeClusters" => {
                json!({"clusters": [{"clusterArn": format!("{ACCOUNT}:cluster/{CLUSTER}"), "status": "ACTIVE"}]})
            }
            "DescribeServices" => {
                let asked: Vec<_> = input["services"].as_array().unwrap().iter().collect();
                let (found, missing): (Vec<&Value>, Vec<&Value>) = asked
                    .into_iter()
                    .partition(|name| self.shows(name.as_str().unwrap()));
                let found = found.iter().map(|name| service(name.as_str().unwrap()));
                let missing = missing
                    .iter()
                    .map(|name| json!({"arn": name, "reason": "MISSING"}));
                json!({"services": found.collect::<Vec<_>>(), "failures": missing.collect::<Vec<_>>()})
            }
            "DescribeTaskDefinition" => {
                let arn = input["taskDefinition"].as_str().unwrap();
                let family = arn.rsplit('/').next().unwrap().split(':').next().unwrap();
                json!({"taskDefinition": definition(family)})
            }
            "RegisterTaskDefinition" => {
                json!({"taskDefinition": definition(input["family"].as_str().unwrap())})
            }
            "ListTaskDefinitions" => json!({"taskDefinitionArns": []}),
            "ListServices" => {
                let arns = self.services.iter().map(|name| arn(name));
                json!({"serviceArns": arns.collect::<Vec<_>>()})
            }
            "CreateService" => {
                let name = input["serviceName"].as_str().unwrap();
                self.created.push(name.to_owned());
                json!({"service": service(name)})
            }
            "TagResource" => json!({}),
            other => panic!("{other} is not expected: {input}"),
        }
    }

    fn shows(&self, name: &str) -> bool {
        self.services.contains(name) && !self.hidden.contains(name)
    }
}

fn arn(name: &str) -> String {
    format!("{ACCOUNT}:service/{CLUSTER}/{name}")
}

fn service(name: &str) -> Value {
    json!({
        "serviceArn": arn(name), "serviceName": name, "status": "ACTIVE",
        "taskDefinition": format!("{ACCOUNT}:task-definition/{CLUSTER}-{name}:1"),
        "desiredCount": 1, "runningCount": 1, "pendingCount": 0,
        "tags": [{"key": "evenkeel:owner", "value": format!("test/{CLUSTER}/{name}")}],
        "deployments": [{"id": "ecs-svc/1", "status": "PRIMARY", "rolloutState": "COMPLETED", "desiredCount": 1,
            "runningCount": 1, "createdAt": 1, "updatedAt": 1}],
    })
}
