//! What there is before the daemon comes, as Terraform and a pipeline would have made it.

use emulator::core::{LocalImage, Service};
use serde_json::{Value, json};

use crate::{journal::What, tasks::Script, world::World};

/// The account.
pub const ACCOUNT: &str = "123456789012";
/// The region.
pub const REGION: &str = "eu-central-1";
/// The one cluster.
pub const CLUSTER: &str = "prod";

impl World {
    /// A call of the hand's that must succeed.
    ///
    /// # Panics
    /// When AWS refuses it.
    pub fn call(&self, service: Service, operation: &str, input: Value) -> Value {
        let outcome = self.cloud.call(service, operation, input.clone());
        assert!(outcome.is_ok(), "{operation} {input}: {outcome:?}");
        outcome.unwrap_or_default()
    }

    /// The cluster that every run has.
    pub(crate) fn furnish(&self) {
        self.cluster(CLUSTER);
    }

    /// A cluster.
    pub fn cluster(&self, name: &str) {
        let input = json!({ "clusterName": name });
        self.call(Service::Ecs, "CreateCluster", input);
    }

    /// A repository with one image, `tag`, whose tasks follow `script`.
    pub fn repository(&mut self, name: &str, tag: &str, script: Script) {
        let input = json!({ "repositoryName": name });
        self.call(Service::Ecr, "CreateRepository", input);
        self.push(name, tag, script);
    }

    /// Pushes an image whose tasks follow `script`.
    pub fn push(&mut self, repository: &str, tag: &str, script: Script) {
        let executable = self.cloud.with_tasks(|tasks, _| tasks.executable(script));
        let manifest = LocalImage {
            schema_version: 2,
            media_type: LocalImage::MEDIA_TYPE.to_owned(),
            executable: executable.clone(),
            env: [].into(),
            args: Vec::new(),
        };
        let input = json!({
            "repositoryName": repository, "imageTag": tag, "imageManifest": json!(manifest).to_string(),
        });
        let pushed = self.call(Service::Ecr, "PutImage", input);
        let digest = pushed["image"]["imageId"]["imageDigest"].as_str();
        let digest = digest.unwrap_or_default().to_owned();
        let image = (repository.to_owned(), tag.to_owned());
        self.images.insert(image, (executable, digest));
    }

    /// From now on the tasks of an image follow another script, as when what they need is there again.
    pub fn reform(&self, repository: &str, tag: &str, script: Script) {
        let digest = self.images.get(&(repository.to_owned(), tag.to_owned()));
        if let Some((executable, _)) = digest {
            self.cloud
                .note(What::Meddled(format!("{repository}:{tag} is {script:?}")));
            self.cloud
                .with_tasks(|tasks, _| tasks.reform(executable, script));
        }
    }

    /// A target group behind a load balancer of its own.
    pub fn target_group(&mut self, name: &str) {
        self.target_groups(name, &[name.to_owned()]);
    }

    /// Target groups behind one load balancer: all get requests by their host's name, the first one also all others.
    pub fn target_groups(&mut self, balancer: &str, names: &[String]) {
        let input = json!({ "Name": balancer, "Subnets": ["subnet-a", "subnet-b"] });
        let made = self.call(Service::Elbv2, "CreateLoadBalancer", input);
        let balancer = &made["LoadBalancers"][0]["LoadBalancerArn"];
        let mut listener = Value::Null;
        for (number, name) in names.iter().enumerate() {
            let group = self.lone_target_group(name);
            let forward = json!([{ "Type": "forward", "TargetGroupArn": group }]);
            if listener.is_null() {
                let input = json!({
                    "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": "80", "DefaultActions": forward,
                });
                let made = self.call(Service::Elbv2, "CreateListener", input);
                listener.clone_from(&made["Listeners"][0]["ListenerArn"]);
            } else {
                let hosts = json!({ "Values": [format!("{name}.example.com")] });
                let input = json!({
                    "ListenerArn": listener, "Priority": number.to_string(), "Actions": forward,
                    "Conditions": [{ "Field": "host-header", "HostHeaderConfig": hosts }],
                });
                self.call(Service::Elbv2, "CreateRule", input);
            }
        }
    }

    fn lone_target_group(&mut self, name: &str) -> String {
        let input = json!({
            "Name": name, "Protocol": "HTTP", "Port": "80", "VpcId": "vpc-1", "TargetType": "ip",
            "HealthCheckPath": "/health", "HealthCheckIntervalSeconds": "10",
            "HealthCheckTimeoutSeconds": "2", "HealthyThresholdCount": "2", "UnhealthyThresholdCount": "2",
        });
        let made = self.call(Service::Elbv2, "CreateTargetGroup", input);
        let group = &made["TargetGroups"][0]["TargetGroupArn"];
        let delay = json!([{ "Key": "deregistration_delay.timeout_seconds", "Value": "30" }]);
        let input = json!({ "TargetGroupArn": group, "Attributes": delay });
        self.call(Service::Elbv2, "ModifyTargetGroupAttributes", input);
        let arn = group.as_str().unwrap_or_default().to_owned();
        self.groups.insert(name.to_owned(), arn.clone());
        arn
    }
}
