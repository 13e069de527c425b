//! A service that exists: what differs, and the one UpdateService that mends it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    desired::Desired,
    diff::{Difference, differences, is_ignored},
    document::Document,
    manifest::DriftPolicy,
    observed::{LiveService, Observed, Revision, RolloutState},
    plan::{
        Blocked, Cause, Lessons, Plan, Write, health, held,
        log_group::LogGroupPlan,
        overdue,
        revisions::{self, definition_differences},
        step, tagging,
    },
    shape, tags,
};

/// Members that UpdateService does not have, or refuses to change on a running service (API_UpdateService).
const NOT_UPDATABLE: &[&str] = &["deploymentController", "launchType", "schedulingStrategy"];

/// Whether the service's past must be known to decide: something would start a deployment, or the last one failed or
/// takes too long.
pub fn needs_history(desired: &Desired, observed: &Observed) -> bool {
    let Some(service) = &observed.service else {
        return false;
    };
    let deployments = service.deployments();
    deployments
        .iter()
        .any(|deployment| deployment.rollout == RolloutState::Failed)
        || overdue::is_overdue(desired, observed)
        || health::wants_redeploy(desired, observed)
        || compared(desired, service, observed.definition.as_ref())
            .iter()
            .any(starts_deployment)
}

/// Of what the plan has sent, what `answer` still shows with its old value.
pub fn not_taken(desired: &Desired, plan: &Plan, answer: &LiveService) -> Vec<Difference> {
    let sent = |difference: &Difference| {
        let updates = plan
            .steps
            .iter()
            .filter(|step| step.operation == Write::UpdateService);
        updates
            .into_iter()
            .any(|step| step.input.contains_key(difference.member()))
    };
    let mut remaining = compared(desired, answer, None);
    remaining.retain(|difference| sent(difference) && plan.differences.contains(difference));
    remaining
}

/// Of the definition that was registered, what `answer`, a task definition, shows otherwise.
pub fn not_registered(desired: &Desired, answer: &Document) -> Vec<Difference> {
    definition_differences(desired, answer)
}

pub(super) fn update(
    desired: &Desired,
    observed: &Observed,
    service: &LiveService,
    log_group: LogGroupPlan,
    lessons: &Lessons,
    plan: &mut Plan,
) {
    plan.differences = compared(desired, service, observed.definition.as_ref());
    plan.differences.extend(log_group.differences);
    let live_tags = service.tags();
    let wants = desired.definition.is_some() || plan.differences.iter().any(starts_deployment);
    let failed = held::failed_before(desired, observed).filter(|_| wants);
    if !plan.differences.is_empty() {
        // A manifest that ECS has rolled back is not matched any more, and nobody has drifted.
        let is_edit = failed.is_some() || is_edited(desired, &live_tags);
        // What ECS is taking back was an edit, though its history does not say yet that it failed.
        plan.cause = Some(if is_edit || service.is_rolling_back() {
            Cause::Edit
        } else {
            Cause::Drift
        });
        if !is_edit && desired.manifest.drift.policy == DriftPolicy::Report {
            plan.blocked.push(Blocked::ReportOnly);
            return;
        }
    }
    plan.steps.extend(log_group.steps);
    plan.blocked.extend(log_group.blocked);
    plan.hold = failed
        .filter(|failed| !held::is_forgiven(failed, service))
        .map(|failed| held::describe(failed, desired, &plan.differences));

    let to_send = sendable(observed, service, lessons, plan);
    let (cluster, name) = (&desired.manifest.cluster, &desired.manifest.name);
    if let Some(changes) = changes(desired, observed, &to_send, lessons, plan) {
        plan.steps
            .push(step::update_service(cluster, name, changes));
    } else if service.is_stalled()
        && failed.is_some()
        && plan.hold.is_none()
        && plan.differences.is_empty()
    {
        // Someone said `retry` for a deployment that had nothing to be rolled back to: nothing differs, so only this
        // starts tasks again.
        plan.cause = Some(Cause::Retry);
        plan.steps.push(step::redeploy(cluster, name));
    } else {
        plan.steps.extend(overdue::give_up(desired, observed));
    }
    let left = plan
        .differences
        .iter()
        .filter(|difference| difference.root() != "logGroup")
        .count();
    let will_match = to_send.len() == left && desired.definition.is_some();
    tagging::tag(desired, service, &to_send, will_match, plan);
    health::watch(desired, observed, service, plan);
    if to_send.is_empty() && service.is_settled() {
        revisions::give_up_old(desired, observed, service, plan);
    }
}

/// Whether what is desired has changed since it was last matched: by a person, or by a tag that is followed.
fn is_edited(desired: &Desired, live_tags: &BTreeMap<String, String>) -> bool {
    let has_moved = desired
        .manifest
        .image
        .as_ref()
        .is_some_and(|image| image.track)
        && desired.image_digest.as_ref() != live_tags.get(tags::IMAGE);
    has_moved || live_tags.get(tags::APPLIED) != Some(&desired.manifest.digest)
}

/// Every difference that the manifest does not tell us to ignore.
fn compared(
    desired: &Desired,
    service: &LiveService,
    definition: Option<&Revision>,
) -> Vec<Difference> {
    let mut found = Vec::new();
    if let Some(live) = definition {
        found.extend(definition_differences(desired, &live.document));
    }
    let live = shape::of_service(&service.0, &desired.service);
    found.extend(differences(
        &desired.form,
        "service",
        &desired.normal_service(),
        &desired.form.service(&live),
    ));
    if let Some(wanted) = desired
        .manifest
        .desired_count
        .filter(|wanted| *wanted != service.desired_count())
    {
        found.push(Difference {
            path: "service.desiredCount".to_owned(),
            pointer: "/service/desiredCount".to_owned(),
            desired: wanted.into(),
            live: service.desired_count().into(),
        });
    }
    found.extend(tagging::differences(desired, &service.tags()));
    found.retain(|difference| !is_ignored(difference, &desired.manifest.drift.ignore));
    found
}

/// The differences that UpdateService may be sent now; for the others the plan says why not.
fn sendable(
    observed: &Observed,
    service: &LiveService,
    lessons: &Lessons,
    plan: &mut Plan,
) -> Vec<Difference> {
    let mut to_send = plan.differences.clone();
    to_send.retain(|difference| difference.root() != "logGroup");
    let fixed = taken_out(&mut to_send, |difference| {
        !difference.is_in_definition() && NOT_UPDATABLE.contains(&difference.member())
    });
    if !fixed.is_empty() {
        let mut members: Vec<_> = fixed
            .iter()
            .map(|difference| difference.member().to_owned())
            .collect();
        members.dedup();
        plan.blocked.push(Blocked::NeedsReplacement(members));
    }
    let refused = taken_out(&mut to_send, |difference| lessons.is_not_taken(difference));
    if !refused.is_empty() {
        plan.blocked.push(Blocked::NotTaken(paths(refused)));
    }
    if plan.cause == Some(Cause::Drift) {
        let contested = taken_out(&mut to_send, |difference| {
            lessons.is_contested(difference, observed.aws_time)
        });
        if !contested.is_empty() {
            plan.blocked.push(Blocked::Contested(paths(contested)));
        }
    }
    if !to_send.iter().any(starts_deployment) {
        return to_send;
    }
    if plan.hold.is_some() {
        taken_out(&mut to_send, starts_deployment);
    } else if service.is_rolling_back() {
        plan.blocked.push(Blocked::RollingBack);
        taken_out(&mut to_send, starts_deployment);
    }
    to_send
}

fn paths(differences: Vec<Difference>) -> Vec<String> {
    differences
        .into_iter()
        .map(|difference| difference.path)
        .collect()
}

fn taken_out(from: &mut Vec<Difference>, which: impl Fn(&Difference) -> bool) -> Vec<Difference> {
    let (out, kept) = std::mem::take(from).into_iter().partition(which);
    *from = kept;
    out
}

/// Whether a difference can only be taken away by starting tasks.
pub fn starts_deployment(difference: &Difference) -> bool {
    difference.is_in_definition() || step::STARTS_DEPLOYMENT.contains(&difference.member())
}

/// UpdateService takes what is omitted as "keep", so a difference towards a default is sent with that default.
fn changes(
    desired: &Desired,
    observed: &Observed,
    to_send: &[Difference],
    lessons: &Lessons,
    plan: &mut Plan,
) -> Option<Document> {
    let mut changes = Document::new();
    if to_send.iter().any(Difference::is_in_definition) {
        let revision = revisions::choose(desired, observed, lessons, plan)?;
        changes.insert("taskDefinition".to_owned(), json!(revision));
    }
    for difference in to_send.iter().filter(|difference| {
        !difference.is_in_definition() && difference.member() != tagging::MEMBER
    }) {
        let member = difference.member();
        let value = if member == "desiredCount" {
            difference.desired.clone()
        } else {
            explicit(desired, member, to_send)
        };
        changes.insert(member.to_owned(), value);
    }
    (!changes.is_empty()).then_some(changes)
}

/// The manifest's value of a member, with the defaults that AWS has to be told because something else stands there.
fn explicit(desired: &Desired, member: &str, to_send: &[Difference]) -> Value {
    let written = desired.service.get(member);
    if desired.form.is_list(&format!("service.{member}")) {
        return written.cloned().unwrap_or_else(|| json!([]));
    }
    let mut value = written.cloned().unwrap_or(Value::Null);
    for difference in to_send
        .iter()
        .filter(|difference| difference.member() == member)
    {
        let below: Vec<_> = difference.pointer.split('/').skip(3).collect();
        let is_written = below
            .iter()
            .try_fold(&value, |place, key| place.get(key))
            .is_some_and(|v| !v.is_null());
        if !is_written {
            let default = match (&difference.desired, &difference.live) {
                (Value::Null, Value::Array(_)) => json!([]),
                (default, _) => default.clone(),
            };
            *member_at(&mut value, &below) = default;
        }
    }
    value
}

fn member_at<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Value {
    path.iter().fold(value, |place, key| {
        if place.is_null() {
            *place = json!({});
        }
        if place.is_object() {
            &mut place[*key]
        } else {
            place
        }
    })
}
