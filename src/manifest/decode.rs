//! One document to one [`Manifest`]: the envelope of `evenkeel/v1`, field by field, reporting everything that is wrong.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::document::{self, Packed};

use super::{
    Manifest, Options, checks, cluster_name, convert,
    diagnostic::{Place, Report},
    digest,
    ecs::Block,
    fields::{Field, Fields},
    names,
    node::{Kind, Node, Scalar},
    parts::{self, checked},
    references::References,
    resolve::{self, Scope, Spent},
};

const API_VERSION: &str = "evenkeel/v1";
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
    put_references_in(&mut root, context, report);
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
            .map(|f| parts::labels(&metadata, f, report))
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
        .and_then(|field| parts::image(&spec, field, report));
    let service_field = spec.require("service", report);
    let definition_field = spec.require("taskDefinition", report);
    let convert = |field: Option<Field<'_>>, block, report: &mut Report<'_>| match field
        .map(|f| (f, &f.node.kind))
    {
        Some((field, Kind::Map(entries))) => convert::block(
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
    let desired_count = parts::desired_count(&mut service, service_field, report);
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
        .and_then(|field| parts::target_health(&spec, field, report));
    let log_group = spec
        .take("logGroup")
        .and_then(|field| parts::log_group(&spec, field, report));
    let rollout = parts::rollout(&mut spec, report);
    let drift = parts::drift(&mut spec, report);
    let suspend = spec
        .take("suspend")
        .and_then(|field| parts::suspend(field, report));
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
        service: Packed::of(&service),
        desired_count,
        initial_count: initial_count.unwrap_or(1),
        task_definition: Packed::of(&definition),
        family: document::text(&definition, "family").to_owned(),
        target_groups: document::target_groups(&service)
            .map(str::to_owned)
            .collect(),
        target_health,
        log_group,
        rollout,
        drift,
        suspend,
        adopt,
        digest: String::new(),
    };
    let nodes = checks::Nodes {
        wanted_service: &service,
        wanted_definition: &definition,
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
fn put_references_in(root: &mut Node, context: &mut Context<'_>, report: &mut Report<'_>) {
    let references = context.references;
    let spent = &mut context.spent;
    let spec = child(root, "spec");
    let (mut has_image, mut tag) = (false, None);
    if let Some(image) = spec.and_then(|spec| child(spec, "image")) {
        has_image = true;
        resolve::resolve(image, Scope::Image, references, spent, report);
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
                    resolve::resolve(&mut field.value, scope, references, spent, report);
                }
            }
            _ => resolve::resolve(&mut part.value, text, references, spent, report),
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
