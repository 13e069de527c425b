//! What a test's world is furnished with, and short ways to ask it.

use std::{collections::BTreeMap, time::Duration};

use emulator::core::LocalImage;
use serde_json::{Value, json};

use crate::world::{ACCOUNT, REGION, World};

impl World {
    /// A cluster, a balancer with a target group behind port 80, a log group, and images named after behaviours.
    pub(crate) fn furnished() -> Self {
        let mut world = Self::new();
        world.furnish();
        world
    }

    pub(crate) fn furnish(&mut self) {
        self.ecs("CreateCluster", json!({ "clusterName": "main" }));
        let balancer = self.elb(
            "CreateLoadBalancer",
            json!({ "Name": "lb", "Subnets": ["subnet-a", "subnet-b"] }),
        );
        let balancer = balancer["LoadBalancers"][0]["LoadBalancerArn"].clone();
        let group = self.group("api");
        self.elb(
            "CreateListener",
            json!({
                "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": "80",
                "DefaultActions": [{ "Type": "forward", "TargetGroupArn": group }],
            }),
        );
        self.logs("CreateLogGroup", json!({ "logGroupName": "/ecs/api" }));
        self.ecr("CreateRepository", json!({ "repositoryName": "api" }));
        for behaviour in ["good", "better", "crashes", "unhealthy", "unstartable"] {
            self.push(behaviour, behaviour);
        }
    }

    pub(crate) fn group(&mut self, name: &str) -> String {
        let group = self.elb(
            "CreateTargetGroup",
            json!({
                "Name": name, "Protocol": "HTTP", "Port": "80", "VpcId": "vpc-1", "TargetType": "ip",
                "HealthCheckPath": "/health", "HealthCheckIntervalSeconds": "5",
                "HealthCheckTimeoutSeconds": "2", "HealthyThresholdCount": "2", "UnhealthyThresholdCount": "2",
            }),
        );
        let arn = group["TargetGroups"][0]["TargetGroupArn"]
            .as_str()
            .unwrap()
            .to_owned();
        let delay = json!([{ "Key": "deregistration_delay.timeout_seconds", "Value": "30" }]);
        self.elb(
            "ModifyTargetGroupAttributes",
            json!({ "TargetGroupArn": arn, "Attributes": delay }),
        );
        arn
    }

    /// Pushes an image and returns its digest.
    pub(crate) fn push(&mut self, tag: &str, behaviour: &str) -> String {
        let manifest = LocalImage {
            schema_version: 2,
            media_type: LocalImage::MEDIA_TYPE.to_owned(),
            executable: format!("sha256:{}", "ab".repeat(32)),
            env: BTreeMap::new(),
            args: vec![behaviour.to_owned()],
        };
        let manifest = serde_json::to_string(&manifest).unwrap();
        let pushed = self.ecr(
            "PutImage",
            json!({ "repositoryName": "api", "imageTag": tag, "imageManifest": manifest }),
        );
        pushed["image"]["imageId"]["imageDigest"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Registers a definition of family `api` that runs a tag, and returns its ARN.
    pub(crate) fn register(&mut self, tag: &str) -> String {
        let reply = self.ecs("RegisterTaskDefinition", definition(tag));
        reply["taskDefinition"]["taskDefinitionArn"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn group_arn(&mut self) -> String {
        let groups = self.elb("DescribeTargetGroups", json!({ "Names": ["api"] }));
        groups["TargetGroups"][0]["TargetGroupArn"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Creates service `api` behind the balancer, and waits until it has completed.
    pub(crate) fn deploy(&mut self, tag: &str, desired: u32) -> Value {
        let input = self.service_input(tag, desired);
        self.ecs("CreateService", input);
        self.until(Duration::from_secs(300), "first deployment", |world| {
            world.completed()
        });
        self.service()
    }

    pub(crate) fn service_input(&mut self, tag: &str, desired: u32) -> Value {
        let definition = self.register(tag);
        json!({
            "cluster": "main", "serviceName": "api", "taskDefinition": definition,
            "desiredCount": desired, "launchType": "FARGATE",
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-a", "subnet-b"], "securityGroups": ["sg-1"] } },
            "loadBalancers": [{ "targetGroupArn": self.group_arn(), "containerName": "api", "containerPort": 80 }],
            "deploymentConfiguration": { "deploymentCircuitBreaker": { "enable": true, "rollback": true } },
        })
    }

    pub(crate) fn update(&mut self, mut input: Value) -> Value {
        input["cluster"] = json!("main");
        input["service"] = json!("api");
        self.ecs("UpdateService", input)["service"].clone()
    }

    pub(crate) fn service(&mut self) -> Value {
        let reply = self.ecs(
            "DescribeServices",
            json!({ "cluster": "main", "services": ["api"] }),
        );
        reply["services"][0].clone()
    }

    pub(crate) fn completed(&mut self) -> bool {
        let service = self.service();
        let deployments = service["deployments"].as_array().unwrap();
        deployments.len() == 1 && deployments[0]["rolloutState"] == "COMPLETED"
    }

    /// The service's events, oldest first, with the ids of tasks and deployments left out.
    pub(crate) fn messages(&mut self) -> Vec<String> {
        let service = self.service();
        let events = service["events"].as_array().unwrap();
        let texts = events
            .iter()
            .rev()
            .map(|event| event["message"].as_str().unwrap().to_owned());
        texts.map(|text| without_ids(&text)).collect()
    }

    pub(crate) fn tasks(&mut self, desired: &str) -> Vec<Value> {
        let arns = self.ecs(
            "ListTasks",
            json!({ "cluster": "main", "desiredStatus": desired }),
        )["taskArns"]
            .clone();
        if arns.as_array().unwrap().is_empty() {
            return Vec::new();
        }
        let tasks = self.ecs("DescribeTasks", json!({ "cluster": "main", "tasks": arns }));
        tasks["tasks"].as_array().unwrap().clone()
    }

    pub(crate) fn service_deployments(&mut self) -> Vec<Value> {
        let list = self.ecs(
            "ListServiceDeployments",
            json!({ "cluster": "main", "service": "api" }),
        );
        let arns: Vec<Value> = list["serviceDeployments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["serviceDeploymentArn"].clone())
            .collect();
        let reply = self.ecs(
            "DescribeServiceDeployments",
            json!({ "serviceDeploymentArns": arns }),
        );
        reply["serviceDeployments"].as_array().unwrap().clone()
    }

    pub(crate) fn target_states(&mut self) -> Vec<String> {
        let group = self.group_arn();
        let health = self.elb("DescribeTargetHealth", json!({ "TargetGroupArn": group }));
        let targets = health["TargetHealthDescriptions"].as_array().unwrap();
        targets
            .iter()
            .map(|target| target["TargetHealth"]["State"].as_str().unwrap().to_owned())
            .collect()
    }
}

pub(crate) fn definition(tag: &str) -> Value {
    json!({
        "family": "api", "networkMode": "awsvpc", "cpu": "256", "memory": "512",
        "requiresCompatibilities": ["FARGATE"],
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [{
            "name": "api",
            "image": format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/api:{tag}"),
            "portMappings": [{ "containerPort": 80, "name": "http" }],
            "environment": [{ "name": "RUST_LOG", "value": "info" }],
            "logConfiguration": { "logDriver": "awslogs", "options": {
                "awslogs-group": "/ecs/api", "awslogs-region": REGION, "awslogs-stream-prefix": "api",
            } },
        }],
    })
}

fn without_ids(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let bare = word.trim_end_matches([')', '.', ',']);
        let tail = &word[bare.len()..];
        if bare.len() == 32 && bare.chars().all(|c| c.is_ascii_hexdigit()) {
            format!("ID{tail}")
        } else if bare.starts_with("ecs-svc/") {
            format!("ecs-svc/N{tail}")
        } else if bare.starts_with("arn:aws:elasticloadbalancing:") {
            format!("ARN{tail}")
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
