//! RunTask: tasks that belong to no service.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CODE,
    create_task::Order,
    definitions::Definition,
    service_input as read,
    services::{NO_NETWORK, check_token, platform},
    tags::{self, Tags},
    task::{ContainerOverride, Origin},
};
use crate::core::{
    ApiError, Cloud, Reply,
    error::{fault, invalid},
    input::Input,
    time::later,
};

/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>
const COUNT: i64 = 10;
/// How long a token stands for its call. Source:
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html>
const TOKEN_LIFE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
const TOKENS: usize = 1_000;
const UNSUPPORTED: [&str; 5] = [
    "capacityProviderStrategy",
    "placementConstraints",
    "placementStrategy",
    "referenceId",
    "volumeConfigurations",
];

/// Calls of RunTask by cluster and `clientToken`.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs(BTreeMap<(String, String), Run>);

#[derive(Debug, Clone)]
struct Run {
    at: Timestamp,
    request: Value,
    /// ARNs.
    tasks: Vec<String>,
}

impl Runs {
    fn note(&mut self, key: (String, String), run: Run) {
        let now = run.at;
        self.0.retain(|_, old| later(old.at, TOKEN_LIFE) > now);
        if self.0.len() >= TOKENS {
            let oldest = self.0.iter().min_by_key(|(_, run)| run.at);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&key);
            }
        }
        self.0.insert(key, run);
    }
}

impl Cloud {
    pub(super) fn run_task(&mut self, request: &Value, now: Timestamp) -> Result<Reply, ApiError> {
        let mut members = vec![
            "cluster",
            "count",
            "enableECSManagedTags",
            "enableExecuteCommand",
            "group",
            "launchType",
            "networkConfiguration",
            "overrides",
            "platformVersion",
            "propagateTags",
            "startedBy",
            "tags",
            "taskDefinition",
            "clientToken",
        ];
        members.extend(UNSUPPORTED);
        let input = Input::new(request, CODE, &members)?;
        let cluster = self.cluster_of(&input)?;
        read::check_launch(&input)?;
        input.refuse(&UNSUPPORTED)?;
        check_token(&input, 64)?;
        let token = input.text("clientToken")?;
        let key = token.map(|token| (cluster.clone(), token.to_owned()));
        if let Some(reply) = self.ran_before(key.as_ref(), request, now)? {
            return Ok(reply);
        }
        let count = input.int("count")?.unwrap_or(1);
        if !(1..=COUNT).contains(&count) {
            return Err(invalid(format!("count must be between 1 and {COUNT}.")));
        }
        let order = self.order(cluster, &input)?;
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for turn in 0..usize::try_from(count).unwrap_or(0) {
            let order = Order {
                turn,
                ..order.clone()
            };
            let cluster = order.cluster.clone();
            match self.place(order, now) {
                Some(id) => tasks.push(self.task_arn(&cluster, &id)),
                None => failures.push(json!({ "reason": "RESOURCE:ENI" })),
            }
        }
        let views = self.views_of(&tasks);
        if let Some(key) = key {
            let request = request.clone();
            let run = Run {
                at: now,
                request,
                tasks,
            };
            self.ecs.runs.note(key, run);
        }
        Ok(json!({ "tasks": views, "failures": failures }))
    }

    /// What a second call with the same token gets: the tasks of the first, if it asks for the same.
    fn ran_before(
        &self,
        key: Option<&(String, String)>,
        request: &Value,
        now: Timestamp,
    ) -> Result<Option<Reply>, ApiError> {
        let run = key.and_then(|key| self.ecs.runs.0.get(key));
        match run.filter(|run| later(run.at, TOKEN_LIFE) > now) {
            None => Ok(None),
            Some(run) if run.request == *request => {
                let tasks = self.views_of(&run.tasks);
                Ok(Some(json!({ "tasks": tasks, "failures": [] })))
            }
            Some(_) => Err(fault(
                "ConflictException",
                "The clientToken is already in use by a different RunTask request.",
            )),
        }
    }

    fn views_of(&self, arns: &[String]) -> Vec<Value> {
        let tasks = arns.iter().filter_map(|arn| self.ecs.tasks.get(arn));
        tasks.map(|task| self.task_view(task, true)).collect()
    }

    fn order(&self, cluster: String, input: &Input<'_>) -> Result<Order, ApiError> {
        if input.word("launchType", &["EC2", "FARGATE", "EXTERNAL"])? != Some("FARGATE") {
            return Err(invalid(
                "The emulator has no container instances: launchType must be FARGATE.",
            ));
        }
        platform(input)?;
        let definition = self.usable_definition(input.need("taskDefinition")?)?;
        let started_by = input.text("startedBy")?;
        if started_by.is_some_and(|by| by.is_empty() || by.chars().count() > 128) {
            return Err(invalid("startedBy must have 1 to 128 characters."));
        }
        let arn = definition.arn.clone();
        let group = match input.text("group")? {
            Some(group) if group.starts_with("service:") => {
                return Err(invalid("Invalid namespace for group."));
            }
            Some(group) => group.to_owned(),
            None => format!("family:{}", definition.text("family").unwrap_or_default()),
        };
        Ok(Order {
            tags: run_tags(definition, &cluster, input)?,
            network: read::network(input)?.ok_or_else(|| invalid(NO_NETWORK))?,
            overrides: overrides(definition, input)?,
            execute_command: input.flag("enableExecuteCommand")?.unwrap_or(false),
            origin: Origin::Call {
                group,
                started_by: started_by.map(str::to_owned),
            },
            cluster,
            definition: arn,
            balancers: Vec::new(),
            turn: 0,
        })
    }
}

fn run_tags(definition: &Definition, cluster: &str, input: &Input<'_>) -> Result<Tags, ApiError> {
    let words = ["TASK_DEFINITION", "SERVICE", "NONE"];
    let mut tags = match input.word("propagateTags", &words)? {
        Some("TASK_DEFINITION") => definition.tags.clone(),
        Some("SERVICE") => {
            return Err(invalid("propagateTags SERVICE is not valid for RunTask."));
        }
        Some(_) | None => Tags::new(),
    };
    tags.extend(tags::read(input)?);
    if input.flag("enableECSManagedTags")?.unwrap_or(false) {
        tags.insert("aws:ecs:clusterName".to_owned(), cluster.to_owned());
    }
    Ok(tags)
}

/// A command and an environment per container; the rest of AWS's overrides is refused.
fn overrides(
    definition: &Definition,
    input: &Input<'_>,
) -> Result<Vec<ContainerOverride>, ApiError> {
    let members = [
        "containerOverrides",
        "cpu",
        "memory",
        "taskRoleArn",
        "executionRoleArn",
        "ephemeralStorage",
        "inferenceAcceleratorOverrides",
    ];
    let Some(overrides) = input.object("overrides", &members)? else {
        return Ok(Vec::new());
    };
    overrides.refuse(&members[1..])?;
    let members = [
        "name",
        "command",
        "environment",
        "environmentFiles",
        "cpu",
        "memory",
        "memoryReservation",
        "resourceRequirements",
    ];
    let mut list = Vec::new();
    for container in overrides.objects("containerOverrides", &members)? {
        container.refuse(&members[3..])?;
        let name = container.need("name")?;
        if !definition.containers().iter().any(|c| c["name"] == *name) {
            return Err(invalid(format!(
                "Override for container named {name} is not a container in the TaskDefinition."
            )));
        }
        let command = container.texts("command")?;
        let mut environment = Vec::new();
        for pair in container.objects("environment", &["name", "value"])? {
            let value = pair.text("value")?.unwrap_or_default();
            environment.push((pair.need("name")?.to_owned(), value.to_owned()));
        }
        list.push(ContainerOverride {
            name: name.to_owned(),
            command: (!command.is_empty())
                .then(|| command.into_iter().map(str::to_owned).collect()),
            environment,
        });
    }
    Ok(list)
}
