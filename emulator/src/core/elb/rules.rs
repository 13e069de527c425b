//! Rules of listeners.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CODE, Elb,
    actions::{self, Action},
    conditions::{self, Condition},
    missing_rule, page, tags, with_marker,
};
use crate::core::{ApiError, Cloud, Reply, error::fault, input::Input};

/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
const RULES: usize = 100;

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) listener: String,
    pub(super) priority: u16,
    pub(super) conditions: Vec<Condition>,
    pub(super) action: Action,
}

impl Elb {
    /// A listener's rules, the first to be looked at first.
    pub(super) fn rules_of(&self, listener: &str) -> Vec<(&String, &Rule)> {
        let rules = self.rules.iter();
        let mut rules: Vec<_> = rules.filter(|(_, it)| it.listener == listener).collect();
        rules.sort_by_key(|(_, rule)| rule.priority);
        rules
    }

    /// A rule that can be changed, which a default rule cannot.
    fn rule(&self, arn: &str, change: &str) -> Result<&Rule, ApiError> {
        if self.listeners.values().any(|it| it.default_rule == arn) {
            return Err(fault(
                "OperationNotPermitted",
                format!("Default rule '{arn}' cannot be {change}"),
            ));
        }
        self.rules.get(arn).ok_or_else(missing_rule)
    }

    /// Every rule of a listener with its ARN and its key for paging.
    fn rule_views(&self, listener: &str) -> Vec<(String, String, Value)> {
        let numbered = self.rules_of(listener).into_iter().map(|(arn, rule)| {
            let view = view(
                arn,
                &rule.priority.to_string(),
                &rule.conditions,
                &rule.action,
            );
            (
                arn.clone(),
                format!("{listener} {:05}", rule.priority),
                view,
            )
        });
        let default = self.listeners.get(listener).map(|it| {
            let view = view(&it.default_rule, "default", &[], &it.default);
            (it.default_rule.clone(), format!("{listener} default"), view)
        });
        numbered.chain(default).collect()
    }
}

impl Cloud {
    pub(super) fn create_rule(&mut self, input: &Value, now: Timestamp) -> Result<Reply, ApiError> {
        let members = [
            "ListenerArn",
            "Conditions",
            "Priority",
            "Actions",
            "Tags",
            "Transforms",
        ];
        let input = Input::new(input, CODE, &members)?;
        input.refuse(&["Transforms"])?;
        let tags = tags::read(&input)?;
        let arn = input.need("ListenerArn")?;
        let listener = self.elb.listener(arn)?.clone();
        let priority =
            priority(&input)?.ok_or_else(|| input.error("A priority must be specified"))?;
        let rule = Rule {
            listener: arn.to_owned(),
            priority,
            conditions: conditions::read(&input)?,
            action: actions::read(&input, "Actions")?,
        };
        self.elb.check_action(&rule.action, &listener.balancer)?;
        let of_listener = self.elb.rules_of(arn);
        if of_listener.iter().any(|(_, it)| it.priority == priority) {
            return Err(in_use(priority));
        }
        if of_listener.len() >= RULES {
            return Err(fault(
                "TooManyRules",
                "The maximum number of rules on this load balancer has been reached",
            ));
        }
        let id = self.ids.hex(16);
        let arn = format!("{}/{id}", arn.replacen(":listener/", ":listener-rule/", 1));
        let view = view(&arn, &priority.to_string(), &rule.conditions, &rule.action);
        self.elb.set_tags(&arn, tags);
        self.elb.rules.insert(arn, rule);
        self.actions_changed(now);
        Ok(json!({ "Rules": [view] }))
    }

    pub(super) fn modify_rule(&mut self, input: &Value, now: Timestamp) -> Result<Reply, ApiError> {
        let members = [
            "RuleArn",
            "Conditions",
            "Actions",
            "Transforms",
            "ResetTransforms",
        ];
        let input = Input::new(input, CODE, &members)?;
        input.refuse(&["Transforms", "ResetTransforms"])?;
        let arn = input.need("RuleArn")?;
        let mut rule = self.elb.rule(arn, "modified")?.clone();
        if input.value("Conditions").is_some() {
            rule.conditions = conditions::read(&input)?;
        }
        if input.value("Actions").is_some() {
            rule.action = actions::read(&input, "Actions")?;
            let balancer = &self.elb.listener(&rule.listener)?.balancer;
            self.elb.check_action(&rule.action, balancer)?;
        }
        let view = view(
            arn,
            &rule.priority.to_string(),
            &rule.conditions,
            &rule.action,
        );
        self.elb.rules.insert(arn.to_owned(), rule);
        self.actions_changed(now);
        Ok(json!({ "Rules": [view] }))
    }

    pub(super) fn delete_rule(&mut self, input: &Value, now: Timestamp) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["RuleArn"])?;
        let arn = input.need("RuleArn")?;
        self.elb.rule(arn, "deleted")?;
        self.elb.rules.remove(arn);
        self.elb.tags.remove(arn);
        self.actions_changed(now);
        Ok(json!({}))
    }

    pub(super) fn set_rule_priorities(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["RulePriorities"])?;
        let pairs = input.objects("RulePriorities", &["RuleArn", "Priority"])?;
        if pairs.is_empty() {
            return Err(input.error("A rule priority must be specified"));
        }
        let mut rules = self.elb.rules.clone();
        let mut arns = Vec::new();
        for pair in &pairs {
            let arn = pair.need("RuleArn")?;
            self.elb.rule(arn, "modified")?;
            let given =
                priority(pair)?.ok_or_else(|| pair.error("A priority must be specified"))?;
            if arns.contains(&arn) {
                return Err(pair.error(format!("Rule '{arn}' was specified more than once")));
            }
            arns.push(arn);
            if let Some(rule) = rules.get_mut(arn) {
                rule.priority = given;
            }
        }
        let mut taken = std::collections::BTreeSet::new();
        for rule in rules.values() {
            if !taken.insert((&rule.listener, rule.priority)) {
                return Err(in_use(rule.priority));
            }
        }
        self.elb.rules = rules;
        self.actions_changed(now);
        let all = self.elb.rules.iter();
        let views: Vec<Value> = all
            .filter(|(arn, _)| arns.contains(&arn.as_str()))
            .map(|(arn, it)| view(arn, &it.priority.to_string(), &it.conditions, &it.action))
            .collect();
        Ok(json!({ "Rules": views }))
    }

    pub(super) fn describe_rules(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["ListenerArn", "RuleArns", "Marker", "PageSize"];
        let input = Input::new(input, CODE, &members)?;
        let arns = input.texts("RuleArns")?;
        let listener = input.text("ListenerArn")?;
        let views: Vec<(String, String, Value)> = match listener {
            None if arns.is_empty() => {
                return Err(input.error("You must specify either rule ARNs or a listener ARN"));
            }
            Some(_) if !arns.is_empty() => {
                return Err(input.error("You cannot specify both rule ARNs and a listener ARN"));
            }
            Some(listener) => {
                self.elb.listener(listener)?;
                self.elb.rule_views(listener)
            }
            None => {
                let all = self.elb.listeners.keys();
                all.flat_map(|listener| self.elb.rule_views(listener))
                    .filter(|(arn, _, _)| arns.contains(&arn.as_str()))
                    .collect()
            }
        };
        let found = |arn: &&str| views.iter().any(|(known, _, _)| known == arn);
        if !arns.iter().all(found) {
            return Err(missing_rule());
        }
        let views = views.into_iter().map(|(_, key, view)| (key, view));
        let (page, next) = page(&input, views)?;
        Ok(with_marker(json!({ "Rules": page }), next))
    }
}

fn priority(input: &Input<'_>) -> Result<Option<u16>, ApiError> {
    let priority = input.int_in("Priority", 1, 50_000)?;
    Ok(priority.and_then(|priority| u16::try_from(priority).ok()))
}

fn in_use(priority: u16) -> ApiError {
    fault(
        "PriorityInUse",
        format!("Priority '{priority}' is currently in use"),
    )
}

fn view(arn: &str, priority: &str, conditions: &[Condition], action: &Action) -> Value {
    let conditions: Vec<Value> = conditions.iter().map(Condition::view).collect();
    json!({
        "RuleArn": arn,
        "Priority": priority,
        "Conditions": conditions,
        "Actions": [action.view()],
        "IsDefault": priority == "default",
    })
}
