//! The small parts of a manifest's envelope, each from its own mapping.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value};

use super::{
    Drift, DriftPolicy, Image, LogGroup, Rollout, TargetHealth, TargetHealthAction, checks,
    diagnostic::Report,
    fields::{Field, Fields},
    names,
    node::Kind,
};

/// The most pointers in `drift.ignore`.
const MOST_IGNORED: usize = 100;

/// A name of AWS's, checked by AWS's rule; what is wrong is still returned, so that the rest can be checked.
pub(super) fn checked(
    field: Field<'_>,
    rule: fn(&str) -> Result<(), String>,
    report: &mut Report<'_>,
) -> Option<String> {
    let text = field.text(report)?;
    if let (Kind::Scalar(scalar), Err(why)) = (&field.node.kind, rule(&text)) {
        report
            .error(
                field.place(),
                format!("{} is not a valid `{}`", scalar.shown(), field.name),
            )
            .help(why);
    }
    Some(text)
}

pub(super) fn labels(
    parent: &Fields<'_>,
    field: Field<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, String> {
    let Kind::Map(entries) = &field.node.kind else {
        drop(parent.inner(field, report));
        return BTreeMap::new();
    };
    if entries.len() > names::MOST_LABELS {
        report
            .error(
                field.at,
                format!("{} labels, at most {}", entries.len(), names::MOST_LABELS),
            )
            .help("AWS allows 50 tags on a resource, and Evenkeel needs some of them");
    }
    let listed: usize = entries.iter().map(|entry| entry.key.len() + 1).sum();
    if listed > names::LONGEST_TAG_VALUE {
        report
            .error(
                field.at,
                format!("the labels' names take {listed} characters together"),
            )
            .help("a tag lists them, and AWS allows it 256: shorten them");
    }
    let mut labels = BTreeMap::new();
    for entry in entries.iter().take(names::MOST_LABELS) {
        if let Err(why) = names::tag_key(&entry.key) {
            report.error(entry.at, "not a valid label").help(why);
        }
        let value = Field {
            name: "labels",
            at: entry.at,
            node: &entry.value,
        };
        if let Some(value) = checked(value, names::tag_value, report) {
            labels.insert(entry.key.clone(), value);
        }
    }
    labels
}

pub(super) fn image(
    parent: &Fields<'_>,
    field: Field<'_>,
    report: &mut Report<'_>,
) -> Option<Image> {
    let mut image = parent.inner(field, report)?;
    let repository = image.require("repository", report);
    let repository = repository.and_then(|field| checked(field, names::repository, report));
    let tag = image
        .require("tag", report)
        .and_then(|field| checked(field, names::image_tag, report));
    let track = image
        .take("track")
        .and_then(|field| field.boolean(report))
        .unwrap_or(false);
    image.finish(report);
    Some(Image {
        repository: repository?,
        tag: tag?,
        track,
    })
}

pub(super) fn desired_count(
    service: &mut Map<String, Value>,
    block: Option<Field<'_>>,
    report: &mut Report<'_>,
) -> Option<u32> {
    let value = service.remove("desiredCount")?;
    let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
    if count.is_none() && !value.is_string() {
        let place = block.and_then(|block| checks::place_of(Some(block.node), &["desiredCount"]));
        if let Some(place) = place {
            report
                .error(place, "`desiredCount` may not be negative")
                .help("write 0 to stop every task");
        }
    }
    count
}

pub(super) fn target_health(
    parent: &Fields<'_>,
    field: Field<'_>,
    report: &mut Report<'_>,
) -> Option<TargetHealth> {
    const ACTIONS: [(&str, TargetHealthAction); 2] = [
        ("redeploy", TargetHealthAction::Redeploy),
        ("report", TargetHealthAction::Report),
    ];
    let mut health = parent.inner(field, report)?;
    let minimum_healthy = health.require("minimumHealthy", report);
    let minimum_healthy = minimum_healthy.and_then(|field| field.number(1..=10_000, report));
    let grace_period = health
        .take("gracePeriod")
        .and_then(|field| field.duration(report));
    let action = health
        .take("action")
        .and_then(|field| field.choice(&ACTIONS, report));
    health.finish(report);
    Some(TargetHealth {
        minimum_healthy: minimum_healthy?,
        grace_period: grace_period.unwrap_or(Duration::from_secs(120)),
        action: action.unwrap_or(TargetHealthAction::Redeploy),
    })
}

pub(super) fn log_group(
    parent: &Fields<'_>,
    field: Field<'_>,
    report: &mut Report<'_>,
) -> Option<LogGroup> {
    let mut group = parent.inner(field, report)?;
    let name = group
        .require("name", report)
        .and_then(|field| checked(field, names::log_group, report));
    let retention = group.take("retentionInDays").and_then(|field| {
        let days = field.number(1..=u32::MAX, report)?;
        if !names::RETENTION_DAYS.contains(&days) {
            let allowed: Vec<String> = names::RETENTION_DAYS.iter().map(u32::to_string).collect();
            report
                .error(
                    field.place(),
                    format!("CloudWatch cannot keep logs for {days} days"),
                )
                .help(format!(
                    "one of {}; leave it out to keep them for ever",
                    allowed.join(", ")
                ));
        }
        Some(days)
    });
    group.finish(report);
    Some(LogGroup {
        name: name?,
        retention_in_days: retention,
    })
}

pub(super) fn rollout(spec: &mut Fields<'_>, report: &mut Report<'_>) -> Rollout {
    let mut rollout = Rollout {
        timeout: Duration::from_secs(15 * 60),
        keep_revisions: 10,
    };
    let Some(mut fields) = spec
        .take("rollout")
        .and_then(|field| spec.inner(field, report))
    else {
        return rollout;
    };
    if let Some(timeout) = fields
        .take("timeout")
        .and_then(|field| field.duration(report))
    {
        rollout.timeout = timeout;
    }
    if let Some(keep) = fields
        .take("keepRevisions")
        .and_then(|field| field.number(1..=1_000, report))
    {
        rollout.keep_revisions = keep;
    }
    fields.finish(report);
    rollout
}

pub(super) fn drift(spec: &mut Fields<'_>, report: &mut Report<'_>) -> Drift {
    const POLICIES: [(&str, DriftPolicy); 2] = [
        ("enforce", DriftPolicy::Enforce),
        ("report", DriftPolicy::Report),
    ];
    let mut drift = Drift {
        policy: DriftPolicy::Enforce,
        ignore: Vec::new(),
    };
    let Some(mut fields) = spec
        .take("drift")
        .and_then(|field| spec.inner(field, report))
    else {
        return drift;
    };
    if let Some(policy) = fields
        .take("policy")
        .and_then(|field| field.choice(&POLICIES, report))
    {
        drift.policy = policy;
    }
    if let Some(ignore) = fields.take("ignore") {
        let items = ignore.list(report);
        if items.len() > MOST_IGNORED {
            report.error(
                ignore.at,
                format!("{} pointers, at most {MOST_IGNORED}", items.len()),
            );
        }
        for item in items.iter().take(MOST_IGNORED) {
            let pointer = Field {
                name: "ignore",
                at: item.place,
                node: item,
            };
            drift
                .ignore
                .extend(checked(pointer, names::pointer, report));
        }
    }
    fields.finish(report);
    drift
}

/// `true`, `false`, or a reason; what YAML 1.1 took for truth values is neither.
pub(super) fn suspend(field: Field<'_>, report: &mut Report<'_>) -> Option<String> {
    let scalar = field.scalar("true, false, or a reason", report)?;
    let ambiguous = ["", "yes", "no", "on", "off", "y", "n"];
    match (scalar.boolean(), scalar.text.trim()) {
        (Some(true), _) => Some(String::new()),
        (Some(false), _) => None,
        (None, text) if ambiguous.contains(&text.to_lowercase().as_str()) => {
            report
                .error(
                    field.place(),
                    format!("{} says neither yes nor why", scalar.shown()),
                )
                .help("write true, false, or the reason as text");
            None
        }
        (None, text) => Some(text.to_owned()),
    }
}
