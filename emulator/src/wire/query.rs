//! The Query protocol's requests: <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>.
//!
//! `Targets.member.1.Id=10.0.0.5` becomes `{"Targets": [{"Id": "10.0.0.5"}]}`. Every scalar stays a string, and so does
//! a list without members: clients send it as `Targets=`, which nothing tells from an empty string.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::is_operation_name;
use crate::core::{ApiError, Call, Service};

/// Bounds on what one request may hold; far above what any operation takes.
const MAX_PARAMETERS: usize = 10_000;
const MAX_DEPTH: usize = 16;

/// Versions, from each service's API model.
const VERSIONS: [(&str, Service); 2] =
    [("2015-12-01", Service::Elbv2), ("2011-06-15", Service::Sts)];

/// The service, as far as it can be told, and the call.
pub(super) fn decode(body: &[u8], caller: String) -> (Service, Result<Call, ApiError>) {
    let mut parameters = match parse(body) {
        Ok(parameters) => parameters,
        Err(error) => return (Service::Elbv2, Err(error)),
    };
    let mut take = |name: &str| match parameters.remove(name) {
        Some(Node::Leaf(text)) => text,
        Some(Node::Branch(_)) | None => String::new(),
    };
    let (action, version) = (take("Action"), take("Version"));
    let Some((_, service)) = VERSIONS.into_iter().find(|(name, _)| *name == version) else {
        let message = format!("Could not find operation {action:.128} for version {version:.32}");
        return (Service::Elbv2, Err(failure("InvalidAction", message)));
    };
    if !is_operation_name(&action) {
        let error = if action.is_empty() {
            failure(
                "MissingAction",
                "The parameter Action is missing".to_owned(),
            )
        } else {
            failure(
                "InvalidAction",
                "Action is not an operation's name".to_owned(),
            )
        };
        return (service, Err(error));
    }
    let call = Call {
        service,
        operation: action,
        input: Value::Object(object(parameters)),
        caller,
    };
    (service, Ok(call))
}

enum Node {
    Leaf(String),
    Branch(BTreeMap<String, Node>),
}

fn parse(body: &[u8]) -> Result<BTreeMap<String, Node>, ApiError> {
    let mut root = BTreeMap::new();
    for (count, (key, value)) in form_urlencoded::parse(body).enumerate() {
        if count >= MAX_PARAMETERS {
            return Err(malformed(format!("more than {MAX_PARAMETERS} parameters")));
        }
        let path: Vec<&str> = key.split('.').collect();
        if path.len() > MAX_DEPTH || path.iter().any(|part| part.is_empty()) {
            return Err(malformed(format!("the parameter name {key:.128}")));
        }
        insert(&mut root, &path, value.into_owned())
            .map_err(|()| malformed(format!("{key:.128} is given as two different things")))?;
    }
    Ok(root)
}

fn insert(branch: &mut BTreeMap<String, Node>, path: &[&str], value: String) -> Result<(), ()> {
    match path {
        [] => Err(()),
        [name] => match branch.insert((*name).to_owned(), Node::Leaf(value)) {
            None => Ok(()),
            Some(_) => Err(()),
        },
        [name, rest @ ..] => {
            let child = branch
                .entry((*name).to_owned())
                .or_insert_with(|| Node::Branch(BTreeMap::new()));
            match child {
                Node::Branch(child) => insert(child, rest, value),
                Node::Leaf(_) => Err(()),
            }
        }
    }
}

fn value(node: Node) -> Value {
    match node {
        Node::Leaf(text) => Value::String(text),
        Node::Branch(mut children) => match (children.len(), children.remove("member")) {
            (1, Some(Node::Branch(members))) => members_value(members),
            (_, Some(member)) => {
                children.insert("member".to_owned(), member);
                Value::Object(object(children))
            }
            (_, None) => Value::Object(object(children)),
        },
    }
}

/// A list's members in the order of their numbers, of which some may be left out.
fn members_value(members: BTreeMap<String, Node>) -> Value {
    if members.keys().any(|key| key.parse::<u32>().is_err()) {
        return Value::Object(object(members));
    }
    let mut members: Vec<(u32, Node)> = members
        .into_iter()
        .filter_map(|(key, node)| Some((key.parse().ok()?, node)))
        .collect();
    members.sort_by_key(|(index, _)| *index);
    Value::Array(members.into_iter().map(|(_, node)| value(node)).collect())
}

fn object(children: BTreeMap<String, Node>) -> Map<String, Value> {
    children
        .into_iter()
        .map(|(name, node)| (name, value(node)))
        .collect()
}

fn malformed(what: String) -> ApiError {
    failure("MalformedQueryString", what)
}

fn failure(code: &'static str, message: String) -> ApiError {
    ApiError {
        status: 400,
        code,
        message,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(body: &str) -> Value {
        let body = format!("Action=RegisterTargets&Version=2015-12-01&{body}");
        decode(body.as_bytes(), String::new()).1.unwrap().input
    }

    fn code(body: &str) -> &'static str {
        decode(body.as_bytes(), String::new()).1.unwrap_err().code
    }

    #[test]
    fn nested_member_lists_become_arrays_in_numeric_order() {
        assert_eq!(
            input(
                "TargetGroupArn=arn%3Aaws&Targets.member.10.Id=j&Targets.member.2.Id=b&Targets.member.2.Port=80\
                 &Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight=1&Names.member.1=a+b%26c"
            ),
            json!({
                "TargetGroupArn": "arn:aws",
                "Targets": [{"Id": "b", "Port": "80"}, {"Id": "j"}],
                "Actions": [{"ForwardConfig": {"TargetGroups": [{"Weight": "1"}]}}],
                "Names": ["a b&c"],
            })
        );
    }

    #[test]
    fn a_structure_with_one_member_is_not_a_list() {
        assert_eq!(
            input("Matcher.HttpCode=200"),
            json!({"Matcher": {"HttpCode": "200"}})
        );
        assert_eq!(input("Tags="), json!({"Tags": ""}));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(code("Version=2015-12-01"), "MissingAction");
        assert_eq!(
            code("Action=ListMetrics&Version=2010-08-01"),
            "InvalidAction"
        );
        assert_eq!(code("Action=%3Ca%3E&Version=2015-12-01"), "InvalidAction");
        assert_eq!(code(""), "InvalidAction");
        assert_eq!(code("A=1&A.member.1=2"), "MalformedQueryString");
        assert_eq!(code("A.member.1=2&A=1"), "MalformedQueryString");
        assert_eq!(code("A=1&A=1"), "MalformedQueryString");
        assert_eq!(code(&"a.".repeat(1_000_000)), "MalformedQueryString");
        assert_eq!(code(&"a=&".repeat(20_000)), "MalformedQueryString");
        assert_eq!(code("%ff%fe=\u{1}"), "InvalidAction");
    }

    #[test]
    fn the_version_tells_the_service() {
        let (service, call) = decode(
            b"Action=GetCallerIdentity&Version=2011-06-15",
            "AKID".into(),
        );
        assert_eq!(service, Service::Sts);
        assert_eq!(call.unwrap().caller, "AKID");
    }
}
