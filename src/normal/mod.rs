//! The normal form: desired and live documents brought to one shape by a table of rules, so that they can be compared.
//!
//! Defaults that AWS fills in are dropped from both sides, lists without an order are sorted or keyed, numbers that
//! ECS sends as strings become one spelling, and what is empty is absent. What the table says comes from the ECS API
//! reference (RegisterTaskDefinition, CreateService, UpdateService).

mod rules;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

use crate::document::Document;

use self::rules::Rule::{Conditional, CpuUnits, Default, Keyed, Mebibytes, SameAs, Unordered};
pub use self::rules::{Rule, rules};

/// A table of rules, by which both sides of a comparison are brought to one shape. It is a value, because the next
/// version of Evenkeel has another: see [`Form::current`].
#[derive(Debug, Clone)]
pub struct Form(Arc<HashMap<&'static str, Vec<Rule>>>);

impl Form {
    /// The normal form of this version: [`rules`].
    pub fn current() -> Self {
        Self::new(rules())
    }

    /// The normal form by these rules, each with the path of its field. A field may have several.
    pub fn new(rules: impl IntoIterator<Item = (&'static str, Rule)>) -> Self {
        let mut table: HashMap<_, Vec<_>> = HashMap::new();
        for (path, rule) in rules {
            table.entry(path).or_default().push(rule);
        }
        Self(Arc::new(table))
    }

    /// A task definition's normal form. `document` has the shape of RegisterTaskDefinition's input.
    pub fn definition(&self, document: &Document) -> Normal {
        let mut document = document.clone();
        let shares_ports = matches!(
            document.get("networkMode").and_then(Value::as_str),
            Some("awsvpc" | "host")
        );
        if shares_ports {
            drop_host_ports(&mut document);
        }
        self.root("taskDefinition", &document)
    }

    /// A service's normal form. `document` has the shape of CreateService's input.
    pub fn service(&self, document: &Document) -> Normal {
        self.root("service", document)
    }

    /// Whether the field at `pattern` is left alone when the manifest does not mention it.
    pub(crate) fn is_conditional(&self, pattern: &str) -> bool {
        self.rules(pattern).any(|rule| matches!(rule, Conditional))
    }

    /// What AWS takes for the field at `pattern` when it is omitted; `None` when there is no such value.
    pub(crate) fn default_of(&self, pattern: &str) -> Option<Value> {
        self.rules(pattern).find_map(|rule| match rule {
            Default(value) => Some(value()),
            Conditional | Unordered | Keyed(..) | SameAs(_) | CpuUnits | Mebibytes => None,
        })
    }

    /// Whether the field at `pattern` is one of the lists whose items are compared without order.
    pub(crate) fn is_list(&self, pattern: &str) -> bool {
        self.rules(pattern)
            .any(|rule| matches!(rule, Unordered | Keyed(..)))
    }

    fn rules(&self, pattern: &str) -> impl Iterator<Item = Rule> {
        self.0.get(pattern).into_iter().flatten().copied()
    }

    fn root(&self, name: &str, document: &Document) -> Normal {
        self.fields(name, document)
            .unwrap_or_else(|| Normal::Fields(BTreeMap::new()))
    }

    fn normal(&self, pattern: &str, value: &Value) -> Option<Normal> {
        match value {
            Value::Null => None,
            Value::Object(members) => self.fields(pattern, members),
            Value::Array(items) => self.list(pattern, items),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => self.scalar(pattern, value),
        }
    }

    fn fields(&self, pattern: &str, members: &Document) -> Option<Normal> {
        let fields: BTreeMap<_, _> = members
            .iter()
            .filter_map(|(key, value)| {
                let pattern = format!("{pattern}.{key}");
                let mut rules = self.rules(&pattern);
                if rules
                    .any(|rule| matches!(rule, SameAs(other) if members.get(other) == Some(value)))
                {
                    return None;
                }
                Some((key.clone(), self.normal(&pattern, value)?))
            })
            .collect();
        (!fields.is_empty()).then_some(Normal::Fields(fields))
    }

    fn list(&self, pattern: &str, items: &[Value]) -> Option<Normal> {
        if items.is_empty() {
            return None;
        }
        let item_pattern = format!("{pattern}.*");
        if let Some((by, value)) = self.rules(pattern).find_map(|rule| match rule {
            Keyed(by, value) => Some((by, value)),
            Default(_) | Conditional | Unordered | SameAs(_) | CpuUnits | Mebibytes => None,
        }) {
            // Two items of one key cannot be told apart; then they are compared as a whole.
            if let Some(keyed) = self.keyed(&item_pattern, items, by, value) {
                return Some(keyed);
            }
        }
        // An item that says nothing but defaults is an item all the same.
        let items = items.iter().filter(|item| !item.is_null());
        let mut items: Vec<_> = items
            .map(|item| {
                self.normal(&item_pattern, item)
                    .unwrap_or_else(|| Normal::Fields(BTreeMap::new()))
            })
            .collect();
        if self.is_list(pattern) {
            items.sort_by_cached_key(|item| item.to_value().to_string());
        }
        (!items.is_empty()).then_some(Normal::List(items))
    }

    fn keyed(
        &self,
        item_pattern: &str,
        items: &[Value],
        by: &[&str],
        value: Option<&str>,
    ) -> Option<Normal> {
        let mut entries = BTreeMap::new();
        for item in items {
            let Some(members) = item.as_object() else {
                continue;
            };
            let parts: Vec<_> = by
                .iter()
                .filter_map(|member| {
                    let part = members.get(*member).filter(|part| !part.is_null())?;
                    let is_default = self
                        .default_of(&format!("{item_pattern}.{member}"))
                        .as_ref()
                        == Some(part);
                    (!is_default).then(|| {
                        part.as_str()
                            .map_or_else(|| part.to_string(), str::to_owned)
                    })
                })
                .collect();
            let content = match value {
                Some(member) => members
                    .get(member)
                    .and_then(|value| self.normal(item_pattern, value)),
                None => self.fields(item_pattern, members),
            };
            let content = content.unwrap_or_else(|| Normal::Fields(BTreeMap::new()));
            if entries.insert(parts.join("/"), content).is_some() {
                return None;
            }
        }
        Some(Normal::Keyed(entries))
    }

    fn scalar(&self, pattern: &str, value: &Value) -> Option<Normal> {
        let mut value = plain_number(value);
        for rule in self.rules(pattern) {
            match rule {
                Default(default) if default() == value => return None,
                CpuUnits => value = quantity(&value, "vcpu"),
                Mebibytes => value = quantity(&value, "gb"),
                Default(_) | Conditional | Unordered | Keyed(..) | SameAs(_) => {}
            }
        }
        Some(Normal::Scalar(value))
    }
}

/// A document or a part of one in normal form.
#[derive(Debug, Clone, PartialEq)]
pub enum Normal {
    /// A string, number or boolean.
    Scalar(Value),
    /// The members of a structure or map.
    Fields(BTreeMap<String, Normal>),
    /// A list whose items are told apart by a key, such as containers by their name.
    Keyed(BTreeMap<String, Normal>),
    /// A list; sorted already where its order means nothing.
    List(Vec<Normal>),
}

impl Normal {
    /// Back to JSON, for people to read. Keyed lists come out as objects.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Scalar(value) => value.clone(),
            Self::Fields(fields) | Self::Keyed(fields) => fields
                .iter()
                .map(|(key, value)| (key.clone(), value.to_value()))
                .collect(),
            Self::List(items) => items.iter().map(Self::to_value).collect(),
        }
    }
}

/// In the `awsvpc` and `host` network modes a host port can only be the container port, and ECS fills it in.
fn drop_host_ports(document: &mut Document) {
    let containers = document
        .get_mut("containerDefinitions")
        .and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        let ports = container
            .get_mut("portMappings")
            .and_then(Value::as_array_mut);
        for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
            port.remove("hostPort");
        }
    }
}

/// 5 and 5.0 are one number, and JSON leaves it open which of them is written.
fn plain_number(value: &Value) -> Value {
    let whole = value
        .as_f64()
        .filter(|number| value.is_f64() && number.fract() == 0.0)
        .and_then(|number| format!("{number:.0}").parse::<i64>().ok());
    whole.map_or_else(|| value.clone(), Value::from)
}

/// `"1 vCPU"` and `"1 GB"` are 1024 of the small unit, as RegisterTaskDefinition documents for `cpu` and `memory`.
fn quantity(value: &Value, large_unit: &str) -> Value {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
        .to_lowercase();
    let small = match text.trim().strip_suffix(large_unit) {
        Some(number) => number
            .trim()
            .parse::<f64>()
            .ok()
            .map(|number| format!("{:.0}", number * 1024.0)),
        None => None,
    };
    Value::String(small.unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normal_definition(value: Value) -> Normal {
        Form::current().definition(value.as_object().unwrap())
    }

    #[test]
    fn what_aws_fills_in_makes_no_difference() {
        let written = json!({
            "family": "prod-api", "networkMode": "awsvpc", "cpu": "1 vCPU", "memory": 2048,
            "containerDefinitions": [{
                "name": "api", "image": "r@sha256:1",
                "portMappings": [{"containerPort": 80, "name": "http"}, {"containerPort": 9100}],
                "environment": [{"name": "B", "value": ""}, {"name": "A", "value": "1"}],
                "healthCheck": {"command": ["CMD", "true"]},
            }],
        });
        let returned = json!({
            "family": "prod-api", "networkMode": "awsvpc", "cpu": "1024", "memory": "2048",
            "volumes": [], "placementConstraints": [],
            "containerDefinitions": [{
                "name": "api", "image": "r@sha256:1", "cpu": 0, "essential": true,
                "portMappings": [
                    {"containerPort": 9100, "hostPort": 9100, "protocol": "tcp"},
                    {"containerPort": 80, "hostPort": 80, "protocol": "tcp", "name": "http"},
                ],
                "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}],
                "mountPoints": [], "volumesFrom": [], "systemControls": [],
                "healthCheck": {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3},
            }],
        });
        assert_eq!(normal_definition(written), normal_definition(returned));
    }

    #[test]
    fn an_order_that_means_something_is_kept() {
        let one = json!({"containerDefinitions": [{"name": "api", "command": ["a", "b"]}]});
        let other = json!({"containerDefinitions": [{"name": "api", "command": ["b", "a"]}]});
        assert_ne!(normal_definition(one), normal_definition(other));
    }

    #[test]
    fn a_number_is_the_same_with_and_without_a_fraction_of_zero() {
        let normal = |percent: Value| {
            let service = json!({"deploymentConfiguration": {"canaryConfiguration": {"canaryPercent": percent}}});
            Form::current().service(service.as_object().unwrap())
        };
        assert_eq!(normal(json!(5)), normal(json!(5.0)));
        assert_ne!(normal(json!(5)), normal(json!(5.5)));
        assert_ne!(normal(json!(0)), normal(json!(1e300)));
    }

    #[test]
    fn an_item_of_defaults_alone_is_an_item() {
        let normal = |mounts: Value| {
            normal_definition(
                json!({"containerDefinitions": [{"name": "api", "mountPoints": mounts}]}),
            )
        };
        assert_ne!(normal(json!([{"readOnly": false}])), normal(json!([])));
        assert_eq!(normal(json!([{"readOnly": false}])), normal(json!([{}])));
        assert_eq!(normal(json!([null])), normal(json!([])));
    }

    #[test]
    fn a_service_of_service_connect_is_called_as_its_port_unless_it_says_otherwise() {
        let normal = |service: Value| {
            let service = json!({"serviceConnectConfiguration": {"services": [service]}});
            Form::current().service(service.as_object().unwrap())
        };
        let short = normal(json!({"portName": "http"}));
        assert_eq!(
            short,
            normal(json!({"portName": "http", "discoveryName": "http"}))
        );
        assert_ne!(
            short,
            normal(json!({"portName": "http", "discoveryName": "shop"}))
        );
    }

    #[test]
    fn null_is_the_same_as_nothing() {
        let one = json!({"containerDefinitions": [{"name": "api",
            "portMappings": [{"containerPort": 80}], "environment": [{"name": "A"}]}]});
        let other = json!({"cpu": null, "containerDefinitions": [{"name": "api",
            "portMappings": [{"containerPort": 80, "containerPortRange": null}],
            "environment": [{"name": "A", "value": null}]}]});
        assert_eq!(normal_definition(one), normal_definition(other));
    }

    #[test]
    fn an_empty_value_is_not_an_absent_one() {
        let one = json!({"containerDefinitions": [{"name": "api", "environment": [{"name": "A", "value": ""}]}]});
        let other = json!({"containerDefinitions": [{"name": "api"}]});
        assert_ne!(normal_definition(one), normal_definition(other));
    }

    #[test]
    fn host_ports_count_where_they_can_differ() {
        let one = json!({"networkMode": "bridge",
            "containerDefinitions": [{"name": "api", "portMappings": [{"containerPort": 80, "hostPort": 8080}]}]});
        let other = json!({"networkMode": "bridge",
            "containerDefinitions": [{"name": "api", "portMappings": [{"containerPort": 80}]}]});
        assert_ne!(normal_definition(one), normal_definition(other));
    }
}
