//! What `secrets[].valueFrom` stands for.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The parts of a secret's ARN, whose name holds no colon.
const OF_ARN: usize = 7;

/// The value behind `ARN` or `ARN:json-key:version-stage:version-id`, or why there is none, in ECS's words. There is one version of each
/// secret, the current one.
pub(super) fn value(
    secrets: &BTreeMap<String, String>,
    value_from: &str,
) -> Result<String, String> {
    let end = value_from
        .match_indices(':')
        .nth(OF_ARN - 1)
        .map_or(value_from.len(), |(at, _)| at);
    let (arn, rest) = value_from.split_at(end);
    let (key, version) = match rest.split(':').collect::<Vec<_>>().as_slice() {
        [_] => ("", true),
        ["", key, stage, id] => (*key, matches!(*stage, "" | "AWSCURRENT") && id.is_empty()),
        _ => {
            return Err(
                "unexpected ARN format with parameters when trying to retrieve ASM secret"
                    .to_owned(),
            );
        }
    };
    let value = secrets.get(arn).filter(|_| version).ok_or_else(|| {
        let what = if version { "secret" } else { "secret value" };
        format!("service call has been retried 1 time(s): failed to fetch secret {arn} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified {what}.")
    })?;
    if key.is_empty() {
        return Ok(value.clone());
    }
    // What the parser says could quote the secret.
    let mut members: Map<String, Value> = serde_json::from_str(value).map_err(|_| {
        "service call has been retried 1 time(s): invalid character looking for beginning of value"
            .to_owned()
    })?;
    match members.remove(key) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Ok(other.to_string()),
        None => Err(format!(
            "service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key {key}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_whole_or_by_a_member_of_its_json() {
        let arn =
            |name: &str| format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}");
        let secrets = BTreeMap::from([
            (arn("url-AbCdEf"), "postgres://db".to_owned()),
            (
                arn("rds!db-1-AbCdEf"),
                r#"{"password":"a:\"b","port":5432}"#.to_owned(),
            ),
        ]);
        let of = |name: &str| value(&secrets, &arn(name));
        assert_eq!(of("url-AbCdEf").unwrap(), "postgres://db");
        assert_eq!(of("url-AbCdEf:::").unwrap(), "postgres://db");
        assert_eq!(of("rds!db-1-AbCdEf:password::").unwrap(), "a:\"b");
        assert_eq!(of("rds!db-1-AbCdEf:password:AWSCURRENT:").unwrap(), "a:\"b");
        assert_eq!(of("rds!db-1-AbCdEf:port::").unwrap(), "5432");
        for (name, why) in [
            ("absent-AbCdEf", "can't find the specified secret."),
            ("url-AbCdEf::AWSPREVIOUS:", "the specified secret value."),
            ("url-AbCdEf:password::", "invalid character"),
            ("rds!db-1-AbCdEf:user::", "did not contain json key user"),
            ("rds!db-1-AbCdEf:password", "unexpected ARN format"),
        ] {
            let said = of(name).unwrap_err();
            assert!(said.contains(why), "{name}: {said}");
            assert!(!said.contains("postgres:"), "{said}");
        }
    }
}
