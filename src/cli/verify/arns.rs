//! Names of things that are not looked up: whether they can be what they are given for. Pure.

use serde_json::Value;

use crate::{
    document::{self, Document},
    home::Home,
};

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
#[derive(Debug, PartialEq, Eq)]
struct Arn<'a> {
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (arn, partition) = (parts.next()?, parts.next()?);
        let parsed = Self {
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        };
        let is_whole = arn == "arn"
            && partition.starts_with("aws")
            && !parsed.service.is_empty()
            && !parsed.resource.is_empty();
        is_whole.then_some(parsed)
    }
}

/// What is wrong with the ARNs of a document, as `PATH: WHY`; and how many there are.
pub(super) fn wrong_arns(document: &Document, home: &Home) -> (usize, Vec<String>) {
    let (mut many, mut wrong) = (0, Vec::new());
    walk("", &Value::Object(document.clone()), &mut |path, text| {
        // What a program is told is its own matter.
        if !text.starts_with("arn:") || path.contains(".environment") || path.contains(".command") {
            return;
        }
        many += 1;
        if let Some(why) = wrong_arn(path, text, home) {
            wrong.push(format!("{path}: {text} {why}"));
        }
    });
    (many, wrong)
}

fn wrong_arn(path: &str, text: &str, home: &Home) -> Option<String> {
    let Some(arn) = Arn::parse(text) else {
        return Some("is not of the form arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE".to_owned());
    };
    let member = path.rsplit('.').next().unwrap_or_default();
    let expected: Option<(&[&str], &str)> = match member {
        "executionRoleArn" | "taskRoleArn" => Some((&["iam"], "role/")),
        "targetGroupArn" => Some((&["elasticloadbalancing"], "targetgroup/")),
        "valueFrom" => Some((&["secretsmanager", "ssm"], "")),
        _ => None,
    };
    if let Some((services, resource)) = expected
        && !(services.contains(&arn.service) && arn.resource.starts_with(resource))
    {
        return Some(format!("is no {}:{resource}…", services.join(" or ")));
    }
    // ECS reads secrets and parameters across accounts and regions.
    if ["secretsmanager", "ssm"].contains(&arn.service) {
        return None;
    }
    if !arn.region.is_empty() && arn.region != home.region {
        return Some(format!(
            "is in the region {}, the cluster in {}",
            arn.region, home.region
        ));
    }
    // Buckets have no account in their ARNs, and AWS's own policies have `aws`.
    let is_nobodys = arn.account.is_empty() || arn.account == "aws";
    if !is_nobodys && arn.account != home.account {
        return Some(format!(
            "is of the account {}, the cluster of {}",
            arn.account, home.account
        ));
    }
    None
}

/// Subnets and security groups that cannot be any: `subnet-` or `sg-`, and 8 or 17 hexadecimal digits
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>).
pub(super) fn wrong_ids(service: &Document) -> (usize, Vec<String>) {
    let vpc = service
        .get("networkConfiguration")
        .and_then(|network| network.get("awsvpcConfiguration")?.as_object());
    let (mut many, mut wrong) = (0, Vec::new());
    for (member, prefix) in [("subnets", "subnet-"), ("securityGroups", "sg-")] {
        let ids = vpc.into_iter().flat_map(|vpc| document::texts(vpc, member));
        for id in ids {
            many += 1;
            let is_id = id.strip_prefix(prefix).is_some_and(|digits| {
                [8, 17].contains(&digits.len())
                    && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            });
            if !is_id {
                wrong.push(format!(
                    "{member}: `{id}` is not {prefix}… with 8 or 17 hexadecimal digits"
                ));
            }
        }
    }
    (many, wrong)
}

fn walk(path: &str, value: &Value, each: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => each(path, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(&format!("{path}[{index}]"), item, each);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                walk(&format!("{path}.{key}"), value, each);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn home() -> Home {
        Home::of_arn("arn:aws:ecs:eu-central-1:123456789012:cluster/prod").unwrap()
    }

    #[test]
    fn arns_are_of_the_clusters_account_and_region_and_of_the_right_kind() {
        let secret = |arn: &str| {
            let document =
                json!({"containerDefinitions": [{"secrets": [{"name": "A", "valueFrom": arn}]}]});
            wrong_arns(document.as_object().unwrap(), &home()).1
        };
        let good = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-1b2c3d:user::";
        assert_eq!(secret(good), [] as [String; 0]);
        assert_eq!(secret("a-parameter-by-name"), [] as [String; 0]);
        assert_eq!(
            secret(&good.replace("1234", "9999")),
            [] as [String; 0],
            "shared"
        );
        for (wrong, why) in [
            (
                good.replace("secretsmanager", "s3"),
                "no secretsmanager or ssm",
            ),
            (
                "arn:aws:secretsmanager:eu-central-1".to_owned(),
                "not of the form",
            ),
        ] {
            let found = secret(&wrong);
            assert!(found.len() == 1 && found[0].contains(why), "{found:?}");
        }
        let group = |region: &str, account: &str| {
            let arn = format!("arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/api/1");
            let document = json!({"loadBalancers": [{"targetGroupArn": arn}]});
            wrong_arns(document.as_object().unwrap(), &home()).1
        };
        assert_eq!(group("eu-central-1", "123456789012"), [] as [String; 0]);
        assert!(group("us-east-1", "123456789012")[0].contains("region us-east-1"));
        assert!(group("eu-central-1", "999956789012")[0].contains("account 999956789012"));
        let role = json!({"taskRoleArn": "arn:aws:iam::123456789012:user/me"});
        let (many, wrong) = wrong_arns(role.as_object().unwrap(), &home());
        assert_eq!(many, 1);
        assert_eq!(
            wrong,
            [".taskRoleArn: arn:aws:iam::123456789012:user/me is no iam:role/…"]
        );
    }

    #[test]
    fn subnets_and_security_groups_have_their_form() {
        let network = json!({"networkConfiguration": {"awsvpcConfiguration": {
            "subnets": ["subnet-0a4f1c2e9b7d35a61", "subnet-12345678", "subnet-xyz"],
            "securityGroups": ["subnet-12345678"]}}});
        let (many, wrong) = wrong_ids(network.as_object().unwrap());
        assert_eq!((many, wrong.len()), (4, 2), "{wrong:?}");
    }
}
