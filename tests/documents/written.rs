//! The other way round: for every service as AWS returns it there is a manifest that asks for just that.

use std::sync::Arc;

use evenkeel::{
    desired::{Desired, Settings},
    document,
    init::{self, Live, Reference, Registry},
    manifest::{self, Options, References},
    normal::Form,
    observed::{Image, LogGroup, Observed},
    plan::{self, Lessons},
    tags,
};

use super::pairs::Pair;

/// Each is written as the manifest of a service that nobody answers for, read back, and planned.
#[test]
fn a_manifest_written_from_what_aws_returns_changes_nothing() {
    let mut failures = Vec::new();
    for pair in Pair::all() {
        if let Err(why) = written_and_planned(&pair) {
            failures.push(format!("{}: {why}", pair.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn written_and_planned(pair: &Pair) -> Result<(), String> {
    let mut observed = pair.observed();
    let service = observed.service.as_mut().unwrap();
    let live_tags = service.0["tags"].as_array_mut().unwrap();
    live_tags.retain(|tag| !tag["key"].as_str().unwrap().starts_with("evenkeel:"));
    let (service, definition) = (
        observed.service.clone().unwrap(),
        observed.definition.clone().unwrap(),
    );
    let reference = init::main_container(&service, &definition)
        .map(|container| Reference::split(document::text(container, "image")));
    let image = reference.as_ref().and_then(|reference| {
        let registry = if reference.repository.contains(".dkr.ecr.") {
            Registry::Ecr {
                tags: vec!["1.0.0".to_owned()],
                known: definition.tags.get(tags::IMAGE_TAG).cloned(),
            }
        } else {
            Registry::Other
        };
        reference.as_image(&registry)
    });
    let settings = Settings {
        owner: "evenkeel".to_owned(),
        form: Form::current(),
    };
    let written = init::write(&Live {
        cluster: "prod",
        service: &service,
        definition: &definition,
        image: image.as_ref(),
        log_group: None,
        owner: &pair.desired.owner,
        form: &settings.form,
    });
    let written = written.map_err(|refused| refused.to_string())?;
    let (manifests, problems) = manifest::parse_file(
        &pair.name,
        &written.text,
        &References::default(),
        Options::default(),
    );
    let manifest = manifests
        .into_iter()
        .next()
        .ok_or_else(|| format!("{problems:?}\n{}", written.text))?;
    let meant = match (&image, reference) {
        (Some(image), Some(reference)) => Image::Resolved {
            reference: match &reference.digest {
                Some(digest) => format!("{}@{digest}", image.repository),
                None => format!("{}:{}", image.repository, image.tag),
            },
            digest: reference.digest,
        },
        _ => Image::NotUsed,
    };
    let desired = Desired::new(Arc::new(manifest), &settings, &meant);
    let observed = Observed {
        image: meant,
        log_group: LogGroup::NotDeclared,
        ..observed
    };
    let plan = plan::plan(&desired, &observed, &Lessons::default());
    let is_taking_over = plan
        .steps
        .iter()
        .all(|step| step.operation.name() == "TagResource");
    if plan.differences.is_empty() && plan.blocked.is_empty() && is_taking_over {
        return Ok(());
    }
    Err(format!(
        "{:?} {:?} {:?}\n{}",
        plan.differences, plan.blocked, plan.steps, written.text
    ))
}
