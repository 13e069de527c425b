//! Manifests as the hand writes them: values, from which the text is made. The checker reads the values.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use crate::furniture::{ACCOUNT, CLUSTER, REGION};

/// The files of a directory with manifests, by name.
pub type Files = BTreeMap<String, File>;

/// One file.
#[derive(Debug, Clone, PartialEq)]
pub enum File {
    /// A manifest.
    Manifest(Box<Manifest>),
    /// Something that is none.
    Broken(String),
}

/// What a manifest says of a service. Everything else is as ECS has it by default.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The service's name, and its repository's.
    pub name: String,
    /// The image's tag.
    pub tag: String,
    /// Whether the tag is followed.
    pub track: bool,
    /// `desiredCount`; `None` leaves it to autoscaling.
    pub count: Option<u32>,
    /// Its cluster.
    pub cluster: String,
    /// Its image's repository.
    pub repository: String,
    /// The container's environment.
    pub environment: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The security group.
    pub security_group: String,
    /// Its target group's name.
    pub target_group: Option<String>,
    /// `healthCheckGracePeriodSeconds`, if it is written.
    pub grace: Option<u32>,
    /// Whether ECS's circuit breaker is on, with rollback.
    pub breaker: bool,
    /// Below how many healthy targets, for how long, and whether tasks are replaced then.
    pub target_health: Option<TargetHealth>,
    /// The retention of its log group in days; `None` when it has no log group of its own.
    pub retention: Option<u32>,
    /// `rollout.timeout`.
    pub timeout: Duration,
    /// `rollout.keepRevisions`.
    pub keep_revisions: u32,
    /// `drift.policy`: whether drift is repaired.
    pub enforce: bool,
    /// `drift.ignore`.
    pub ignore: Vec<String>,
    /// `suspend`.
    pub suspend: bool,
    /// `adopt`.
    pub adopt: bool,
}

/// What a manifest says of targets' health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetHealth {
    /// How many targets must be healthy.
    pub minimum: u32,
    /// For how long fewer are borne.
    pub grace: Duration,
    /// Whether the tasks are replaced then, or it is only said.
    pub redeploy: bool,
}

impl Manifest {
    /// One task of an image, with a log group, without a load balancer.
    #[must_use]
    pub fn new(name: &str, tag: &str) -> Self {
        Self {
            name: name.to_owned(),
            tag: tag.to_owned(),
            track: false,
            count: Some(1),
            cluster: CLUSTER.to_owned(),
            repository: name.to_owned(),
            environment: BTreeMap::new(),
            labels: BTreeMap::new(),
            security_group: "sg-1".to_owned(),
            target_group: None,
            grace: None,
            breaker: true,
            target_health: None,
            retention: Some(14),
            timeout: Duration::from_secs(900),
            keep_revisions: 10,
            enforce: true,
            ignore: Vec::new(),
            suspend: false,
            adopt: false,
        }
    }

    /// The file that describes this.
    #[must_use]
    pub fn file(self) -> (String, File) {
        let name = format!("{}.yaml", self.name);
        (name, File::Manifest(Box::new(self)))
    }

    /// The text of the file, given the ARN of its target group. Values are written as JSON, which is YAML.
    #[must_use]
    pub fn text(&self, target_group: Option<&str>) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text, target_group);
        text
    }

    fn write(&self, to: &mut String, target_group: Option<&str>) -> std::fmt::Result {
        let name = &self.name;
        let (labels, environment) = (strings(&self.labels), &self.environment);
        writeln!(to, "apiVersion: evenkeel/v1\nkind: Service")?;
        writeln!(to, "metadata: {{name: {name}, labels: {labels}}}\nspec:")?;
        writeln!(to, "  cluster: {}", self.cluster)?;
        let repository = format!(
            "{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{}",
            self.repository
        );
        let (tag, track) = (&self.tag, self.track);
        writeln!(
            to,
            "  image: {{repository: {repository}, tag: {tag:?}, track: {track}}}"
        )?;
        writeln!(to, "  service:\n    launchType: FARGATE")?;
        if let Some(count) = self.count {
            writeln!(to, "    desiredCount: {count}")?;
        }
        if let Some(grace) = self.grace {
            writeln!(to, "    healthCheckGracePeriodSeconds: {grace}")?;
        }
        let group = &self.security_group;
        writeln!(
            to,
            "    networkConfiguration: {{awsvpcConfiguration: {{subnets: [subnet-a, subnet-b], securityGroups: [{group}]}}}}"
        )?;
        if let Some(arn) = target_group {
            writeln!(
                to,
                "    loadBalancers: [{{targetGroupArn: {arn:?}, containerName: main, containerPort: 80}}]"
            )?;
        }
        let breaker = self.breaker;
        writeln!(
            to,
            "    deploymentConfiguration: {{deploymentCircuitBreaker: {{enable: {breaker}, rollback: {breaker}}}}}"
        )?;
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| format!("{{name: {name:?}, value: {value:?}}}"))
            .collect();
        writeln!(to, "  taskDefinition:")?;
        writeln!(
            to,
            "    requiresCompatibilities: [FARGATE]\n    networkMode: awsvpc"
        )?;
        writeln!(to, "    cpu: \"256\"\n    memory: \"512\"")?;
        writeln!(
            to,
            "    executionRoleArn: arn:aws:iam::{ACCOUNT}:role/execution"
        )?;
        writeln!(to, "    containerDefinitions:\n      - name: main")?;
        writeln!(
            to,
            "        image: ${{image}}\n        portMappings: [{{containerPort: 80}}]"
        )?;
        writeln!(to, "        environment: [{}]", environment.join(", "))?;
        if let Some(days) = self.retention {
            writeln!(
                to,
                "        logConfiguration:\n          logDriver: awslogs"
            )?;
            writeln!(
                to,
                "          options: {{awslogs-group: /ecs/{name}, awslogs-region: {REGION}, awslogs-stream-prefix: {name}}}"
            )?;
            writeln!(
                to,
                "  logGroup: {{name: /ecs/{name}, retentionInDays: {days}}}"
            )?;
        }
        if let Some(health) = &self.target_health {
            let action = if health.redeploy {
                "redeploy"
            } else {
                "report"
            };
            writeln!(
                to,
                "  targetHealth: {{minimumHealthy: {}, gracePeriod: {}s, action: {action}}}",
                health.minimum,
                health.grace.as_secs()
            )?;
        }
        let (timeout, keep) = (self.timeout.as_secs(), self.keep_revisions);
        writeln!(
            to,
            "  rollout: {{timeout: {timeout}s, keepRevisions: {keep}}}"
        )?;
        let policy = if self.enforce { "enforce" } else { "report" };
        writeln!(
            to,
            "  drift: {{policy: {policy}, ignore: {:?}}}",
            self.ignore
        )?;
        writeln!(to, "  suspend: {}\n  adopt: {}", self.suspend, self.adopt)
    }
}

fn strings(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<_> = map
        .iter()
        .map(|(key, value)| format!("{key}: {value:?}"))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}
