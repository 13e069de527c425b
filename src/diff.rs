//! The differences between two documents in normal form, in the words that people read everywhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::normal::{Form, Normal};

/// One field in which AWS is not as the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// For people: `taskDefinition.containerDefinitions[api].image`.
    pub path: String,
    /// For `drift.ignore`: `/taskDefinition/containerDefinitions/api/image` (RFC 6901).
    pub pointer: String,
    /// What the manifest says, or the default when it says nothing; null when there is none.
    pub desired: Value,
    /// What AWS says; null when absent.
    pub live: Value,
}

impl Difference {
    /// `service`, `taskDefinition` or `logGroup`.
    pub fn root(&self) -> &str {
        self.pointer.split('/').nth(1).unwrap_or_default()
    }

    /// The member of the service or definition that the difference lies in, such as `deploymentConfiguration`.
    pub fn member(&self) -> &str {
        self.pointer.split('/').nth(2).unwrap_or_default()
    }

    /// The same without the values of environment variables, which may be secrets that somebody typed. For logs, events
    /// and statuses; `plan` shows them to the person who may read them in AWS anyway.
    pub fn masked(mut self) -> Self {
        let holds_environment = |value: &Value| value.get("environment").is_some();
        if self.pointer.contains("/environment")
            || [&self.desired, &self.live].into_iter().any(|value| {
                holds_environment(value)
                    || value
                        .as_object()
                        .is_some_and(|members| members.values().any(holds_environment))
            })
        {
            for value in [&mut self.desired, &mut self.live] {
                if !value.is_null() {
                    *value = Value::String("(not shown)".to_owned());
                }
            }
        }
        self
    }

    /// Whether the difference lies in the task definition.
    pub fn is_in_definition(&self) -> bool {
        self.root() == "taskDefinition"
    }
}

/// Every difference between `desired` and `live`, both by the normal form `form` of a document called `root`
/// (`service` or `taskDefinition`). Fields whose default is conditional count only when desired mentions them.
pub fn differences(form: &Form, root: &str, desired: &Normal, live: &Normal) -> Vec<Difference> {
    let mut found = Vec::new();
    let place = Place {
        path: root.to_owned(),
        pointer: format!("/{root}"),
        pattern: root.to_owned(),
    };
    compare(form, &place, Some(desired), Some(live), &mut found);
    found
}

/// Whether one of `ignore`'s JSON pointers names this difference or something around it.
pub fn is_ignored(difference: &Difference, ignore: &[String]) -> bool {
    ignore.iter().any(|pointer| {
        difference
            .pointer
            .strip_prefix(pointer.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

struct Place {
    path: String,
    pointer: String,
    pattern: String,
}

impl Place {
    fn field(&self, key: &str) -> Self {
        Self {
            path: format!("{}.{key}", self.path),
            pointer: format!("{}/{}", self.pointer, escape(key)),
            pattern: format!("{}.{key}", self.pattern),
        }
    }

    fn item(&self, key: &str) -> Self {
        Self {
            path: format!("{}[{key}]", self.path),
            pointer: format!("{}/{}", self.pointer, escape(key)),
            pattern: format!("{}.*", self.pattern),
        }
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn compare(
    form: &Form,
    place: &Place,
    desired: Option<&Normal>,
    live: Option<&Normal>,
    found: &mut Vec<Difference>,
) {
    if desired == live || (desired.is_none() && form.is_conditional(&place.pattern)) {
        return;
    }
    match (desired, live) {
        (Some(Normal::Fields(desired)), Some(Normal::Fields(live))) => {
            for key in desired
                .keys()
                .chain(live.keys().filter(|key| !desired.contains_key(*key)))
            {
                compare(
                    form,
                    &place.field(key),
                    desired.get(key),
                    live.get(key),
                    found,
                );
            }
        }
        // An entry of a keyed list may have a key and nothing else.
        (None, Some(Normal::Fields(live))) if !live.is_empty() => {
            for (key, value) in live {
                compare(form, &place.field(key), None, Some(value), found);
            }
        }
        (Some(Normal::Keyed(desired)), Some(Normal::Keyed(live))) => {
            for key in desired
                .keys()
                .chain(live.keys().filter(|key| !desired.contains_key(*key)))
            {
                compare(
                    form,
                    &place.item(key),
                    desired.get(key),
                    live.get(key),
                    found,
                );
            }
        }
        _ => found.push(Difference {
            path: place.path.clone(),
            pointer: place.pointer.clone(),
            desired: shown(form, place, desired),
            live: shown(form, place, live),
        }),
    }
}

fn shown(form: &Form, place: &Place, side: Option<&Normal>) -> Value {
    match side {
        Some(normal) => normal.to_value(),
        None => form.default_of(&place.pattern).unwrap_or(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_services(desired: Value, live: Value) -> Vec<Difference> {
        let [desired, live] =
            [desired, live].map(|side| Form::current().service(side.as_object().unwrap()));
        differences(&Form::current(), "service", &desired, &live)
    }

    #[test]
    fn a_difference_is_named_with_both_values() {
        let found = of_services(
            json!({"deploymentConfiguration": {"maximumPercent": 150}}),
            json!({"deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 50}}),
        );
        let named: Vec<_> = found
            .iter()
            .map(|d| (d.path.as_str(), &d.desired, &d.live))
            .collect();
        assert_eq!(
            named,
            [
                (
                    "service.deploymentConfiguration.maximumPercent",
                    &json!(150),
                    &json!(200)
                ),
                (
                    "service.deploymentConfiguration.minimumHealthyPercent",
                    &json!(100),
                    &json!(50)
                ),
            ]
        );
    }

    #[test]
    fn what_the_manifest_does_not_mention_is_named_field_by_field() {
        let found = of_services(
            json!({}),
            json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"], "assignPublicIp": "ENABLED"}}}),
        );
        let mut named: Vec<_> = found.iter().map(|one| one.path.as_str()).collect();
        named.sort_unstable();
        let place = "service.networkConfiguration.awsvpcConfiguration";
        assert_eq!(
            named,
            [
                format!("{place}.assignPublicIp"),
                format!("{place}.subnets")
            ]
        );
    }

    #[test]
    fn a_conditional_default_is_left_alone_unless_mentioned() {
        assert_eq!(
            of_services(json!({}), json!({"availabilityZoneRebalancing": "ENABLED"})),
            []
        );
        let mentioned = of_services(
            json!({"availabilityZoneRebalancing": "DISABLED"}),
            json!({"availabilityZoneRebalancing": "ENABLED"}),
        );
        assert_eq!(mentioned.len(), 1);
    }

    #[test]
    fn items_are_told_apart_by_their_key() {
        let [desired, live] = ["debug", "info"].map(|level| {
            let document = json!({"containerDefinitions": [
                {"name": "api", "environment": [{"name": "RUST_LOG", "value": level}]}]});
            Form::current().definition(document.as_object().unwrap())
        });
        let found = differences(&Form::current(), "taskDefinition", &desired, &live);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].path,
            "taskDefinition.containerDefinitions[api].environment[RUST_LOG]"
        );
        assert_eq!(
            found[0].pointer,
            "/taskDefinition/containerDefinitions/api/environment/RUST_LOG"
        );
    }

    #[test]
    fn an_entry_without_a_value_is_found_on_either_side() {
        let [one, two] = [
            json!([{"name": "A"}]),
            json!([{"name": "A"}, {"name": "B"}]),
        ]
        .map(|list| json!({"containerDefinitions": [{"name": "api", "environment": list}]}))
        .map(|document| Form::current().definition(document.as_object().unwrap()));
        for (desired, live) in [(&one, &two), (&two, &one)] {
            let found = differences(&Form::current(), "taskDefinition", desired, live);
            assert_eq!(found.len(), 1);
            assert!(found[0].pointer.ends_with("/environment/B"));
        }
    }

    #[test]
    fn values_of_the_environment_are_masked_and_others_are_not() {
        let difference = |pointer: &str, desired: Value| Difference {
            path: String::new(),
            pointer: pointer.to_owned(),
            desired,
            live: Value::Null,
        };
        let one = difference(
            "/taskDefinition/containerDefinitions/api/environment/PW",
            json!("hunter2"),
        )
        .masked();
        assert_eq!((one.desired, one.live), (json!("(not shown)"), Value::Null));
        let container = json!({"image": "r", "environment": {"PW": "hunter2"}});
        let whole = difference("/taskDefinition/containerDefinitions/side", container).masked();
        assert_eq!(whole.desired, json!("(not shown)"));
        let other = difference("/service/desiredCount", json!(2)).masked();
        assert_eq!(other.desired, json!(2));
    }

    #[test]
    fn an_ignored_pointer_covers_what_is_below_it_and_nothing_beside_it() {
        let found = of_services(
            json!({}),
            json!({"deploymentConfiguration": {"maximumPercent": 150}}),
        );
        assert!(is_ignored(
            &found[0],
            &["/service/deploymentConfiguration".to_owned()]
        ));
        assert!(!is_ignored(
            &found[0],
            &["/service/deploymentConfig".to_owned()]
        ));
    }
}
