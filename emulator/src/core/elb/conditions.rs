//! Conditions of rules: read, shown, and held against a request.
//!
//! Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>

use serde_json::{Value, json};

use super::{
    patterns::{Network, matches, matches_any_case, without_port},
    route::RequestHead,
};
use crate::core::{ApiError, input::Input};

const VALUES: usize = 5;
const WILDCARDS: usize = 5;
const LENGTH: usize = 128;
const MEMBERS: [&str; 9] = [
    "Field",
    "Values",
    "RegexValues",
    "PathPatternConfig",
    "HostHeaderConfig",
    "HttpHeaderConfig",
    "HttpRequestMethodConfig",
    "QueryStringConfig",
    "SourceIpConfig",
];

/// What must be true of a request. One of the values must match; `*` is any text and `?` any character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The path, whose case matters.
    Path(Vec<String>),
    /// The host, whose case does not matter.
    Host(Vec<String>),
    /// A header.
    Header {
        /// Its name.
        name: String,
        /// Patterns of its value, whose case does not matter.
        values: Vec<String>,
    },
    /// The method, without patterns.
    Method(Vec<String>),
    /// Pairs of an optional key and a value of the query, whose case does not matter.
    Query(Vec<(Option<String>, String)>),
    /// Networks that the client's address is in.
    Source(Vec<Network>),
}

impl Condition {
    /// Whether it is true of a request.
    #[must_use]
    pub fn holds(&self, request: &RequestHead<'_>) -> bool {
        match self {
            Self::Path(values) => values.iter().any(|it| matches(it, request.path)),
            Self::Host(values) => {
                let host = without_port(request.host);
                values.iter().any(|it| matches_any_case(it, host))
            }
            Self::Header { name, values } => request
                .headers
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                .any(|(_, value)| values.iter().any(|it| matches_any_case(it, value))),
            Self::Method(values) => values.iter().any(|it| it == request.method),
            Self::Query(pairs) => pairs.iter().any(|(key, value)| {
                request.query.split('&').any(|given| {
                    let (name, text) = given.split_once('=').unwrap_or((given, ""));
                    matches_any_case(value, text)
                        && key.as_ref().is_none_or(|key| matches_any_case(key, name))
                })
            }),
            Self::Source(networks) => networks.iter().any(|it| it.contains(request.source)),
        }
    }

    fn field(&self) -> &'static str {
        match self {
            Self::Path(_) => "path-pattern",
            Self::Host(_) => "host-header",
            Self::Header { .. } => "http-header",
            Self::Method(_) => "http-request-method",
            Self::Query(_) => "query-string",
            Self::Source(_) => "source-ip",
        }
    }

    fn values(&self) -> Vec<&String> {
        match self {
            Self::Path(values) | Self::Host(values) | Self::Method(values) => {
                values.iter().collect()
            }
            Self::Header { values, .. } => values.iter().collect(),
            Self::Query(pairs) => pairs
                .iter()
                .flat_map(|(key, value)| key.iter().chain([value]))
                .collect(),
            Self::Source(_) => Vec::new(),
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Path(values) | Self::Host(values) | Self::Method(values) => values.len(),
            Self::Header { values, .. } => values.len(),
            Self::Query(pairs) => pairs.len(),
            Self::Source(networks) => networks.len(),
        }
    }

    /// As DescribeRules returns it.
    pub(super) fn view(&self) -> Value {
        let field = self.field();
        match self {
            Self::Path(values) => {
                json!({ "Field": field, "Values": values, "PathPatternConfig": { "Values": values } })
            }
            Self::Host(values) => {
                json!({ "Field": field, "Values": values, "HostHeaderConfig": { "Values": values } })
            }
            Self::Header { name, values } => {
                json!({ "Field": field, "HttpHeaderConfig": { "HttpHeaderName": name, "Values": values } })
            }
            Self::Method(values) => {
                json!({ "Field": field, "HttpRequestMethodConfig": { "Values": values } })
            }
            Self::Query(pairs) => {
                let pairs: Vec<Value> = pairs
                    .iter()
                    .map(|(key, value)| json!({ "Key": key, "Value": value }))
                    .collect();
                json!({ "Field": field, "QueryStringConfig": { "Values": pairs } })
            }
            Self::Source(networks) => {
                let values: Vec<String> = networks.iter().map(Network::text).collect();
                json!({ "Field": field, "SourceIpConfig": { "Values": values } })
            }
        }
    }
}

/// The conditions of a rule; at least one.
///
/// # Errors
/// An unknown field, none or too many values, values that are malformed, or a field twice that may be there once.
pub(super) fn read(input: &Input<'_>) -> Result<Vec<Condition>, ApiError> {
    let given = input.objects("Conditions", &MEMBERS)?;
    let conditions: Vec<Condition> = given.iter().map(one).collect::<Result<_, _>>()?;
    if conditions.is_empty() {
        return Err(input.error("A condition must be specified"));
    }
    let values: usize = conditions.iter().map(Condition::count).sum();
    if values > VALUES {
        return Err(input.error(format!(
            "A rule can have at most '{VALUES}' condition values"
        )));
    }
    let texts = || conditions.iter().flat_map(Condition::values);
    let wildcards: usize = texts().map(|text| text.matches(['*', '?']).count()).sum();
    if wildcards > WILDCARDS {
        return Err(input.error(format!(
            "A rule can have at most '{WILDCARDS}' wildcard characters"
        )));
    }
    for field in [
        "path-pattern",
        "host-header",
        "http-request-method",
        "source-ip",
    ] {
        if conditions.iter().filter(|it| it.field() == field).count() > 1 {
            return Err(input.error(format!("A rule can only have one '{field}' condition")));
        }
    }
    Ok(conditions)
}

fn one(input: &Input<'_>) -> Result<Condition, ApiError> {
    input.refuse(&["RegexValues"])?;
    let field = input.need("Field")?;
    let condition = match field {
        "path-pattern" => Condition::Path(values(input, "PathPatternConfig")?),
        "host-header" => Condition::Host(values(input, "HostHeaderConfig")?),
        "http-header" => {
            let members = ["HttpHeaderName", "Values", "RegexValues"];
            let config = config(input, "HttpHeaderConfig", &members)?;
            Condition::Header {
                name: config.need("HttpHeaderName")?.to_owned(),
                values: owned(&config.texts("Values")?),
            }
        }
        "http-request-method" => {
            let methods = values(input, "HttpRequestMethodConfig")?;
            let allowed = |c: char| c.is_ascii_uppercase() || c == '-' || c == '_';
            if let Some(bad) = methods.iter().find(|it| !it.chars().all(allowed)) {
                return Err(input.error(format!("The HTTP request method '{bad}' is not valid")));
            }
            Condition::Method(methods)
        }
        "query-string" => {
            let config = config(input, "QueryStringConfig", &["Values"])?;
            let pairs = config.objects("Values", &["Key", "Value"])?;
            let pair = |it: &Input<'_>| -> Result<_, ApiError> {
                Ok((
                    it.text("Key")?.map(str::to_owned),
                    it.need("Value")?.to_owned(),
                ))
            };
            Condition::Query(pairs.iter().map(pair).collect::<Result<_, _>>()?)
        }
        "source-ip" => {
            let config = config(input, "SourceIpConfig", &["Values", "IpAddressType"])?;
            let network = |text: &&str| {
                Network::parse(text).ok_or_else(|| {
                    input.error(format!("The source IP '{text}' is not a valid CIDR block"))
                })
            };
            let networks = config.texts("Values")?;
            Condition::Source(networks.iter().map(network).collect::<Result<_, _>>()?)
        }
        other => {
            return Err(input.error(format!(
                "Condition field '{other}' must be one of '[path-pattern, host-header, http-header, http-request-method, query-string, source-ip]'"
            )));
        }
    };
    if condition.count() == 0 {
        return Err(input.error("A condition value must be specified"));
    }
    if let Some(bad) = condition
        .values()
        .into_iter()
        .find(|text| text.is_empty() || text.len() > LENGTH || !text.is_ascii())
    {
        return Err(input.error(format!(
            "The condition value '{bad:.200}' must contain 1 to {LENGTH} ASCII characters"
        )));
    }
    Ok(condition)
}

fn config<'a>(input: &Input<'a>, key: &str, members: &[&str]) -> Result<Input<'a>, ApiError> {
    let config = input
        .object(key, members)?
        .ok_or_else(|| input.error(format!("A {key} must be specified")))?;
    if members.contains(&"RegexValues") {
        config.refuse(&["RegexValues"])?;
    }
    Ok(config)
}

/// The values of a field, given in its own object or, as for long before that, beside the field.
fn values(input: &Input<'_>, key: &str) -> Result<Vec<String>, ApiError> {
    let beside = input.texts("Values")?;
    if !beside.is_empty() {
        return Ok(owned(&beside));
    }
    let members: &[&str] = if key == "HttpRequestMethodConfig" {
        &["Values"]
    } else {
        &["Values", "RegexValues"]
    };
    Ok(owned(&config(input, key, members)?.texts("Values")?))
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
