//! The checks of one manifest, in the order in which a person would mend what is wrong.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    aws::{Aws, AwsError},
    cli::verify::{Check, Verdict, arns},
    document::{self, Document},
    home::Home,
    init::Reference,
    manifest::Manifest,
};

/// Every check of one manifest.
pub(super) async fn of(aws: &Aws, manifest: &Manifest) -> Vec<Check> {
    let mut checks = Checks {
        aws,
        manifest,
        service: manifest.service.open(),
        definition: manifest.task_definition.open(),
        done: Vec::new(),
    };
    let home = checks.cluster().await;
    checks.image().await;
    checks.written_images().await;
    checks.target_groups().await;
    checks.log_groups(home.as_ref()).await;
    checks.names(home.as_ref());
    checks.execution_role();
    checks.done
}

struct Checks<'a> {
    aws: &'a Aws,
    manifest: &'a Manifest,
    service: Document,
    definition: Document,
    done: Vec<Check>,
}

impl Checks<'_> {
    fn note(&mut self, check: &'static str, result: Verdict, detail: impl Into<String>) {
        let (cluster, service) = self.manifest.key();
        self.done.push(Check {
            service,
            cluster,
            result,
            check,
            detail: detail.into(),
        });
    }

    fn ok(&mut self, check: &'static str, detail: impl Into<String>) {
        self.note(check, Verdict::Ok, detail);
    }

    fn failed(&mut self, check: &'static str, detail: impl Into<String>) {
        self.note(check, Verdict::Failed, detail);
    }

    fn unknown(&mut self, check: &'static str, error: &AwsError) {
        self.note(check, Verdict::Unknown, error.to_string());
    }

    fn containers(&self) -> Vec<&Document> {
        document::objects(&self.definition, "containerDefinitions").collect()
    }

    async fn cluster(&mut self) -> Option<Home> {
        let name = &self.manifest.cluster;
        match self.aws.cluster(name).await {
            Ok(Some(cluster)) if cluster.status == "ACTIVE" => {
                self.ok("cluster", format!("{} is ACTIVE", cluster.arn));
                Home::of_arn(&cluster.arn)
            }
            Ok(Some(cluster)) => {
                self.failed("cluster", format!("{} is {}", cluster.arn, cluster.status));
                Home::of_arn(&cluster.arn)
            }
            Ok(None) => {
                self.failed(
                    "cluster",
                    format!("there is no cluster {name}; create it or correct spec.cluster"),
                );
                None
            }
            Err(error) => {
                self.unknown("cluster", &error);
                None
            }
        }
    }

    async fn image(&mut self) {
        if let Some(image) = &self.manifest.image {
            self.one_image(&image.repository, &image.tag).await;
        }
    }

    async fn written_images(&mut self) {
        let images: BTreeSet<_> = self
            .containers()
            .into_iter()
            .map(|container| document::text(container, "image").to_owned())
            .filter(|image| !image.contains("${"))
            .collect();
        for image in images {
            let image = Reference::split(&image);
            let which = image.digest.or(image.tag);
            self.one_image(&image.repository, which.as_deref().unwrap_or("latest"))
                .await;
        }
    }

    async fn one_image(&mut self, repository: &str, tag_or_digest: &str) {
        let separator = if tag_or_digest.starts_with("sha256:") {
            "@"
        } else {
            ":"
        };
        let image = format!("{repository}{separator}{tag_or_digest}");
        if !Aws::is_ecr(repository) {
            self.ok("image", format!("{image} is not in ECR: not looked up"));
            return;
        }
        match self.aws.ecr_image(repository, tag_or_digest).await {
            Ok(Some((digest, _))) => self.ok("image", format!("{image} is {digest}")),
            Ok(None) => self.failed(
                "image",
                format!("{image} is not there; push it or correct the manifest"),
            ),
            Err(error) => self.unknown("image", &error),
        }
    }

    async fn target_groups(&mut self) {
        let service = self.service.clone();
        for balancer in document::objects(&service, "loadBalancers") {
            let arn = document::text(balancer, "targetGroupArn");
            if !arn.is_empty() {
                self.target_group(arn, balancer).await;
            }
            self.container_port(balancer);
        }
    }

    async fn target_group(&mut self, arn: &str, balancer: &Document) {
        let group = match self.aws.target_group(arn).await {
            Ok(Some(group)) => group,
            Ok(None) => {
                return self.failed(
                    "targetGroup",
                    format!("{arn} is not there; create it or correct spec.service.loadBalancers"),
                );
            }
            Err(error) => return self.unknown("targetGroup", &error),
        };
        let mode = document::text(&self.definition, "networkMode");
        let wanted = if mode == "awsvpc" { "ip" } else { "instance" };
        if group.target_type != wanted {
            return self.failed(
                "targetGroup",
                format!(
                    "{arn} has targets of type {}; networkMode {} needs {wanted}",
                    group.target_type,
                    if mode.is_empty() { "bridge" } else { mode }
                ),
            );
        }
        if !group.in_use {
            return self.failed(
                "targetGroup",
                format!("{arn} is behind no load balancer's listener, and ECS takes no such group"),
            );
        }
        let container = document::count(balancer, "containerPort");
        let port = match group.port.and_then(|port| u32::try_from(port).ok()) {
            Some(port) if port != container => {
                format!("; targets are registered with port {container}, not with its own {port}")
            }
            _ => String::new(),
        };
        self.ok(
            "targetGroup",
            format!("{arn} has targets of type {wanted}{port}"),
        );
    }

    fn container_port(&mut self, balancer: &Document) {
        let (name, port) = (
            document::text(balancer, "containerName"),
            document::count(balancer, "containerPort"),
        );
        let container = self
            .containers()
            .into_iter()
            .find(|container| document::text(container, "name") == name);
        let is_mapped = container.is_some_and(|container| {
            document::objects(container, "portMappings").any(|mapping| {
                document::count(mapping, "containerPort") == port
                    || mapping.contains_key("containerPortRange")
            })
        });
        if is_mapped {
            self.ok(
                "containerPort",
                format!("the container {name} maps port {port}"),
            );
        } else {
            self.failed(
                "containerPort",
                format!("the container {name} does not map port {port}"),
            );
        }
    }

    async fn log_groups(&mut self, home: Option<&Home>) {
        let declared = self.manifest.log_group.as_ref().map(|group| &group.name);
        let mut groups = BTreeSet::new();
        for container in self.containers() {
            let options = container
                .get("logConfiguration")
                .and_then(Value::as_object)
                .filter(|log| document::text(log, "logDriver") == "awslogs")
                .and_then(|log| log.get("options")?.as_object());
            let Some(options) = options else { continue };
            let text = |key| document::text(options, key).to_owned();
            let is_made_by_ecs = text("awslogs-create-group") == "true";
            groups.insert((
                text("awslogs-group"),
                text("awslogs-region"),
                is_made_by_ecs,
            ));
        }
        for (name, region, is_made_by_ecs) in groups {
            if home.is_some_and(|home| home.region != region) {
                self.ok(
                    "logGroup",
                    format!("{name} is in the region {region}: not looked up"),
                );
                continue;
            }
            match self.aws.find_log_group(&name).await {
                Ok(Some(_)) => self.ok("logGroup", format!("{name} is there")),
                Ok(None) if declared == Some(&name) => {
                    self.ok("logGroup", format!("{name} is declared, and will be created"));
                }
                Ok(None) if is_made_by_ecs => self.ok(
                    "logGroup",
                    format!("{name} will be created by ECS (awslogs-create-group)"),
                ),
                Ok(None) => self.failed(
                    "logGroup",
                    format!("{name} is not there, and tasks do not start without it; declare it in spec.logGroup or create it"),
                ),
                Err(error) => self.unknown("logGroup", &error),
            }
        }
    }

    /// What is not looked up: subnets, security groups, roles, secrets.
    fn names(&mut self, home: Option<&Home>) {
        let (many, wrong) = arns::wrong_ids(&self.service);
        self.all("network", many, "subnets and security groups", wrong);
        let Some(home) = home else { return };
        let (mut many, mut wrong) = (0, Vec::new());
        for document in [&self.service, &self.definition] {
            let (more, also) = arns::wrong_arns(document, home);
            many += more;
            wrong.extend(also);
        }
        let what = format!("ARNs of {} in {}", home.account, home.region);
        self.all("arns", many, &what, wrong);
    }

    fn all(&mut self, check: &'static str, many: usize, what: &str, wrong: Vec<String>) {
        if wrong.is_empty() && many > 0 {
            self.ok(check, format!("{many} {what} are well-formed"));
        }
        for why in wrong {
            self.failed(check, why.trim_start_matches('.'));
        }
    }

    /// Fargate pulls from ECR, reads secrets and writes logs with the execution role
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html>).
    fn execution_role(&mut self) {
        if self.definition.contains_key("executionRoleArn") {
            return;
        }
        let repository = self.manifest.image.as_ref().map(|image| &image.repository);
        let needs = |container: &&Document| {
            let image = document::text(container, "image");
            let image = match repository {
                Some(repository) if image.contains("${image}") => repository,
                Some(_) | None => image,
            };
            Aws::is_ecr(image)
                || container.contains_key("secrets")
                || container.contains_key("logConfiguration")
        };
        let needing = self.containers().into_iter().find(needs);
        if let Some(container) = needing {
            let name = document::text(container, "name").to_owned();
            self.failed(
                "executionRole",
                format!("the container {name} needs one, for its image, its secrets or its logs; give executionRoleArn in spec.taskDefinition"),
            );
        }
    }
}
