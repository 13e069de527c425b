//! Where the daemon acts: one account, one region. A manifest that names another's resources was meant for elsewhere.

use serde_json::Value;

use crate::manifest::Manifest;

/// An account and a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
}

impl Home {
    /// Where the resource of this ARN is; `None` when it is no ARN, or of no account or region.
    pub fn of_arn(arn: &str) -> Option<Self> {
        let parts = Parts::of(arn)?;
        let home = Self {
            account: parts.account.to_owned(),
            region: parts.region.to_owned(),
        };
        (!home.account.is_empty() && !home.region.is_empty()).then_some(home)
    }

    /// The first ARN of the manifest that is of another account or region. Secrets and parameters may be: ECS reads them
    /// across accounts. So may what has no account or region in its ARN, as roles and buckets have not. What a program is
    /// told is its own matter, and may be a secret that somebody typed.
    pub fn stranger(&self, manifest: &Manifest) -> Option<String> {
        let documents = [manifest.service.open(), manifest.task_definition.open()];
        let mut texts = documents
            .iter()
            .flat_map(|document| document.values())
            .flat_map(texts)
            .chain([manifest.cluster.as_str()]);
        let stranger = texts.find(|text| {
            Parts::of(text).is_some_and(|parts| {
                let may_be_shared = matches!(parts.service, "secretsmanager" | "ssm");
                !may_be_shared
                    && (differs(parts.account, &self.account)
                        || differs(parts.region, &self.region))
            })
        });
        stranger.map(str::to_owned)
    }
}

/// Members that ECS only hands on to the containers.
const FOR_PROGRAMS: &[&str] = &["command", "dockerLabels", "entryPoint", "environment"];

fn differs(part: &str, ours: &str) -> bool {
    !part.is_empty() && part != "aws" && part != ours
}

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
struct Parts<'a> {
    service: &'a str,
    region: &'a str,
    account: &'a str,
}

impl<'a> Parts<'a> {
    fn of(arn: &'a str) -> Option<Self> {
        let mut parts = arn.strip_prefix("arn:")?.splitn(5, ':').skip(1);
        let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next()?;
        Some(Self {
            service,
            region,
            account,
        })
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(member, _)| !FOR_PROGRAMS.contains(&member.as_str()))
            .flat_map(|(_, value)| texts(value))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Options, References};

    fn home() -> Home {
        Home::of_arn("arn:aws:ecs:us-east-1:123456789012:cluster/prod").unwrap()
    }

    fn manifest_with(service: &str, definition: &str) -> Manifest {
        let text = format!(
            "apiVersion: evenkeel/v1\nkind: Service\nmetadata: {{name: api}}\nspec:\n  cluster: prod\n  service: {{desiredCount: 1{service}}}\n  \
             taskDefinition: {{cpu: '256', memory: '512', containerDefinitions: [{{name: api, image: nginx{definition}}}]}}\n"
        );
        let references = References::new(Some("{}"), []).unwrap();
        let (mut manifests, problems) =
            manifest::parse_file("m.yaml", &text, &references, Options::default());
        assert!(problems.iter().all(|p| !p.is_error()), "{problems:?}");
        manifests.remove(0)
    }

    fn with_group(arn: &str) -> Manifest {
        manifest_with(
            &format!(
                ", loadBalancers: [{{targetGroupArn: '{arn}', containerName: api, containerPort: 80}}]"
            ),
            ", portMappings: [{containerPort: 80}]",
        )
    }

    #[test]
    fn an_arn_of_another_account_or_region_is_found() {
        for (region, account, is_stranger) in [
            ("us-east-1", "123456789012", false),
            ("us-east-1", "999999999999", true),
            ("eu-west-1", "123456789012", true),
        ] {
            let arn = format!(
                "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/api/73e2d6bc24d8a067"
            );
            let manifest = with_group(&arn);
            let found = home().stranger(&manifest);
            assert_eq!(found, is_stranger.then_some(arn));
        }
    }

    #[test]
    fn what_a_program_is_told_is_its_own_matter() {
        let topic = "arn:aws:sns:eu-west-1:999999999999:orders";
        let manifest = manifest_with(
            "",
            &format!(
                ", environment: [{{name: TOPIC, value: '{topic}'}}], command: [serve, '{topic}']"
            ),
        );
        assert_eq!(home().stranger(&manifest), None);
    }

    #[test]
    fn secrets_may_be_anothers_and_roles_have_no_region() {
        let secret = "arn:aws:secretsmanager:eu-west-1:999999999999:secret:db-AbCdEf";
        let manifest = manifest_with(
            "",
            &format!(", secrets: [{{name: DB, valueFrom: '{secret}'}}]"),
        );
        assert_eq!(home().stranger(&manifest), None);
        assert_eq!(Home::of_arn("arn:aws:iam::123456789012:role/api"), None);
        assert_eq!(Home::of_arn("no arn"), None);
    }
}
