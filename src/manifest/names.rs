//! AWS's rules for names and values that a manifest gives. Each says what is allowed when it refuses.

use std::collections::BTreeMap;

use super::ecs::Block;

/// AWS allows 50 tags on a resource; the rest are for `evenkeel:` tags.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html>
pub(super) const MOST_LABELS: usize = 40;

/// The days PutRetentionPolicy takes.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
pub(super) const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

fn rule(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(otherwise.to_owned())
    }
}

fn word(text: &str, longest: usize, also: &str) -> bool {
    (1..=longest).contains(&text.chars().count())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>
pub(super) fn service(text: &str) -> Result<(), String> {
    rule(
        word(text, 255, "-_"),
        "1 to 255 letters, digits, hyphens and underscores",
    )
}

/// A name, or an ARN of one. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html>
pub(super) fn cluster(text: &str) -> Result<(), String> {
    let name = match text.strip_prefix("arn:") {
        Some(arn) => match arn.splitn(5, ':').collect::<Vec<_>>().as_slice() {
            [_, "ecs", _, _, resource] => resource.strip_prefix("cluster/").unwrap_or_default(),
            _ => "",
        },
        None => text,
    };
    rule(
        word(name, 255, "-_"),
        "a name of 1 to 255 letters, digits, hyphens and underscores, or an ARN like arn:aws:ecs:REGION:ACCOUNT:cluster/NAME",
    )
}

/// The same as a service's name. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>
pub(super) fn family(text: &str) -> Result<(), String> {
    service(text)
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
pub(super) fn repository(text: &str) -> Result<(), String> {
    let last = text.rsplit('/').next().unwrap_or(text);
    if text.contains("://") {
        return Err("leave the scheme out: HOST/PATH".to_owned());
    }
    if text.contains('@') || last.contains(':') {
        return Err("leave the tag or digest out, and give the tag in spec.image.tag".to_owned());
    }
    let parts = text.split('/').all(|part| word(part, 255, "-_.:"));
    rule(
        parts && text.len() <= 512,
        "HOST/PATH of letters, digits and -_./",
    )
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>
pub(super) fn image_tag(text: &str) -> Result<(), String> {
    let begins = !text.starts_with(['.', '-']);
    rule(
        begins && word(text, 128, "-_."),
        "1 to 128 letters, digits, underscores, dots and hyphens, not beginning with a dot or a hyphen",
    )
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>
pub(super) fn log_group(text: &str) -> Result<(), String> {
    if text.starts_with("aws/") {
        return Err("AWS keeps names beginning with `aws/` for itself".to_owned());
    }
    rule(
        word(text, 512, "-_/.#"),
        "1 to 512 letters, digits and -_/.#",
    )
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html>
pub(super) const LONGEST_TAG_VALUE: usize = 256;

/// Whether a manifest takes these tags as its labels.
#[must_use]
pub fn can_be_labels(tags: &BTreeMap<String, String>) -> bool {
    let listed: usize = tags.keys().map(|key| key.len() + 1).sum();
    tags.len() <= MOST_LABELS
        && listed <= LONGEST_TAG_VALUE
        && tags
            .iter()
            .all(|(key, value)| tag_key(key).is_ok() && tag_value(value).is_ok())
}

pub(super) fn tag_key(text: &str) -> Result<(), String> {
    let lower = text.to_lowercase();
    if lower.starts_with("aws:") || lower.starts_with("evenkeel:") {
        return Err("a label may not begin with `aws:` or `evenkeel:`".to_owned());
    }
    // AWS allows spaces too. They separate the keys in the tag that lists them.
    rule(
        !text.is_empty() && !text.contains(char::is_whitespace) && tag_text(text, 128),
        "1 to 128 letters, digits and + - = . _ : / @",
    )
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html>
pub(super) fn tag_value(text: &str) -> Result<(), String> {
    rule(
        tag_text(text, 256),
        "at most 256 letters, digits, spaces and + - = . _ : / @",
    )
}

fn tag_text(text: &str, longest: usize) -> bool {
    text.chars().count() <= longest
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || " +-=._:/@".contains(c))
}

/// A JSON pointer (RFC 6901) into the parts that are compared, its first field one that there is.
pub(super) fn pointer(text: &str) -> Result<(), String> {
    let mut tokens = text.split('/');
    let begins = tokens.next() == Some("");
    let (root, field) = (tokens.next(), tokens.next());
    let escapes = text
        .split('~')
        .skip(1)
        .all(|after| after.starts_with(['0', '1']));
    let shape =
        "a JSON pointer beginning with /service, /taskDefinition or /logGroup, as `plan` prints it";
    rule(begins && escapes, shape)?;
    let known: Vec<&str> = match root {
        Some("service") => Block::Service.fields().collect(),
        Some("taskDefinition") => Block::TaskDefinition.fields().collect(),
        Some("logGroup") => vec!["retentionInDays"],
        _ => return Err(shape.to_owned()),
    };
    match field {
        Some(field) if !known.contains(&field) => {
            let near = super::diagnostic::nearest(field, known);
            Err(match near {
                Some(near) => format!("did you mean `/{}/{near}`?", root.unwrap_or_default()),
                None => format!("/{} has no such field", root.unwrap_or_default()),
            })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_names_or_arns() {
        assert!(cluster("prod").is_ok());
        assert!(cluster("arn:aws:ecs:eu-central-1:123456789012:cluster/prod").is_ok());
        assert!(cluster("arn:aws:ecs:eu-central-1:123456789012:service/prod").is_err());
        assert!(cluster("arn:aws:ecs").is_err());
        assert!(cluster("prod/one").is_err());
        assert!(cluster("").is_err());
    }

    #[test]
    fn repositories_carry_no_tag() {
        assert!(repository("123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api").is_ok());
        assert!(repository("127.0.0.1:5000/api").is_ok());
        assert!(repository("public.ecr.aws/nginx/nginx:1.27").is_err());
        assert!(repository("host/api@sha256:00").is_err());
        assert!(repository("https://host/api").is_err());
        assert!(repository("host//api").is_err());
    }

    #[test]
    fn pointers_lead_into_what_is_compared() {
        assert!(pointer("/service/healthCheckGracePeriodSeconds").is_ok());
        assert!(pointer("/taskDefinition/containerDefinitions/api/environment").is_ok());
        assert!(pointer("/logGroup/retentionInDays").is_ok());
        assert!(pointer("/service").is_ok());
        for wrong in [
            "service/x",
            "/spec/service",
            "",
            "/",
            "/service/a~2b",
            "/service/desiredCoun",
        ] {
            assert!(pointer(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            pointer("/service/desiredCoun").unwrap_err(),
            "did you mean `/service/desiredCount`?"
        );
    }

    #[test]
    fn labels_leave_reserved_names_alone() {
        assert!(tag_key("team").is_ok());
        assert!(tag_key("aws:x").is_err());
        assert!(tag_key("Evenkeel:owner").is_err());
        assert!(tag_key("").is_err());
        assert!(tag_key("cost center").is_err());
        assert!(tag_value("").is_ok());
        assert!(tag_value(&"x".repeat(257)).is_err());
        assert!(tag_value("a;b").is_err());
    }
}
