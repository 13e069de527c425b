//! One document to one [`Manifest`]: the envelope of `evenkeel/v1`, field by field, reporting everything that is wrong.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value};

use super::{
    Drift, DriftPolicy, Image, LogGroup, Manifest, Options, Rollout, TargetHealth,
    TargetHealthAction, checks, cluster_name,
    diagnostic::{Place, Report},
    digest,
    ecs::{self, Block},
    fields::{Field, Fields},
    names,
    references::{self, References, Scope, Spent},
    yaml::{Kind, Node, Scalar},
};

const API_VERSION: &str = "evenkeel/v1";
/// The most pointers in `drift.ignore`.
const MOST_IGNORED: usize = 100;
const KIND: &str = "Service";

/// What came of one document.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// `None` where something essential is missing; reported. May be there although errors were reported.
    pub(super) manifest: Option<Manifest>,
    /// The service's name, where that much could be read.
    pub(super) name: Option<String>,
    /// The cluster as written, where that much could be read.
    pub(super) cluster: Option<String>,
}

/// What every document of a file is read with.
pub(super) struct Context<'c> {
    pub(super) references: &'c References,
    pub(super) options: Options,
    pub(super) spent: Spent,
}

pub(super) fn document(
    mut root: Node,
    context: &mut Context<'_>,
    report: &mut Report<'_>,
) -> Decoded {
    resolve(&mut root, context, report);
    let options = context.options;
    let mut decoded = Decoded::default();
    let Some(mut top) = Fields::of(&root, root.place, "", report) else {
        return decoded;
    };
    for (name, expected) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        let field = top.require(name, report);
        field.and_then(|field| field.choice(&[(expected, ())], report));
    }
    let metadata = top.require("metadata", report);
    let mut metadata = metadata.and_then(|field| top.inner(field, report));
    let spec = top.require("spec", report);
    let mut spec = spec.and_then(|field| top.inner(field, report));
    top.finish(report);

    let mut labels = BTreeMap::new();
    if let Some(mut metadata) = metadata.take() {
        decoded.name = metadata
            .require("name", report)
            .and_then(|field| checked(field, names::service, report));
        labels = metadata
            .take("labels")
            .map(|f| self::labels(&metadata, f, report))
            .unwrap_or_default();
        metadata.finish(report);
    }
    if let Some(spec) = spec.take() {
        let known = Envelope {
            file: report.file(),
            line: root.place.line,
            name: decoded.name.clone(),
            labels,
        };
        (decoded.cluster, decoded.manifest) = self::spec(spec, known, options, report);
    }
    if let Some(manifest) = &mut decoded.manifest {
        manifest.digest = digest::of_document(&root);
    }
    decoded
}

/// What is known before `spec` is read.
struct Envelope<'t> {
    file: &'t str,
    line: usize,
    name: Option<String>,
    labels: BTreeMap<String, String>,
}

fn spec(
    mut spec: Fields<'_>,
    known: Envelope<'_>,
    options: Options,
    report: &mut Report<'_>,
) -> (Option<String>, Option<Manifest>) {
    let cluster = spec
        .require("cluster", report)
        .and_then(|field| checked(field, names::cluster, report));
    let image = spec
        .take("image")
        .and_then(|field| self::image(&spec, field, report));
    let service_field = spec.require("service", report);
    let definition_field = spec.require("taskDefinition", report);
    let convert = |field: Option<Field<'_>>, block, report: &mut Report<'_>| match field
        .map(|f| (f, &f.node.kind))
    {
        Some((field, Kind::Map(entries))) => ecs::convert(
            block,
            entries,
            field.at,
            options.allow_unknown_ecs_fields,
            report,
        ),
        Some((field, _)) => {
            drop(Fields::of(
                field.node,
                field.at,
                spec.path_of(field.name),
                report,
            ));
            Map::new()
        }
        None => Map::new(),
    };
    let mut service = convert(service_field, Block::Service, report);
    let mut definition = convert(definition_field, Block::TaskDefinition, report);
    let desired_count = desired_count(&mut service, service_field, report);
    let initial_count = spec.take("initialCount").map(|field| {
        if desired_count.is_some() {
            report
                .error(
                    field.at,
                    "`initialCount` is used only where spec.service.desiredCount is not given",
                )
                .help("remove one of them");
        }
        field.number(0..=10_000, report).unwrap_or(1)
    });
    let target_health = spec
        .take("targetHealth")
        .and_then(|field| self::target_health(&spec, field, report));
    let log_group = spec
        .take("logGroup")
        .and_then(|field| self::log_group(&spec, field, report));
    let rollout = rollout(&mut spec, report);
    let drift = drift(&mut spec, report);
    let suspend = spec
        .take("suspend")
        .and_then(|field| self::suspend(field, report));
    let adopt = spec
        .take("adopt")
        .and_then(|field| field.boolean(report))
        .unwrap_or(false);
    spec.finish(report);

    if let (Some(name), Some(cluster)) = (&known.name, &cluster) {
        let family = || Value::String(format!("{}-{name}", cluster_name(cluster)));
        definition.entry("family").or_insert_with(family);
    }
    let at = |field: Option<Field<'_>>| field.map_or(spec_place(&known), |field| field.at);
    let (Some(name), Some(cluster)) = (known.name.clone(), cluster.clone()) else {
        return (cluster, None);
    };
    let manifest = Manifest {
        file: known.file.to_owned(),
        line: known.line,
        name,
        cluster: cluster.clone(),
        labels: known.labels.clone(),
        image,
        service,
        desired_count,
        initial_count: initial_count.unwrap_or(1),
        task_definition: definition,
        target_health,
        log_group,
        rollout,
        drift,
        suspend,
        adopt,
        digest: String::new(),
    };
    let nodes = checks::Nodes {
        service: service_field.map(|field| field.node),
        definition: definition_field.map(|field| field.node),
        service_at: at(service_field),
        definition_at: at(definition_field),
    };
    checks::manifest(&manifest, &nodes, report);
    (Some(cluster), Some(manifest))
}

fn spec_place(known: &Envelope<'_>) -> Place {
    Place {
        line: known.line,
        column: 1,
        start: 0,
        end: 0,
    }
}

/// References, the image's own first: its tag may be used by the rest.
fn resolve(root: &mut Node, context: &mut Context<'_>, report: &mut Report<'_>) {
    let references = context.references;
    let spent = &mut context.spent;
    let spec = child(root, "spec");
    let (mut has_image, mut tag) = (false, None);
    if let Some(image) = spec.and_then(|spec| child(spec, "image")) {
        has_image = true;
        references::resolve(image, Scope::Image, references, spent, report);
        if let Some(Node {
            kind: Kind::Scalar(Scalar { text, .. }),
            ..
        }) = child(image, "tag")
        {
            tag = Some(text.clone());
        }
    }
    let Kind::Map(top) = &mut root.kind else {
        return;
    };
    for part in top {
        let text = Scope::Text {
            tag: tag.as_deref(),
        };
        match (&mut part.value.kind, part.key.as_str()) {
            (Kind::Map(fields), "spec") => {
                for field in fields {
                    let scope = match field.key.as_str() {
                        "image" => continue,
                        "taskDefinition" => Scope::Template { has_image },
                        _ => text,
                    };
                    references::resolve(&mut field.value, scope, references, spent, report);
                }
            }
            _ => references::resolve(&mut part.value, text, references, spent, report),
        }
    }
}

fn child<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    let Kind::Map(entries) = &mut node.kind else {
        return None;
    };
    entries
        .iter_mut()
        .find(|entry| entry.key == key)
        .map(|entry| &mut entry.value)
}

/// A name of AWS's, checked by AWS's rule; what is wrong is still returned, so that the rest can be checked.
fn checked(
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

fn labels(
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

fn image(parent: &Fields<'_>, field: Field<'_>, report: &mut Report<'_>) -> Option<Image> {
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

fn desired_count(
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

fn target_health(
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

fn log_group(parent: &Fields<'_>, field: Field<'_>, report: &mut Report<'_>) -> Option<LogGroup> {
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

fn rollout(spec: &mut Fields<'_>, report: &mut Report<'_>) -> Rollout {
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

fn drift(spec: &mut Fields<'_>, report: &mut Report<'_>) -> Drift {
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
fn suspend(field: Field<'_>, report: &mut Report<'_>) -> Option<String> {
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
