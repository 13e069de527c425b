//! The daemon's policy, out of the HCL that makes it: as much of HCL as that file uses.

use crate::needs::{BUCKET, CLUSTER};

/// The file, and that of the locals which it shares.
const RECONCILER: &str = include_str!("../../terraform/modules/iam/reconciler.tf");
const SHARED: &str = include_str!("../../terraform/modules/iam/main.tf");
/// The role that only starts the daemon.
const NOT_THE_DAEMONS: &str = "\"reconciler_execution\"";

/// What the names of the module's HCL stand for: what `evenkeel local up` calls the same things.
const VALUES: &[(&str, &str)] = &[
    ("var.partition", "aws"),
    ("var.region", "us-east-1"),
    ("var.account_id", "123456789012"),
    ("var.cluster_name", CLUSTER),
    ("var.api_log_group", "/ecs/api"),
    ("var.reconciler_log_group", "/ecs/evenkeel"),
    (
        "var.api_repository_arn",
        "arn:aws:ecr:us-east-1:123456789012:repository/api",
    ),
    (
        "aws_iam_role.api_execution.arn",
        "arn:aws:iam::123456789012:role/evenkeel-api-execution",
    ),
    (
        "aws_iam_role.api_task.arn",
        "arn:aws:iam::123456789012:role/evenkeel-api-task",
    ),
    ("var.bucket", BUCKET),
    ("var.manifests_prefix", "manifests"),
    ("var.lease_key", "lease"),
];

/// A statement that allows.
#[derive(Debug)]
pub struct Statement {
    /// Its name.
    pub sid: String,
    /// IAM's actions.
    pub actions: Vec<String>,
    /// Patterns of ARNs.
    pub resources: Vec<String>,
}

impl Statement {
    /// Whether it allows this action on this resource.
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        let covers = |pattern: &String| matches(pattern, resource);
        self.actions.iter().any(|one| one == action) && self.resources.iter().any(covers)
    }
}

/// Every statement of the policies of the daemon's task role.
pub fn of_the_daemon() -> Vec<Statement> {
    let code = without_comments(RECONCILER);
    let blocks = code.split("\nresource ").filter(|block| {
        let is_policy = ["\"aws_iam_role_policy\" ", "\"aws_iam_policy\" "];
        let head = block.lines().next().unwrap_or_default();
        is_policy.iter().any(|kind| head.starts_with(kind)) && !head.contains(NOT_THE_DAEMONS)
    });
    let statements: Vec<_> = blocks
        .flat_map(|block| block.split("Sid ").skip(1))
        .map(statement)
        .collect();
    let told = code.matches("Sid ").count();
    assert!(statements.len() > 10 && statements.len() < told, "{told}");
    statements
}

fn statement(text: &str) -> Statement {
    assert!(text.contains("= \"Allow\""), "{text}");
    Statement {
        sid: text.split('"').nth(1).unwrap().to_owned(),
        actions: list(text, "Action "),
        resources: list(text, "Resource "),
    }
}

/// The list that this member is.
fn list(text: &str, member: &str) -> Vec<String> {
    let (_, after) = text
        .split_once(member)
        .unwrap_or_else(|| panic!("no {member} in {text}"));
    let (_, after) = after.split_once('[').unwrap();
    let (items, _) = after.split_once(']').unwrap();
    let items = items
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    items.map(value).collect()
}

/// What an expression comes to: a name, or a string with names in it.
fn value(expression: &str) -> String {
    let Some(template) = expression.strip_prefix('"') else {
        return named(expression);
    };
    let mut text = String::new();
    let mut rest = template.strip_suffix('"').unwrap();
    while let Some((before, name)) = rest.split_once("${") {
        let (name, after) = name.split_once('}').unwrap();
        text = text + before + &named(name);
        rest = after;
    }
    text + rest
}

fn named(name: &str) -> String {
    if let Some((_, value)) = VALUES.iter().find(|(known, _)| *known == name) {
        return (*value).to_owned();
    }
    let local = name
        .strip_prefix("local.")
        .unwrap_or_else(|| panic!("what is {name}?"));
    let mut lines = SHARED.lines().chain(RECONCILER.lines());
    let found = lines.find_map(|line| {
        let (left, right) = line.split_once('=')?;
        (left.trim() == local).then(|| right.trim())
    });
    value(found.unwrap_or_else(|| panic!("there is no {name}")))
}

fn without_comments(code: &str) -> String {
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Whether a pattern of IAM, in which `*` stands for any text, covers a resource.
pub fn matches(pattern: &str, resource: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == resource,
        Some((start, rest)) => resource.strip_prefix(start).is_some_and(|left| {
            let mut ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
            ends.any(|at| matches(rest, &left[at..]))
        }),
    }
}

#[test]
fn a_pattern_covers_what_it_says() {
    for (pattern, resource, expected) in [
        ("*", "*", true),
        ("arn:a", "*", false),
        ("arn:service/prod/*", "arn:service/prod/api", true),
        ("arn:service/prod/*", "arn:service/production/api", false),
        ("arn:*:b:*", "arn:x:b:c", true),
        ("arn:*:b", "arn:x:bc", false),
    ] {
        assert_eq!(matches(pattern, resource), expected, "{pattern} {resource}");
    }
}
