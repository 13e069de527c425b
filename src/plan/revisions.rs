//! Which revision of the task definition to use, and which old ones to give up.

use crate::{
    desired::Desired,
    diff::{Difference, differences},
    document::Document,
    observed::{LiveService, Observed, Outcome, Revision},
    plan::{Lessons, Plan, REGISTERED, step},
    shape, tags,
};

/// How a registered definition differs from what is desired; nothing does while that is not known.
pub(super) fn definition_differences(desired: &Desired, live: &Document) -> Vec<Difference> {
    let (Some(document), Some(wanted)) = (&desired.definition, desired.normal_definition()) else {
        return Vec::new();
    };
    let live = desired
        .form
        .definition(&shape::of_definition(live, document));
    differences(&desired.form, "taskDefinition", &wanted, &live)
}

/// The revision to run: one that exists and says the same, or else a step to register it. What AWS has not taken before
/// makes no difference. `None` when the definition is not known, because its image is not.
pub(super) fn choose(
    desired: &Desired,
    observed: &Observed,
    lessons: &Lessons,
    plan: &mut Plan,
) -> Option<String> {
    let wanted = desired.definition.as_ref()?;
    let fits = |revision: &&Revision| {
        is_ours(revision, desired)
            && definition_differences(desired, &revision.document)
                .iter()
                .all(|found| lessons.is_not_taken(found))
    };
    if let Some(revision) = observed.revisions.iter().find(fits) {
        return Some(revision.arn().to_owned());
    }
    plan.steps
        .push(step::register(wanted, &desired.definition_tags()));
    Some(REGISTERED.to_owned())
}

/// Deregisters ours beyond `keepRevisions`, oldest first. Never one that a deployment, or a rollback of it, may need.
pub(super) fn give_up_old(
    desired: &Desired,
    observed: &Observed,
    service: &LiveService,
    plan: &mut Plan,
) {
    let keep = usize::try_from(desired.manifest.rollout.keep_revisions).unwrap_or(usize::MAX);
    let deployments = service
        .deployments()
        .into_iter()
        .map(|deployment| deployment.task_definition);
    let mut needed: Vec<_> = deployments.collect();
    needed.push(service.task_definition().to_owned());
    let last_good = observed
        .history
        .iter()
        .find(|past| past.outcome == Outcome::Succeeded);
    needed.extend(
        last_good
            .and_then(|past| past.definition.as_ref())
            .map(|revision| revision.arn().to_owned()),
    );
    let old = observed
        .revisions
        .iter()
        .filter(|revision| is_ours(revision, desired))
        .skip(keep);
    let old: Vec<_> = old
        .filter(|revision| !needed.iter().any(|arn| arn == revision.arn()))
        .collect();
    plan.steps.extend(
        old.into_iter()
            .rev()
            .map(|revision| step::deregister(revision.arn())),
    );
}

fn is_ours(revision: &Revision, desired: &Desired) -> bool {
    revision
        .tags
        .get(tags::OWNER)
        .is_some_and(|owner| *owner == desired.owner)
}
