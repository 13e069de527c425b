//! Carrying a plan out: its calls in order, as far as the service is as it was planned for.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::{
    aws::{Applied, Aws, AwsError, Memory, Seen},
    document,
    observed::{Deployment, LiveService},
    plan::{self, Plan, Step, Write},
};

/// How long after the look right before it a plan may change a service.
const FRESH: Duration = Duration::from_secs(1);

/// Why a plan was not carried out to its end.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The service is not as it was when the plan was made.
    #[error("the service has changed since it was looked at")]
    Changed,
    /// A call failed.
    #[error(transparent)]
    Failed(#[from] AwsError),
}

/// How far a plan was carried out.
#[derive(Debug)]
pub struct Made {
    /// So many of its steps were. The others are to be planned anew.
    pub steps: usize,
    /// The deployment that the service has moved to.
    pub moved_to: Option<Deployment>,
}

/// Waits until the quotas allow a plan's calls, makes them in order, and tells `on_step` of each that was made. Right before
/// the first that changes the service, the service must still be as it was planned for. It ends early when a call was so
/// late that it may not be so any more, and when AWS has not taken what comes before.
///
/// # Errors
/// At the first call that fails; what was done before stays done.
pub async fn carry_out(
    aws: &Aws,
    seen: &Seen,
    plan: &Plan,
    memory: &mut Memory,
    on_step: impl FnMut(&Step),
) -> Result<Made, Stopped> {
    sleep_until(aws.admit(&plan.steps)).await;
    make_calls(aws, seen, plan, memory, on_step).await
}

pub(super) async fn make_calls(
    aws: &Aws,
    seen: &Seen,
    plan: &Plan,
    memory: &mut Memory,
    mut on_step: impl FnMut(&Step),
) -> Result<Made, Stopped> {
    let digest = &seen.desired.manifest.digest;
    let mut registered: Option<String> = None;
    let mut made = Made {
        steps: 0,
        moved_to: None,
    };
    let mut looked: Option<Instant> = None;
    for step in &plan.steps {
        if step.changes_service() {
            match looked {
                None => {
                    check_unchanged(aws, seen).await?;
                    looked = Some(Instant::now());
                }
                Some(looked) if looked.elapsed() > FRESH => break,
                Some(_) => {}
            }
        }
        let applied = aws.apply(step, registered.as_deref()).await;
        // So ECS refuses a definition that somebody else has deregistered meanwhile.
        if matches!(&applied, Err(error) if error.code == "ClientException") {
            memory.forget_registered(None);
        }
        let mut is_taken = true;
        match applied? {
            Applied::Registered(revision) => {
                let remaining = plan::not_registered(&seen.desired, &revision.document);
                memory.lessons.under(digest).note_not_taken(remaining);
                registered = Some(revision.arn().to_owned());
                memory.note_registered(revision, seen.observed.aws_time);
            }
            Applied::Service(answer) => {
                let remaining = plan::not_taken(&seen.desired, plan, &answer);
                // No mark may say then that it is as the manifest says.
                is_taken = remaining.is_empty();
                memory.lessons.under(digest).note_not_taken(remaining);
                made.moved_to = answer.primary();
            }
            Applied::Done if step.operation == Write::DeregisterTaskDefinition => {
                let arn = document::text(&step.input, "taskDefinition");
                memory.forget_registered(Some(arn));
            }
            Applied::Done => {}
        }
        if step.operation.is_of_log_group() {
            memory.forget_log_group();
        }
        on_step(step);
        made.steps += 1;
        if !is_taken {
            break;
        }
    }
    Ok(made)
}

async fn check_unchanged(aws: &Aws, seen: &Seen) -> Result<(), Stopped> {
    let manifest = &seen.desired.manifest;
    let (mut described, _) = aws
        .describe_services(&manifest.cluster, std::slice::from_ref(&manifest.name))
        .await;
    let now = described.remove(&manifest.name).transpose()?.flatten();
    let basis = |service: Option<&LiveService>| service.map(LiveService::basis);
    if basis(now.as_ref()) == basis(seen.observed.service.as_ref()) {
        Ok(())
    } else {
        Err(Stopped::Changed)
    }
}
