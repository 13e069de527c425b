//! The shell around the AWS SDK: the only place that calls AWS. It has two verbs, observe and apply.

mod ahead;
mod apply;
mod budget;
mod clients;
mod clock;
mod cluster;
mod definitions;
mod delete;
mod error;
mod explain;
mod fence;
mod history;
mod image;
mod json;
mod log_group;
mod logs;
mod memory;
mod objects;
mod observe;
mod operation;
mod preflight;
mod rotation;
mod target_health;
mod tasks;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub use ahead::Ahead;
pub use apply::Applied;
pub use budget::{Bucket, Budget, Urgency};
pub use clients::Clients;
pub use clock::Clock;
pub use delete::Deleter;
pub use error::{AwsError, Class};
pub use fence::Fence;
pub use logs::{LogLine, LogStream};
pub use memory::Memory;
pub(crate) use memory::VIEWS_LAG;
pub use objects::{Entry, Object, OnlyIf, Put, S3Url, S3UrlError, is_plain};
pub use observe::{Described, SERVICES_PER_CALL, Seen};
pub use operation::Operation;
pub use preflight::{ClusterState, TargetGroup};
pub use rotation::Rotation;

use crate::{metrics::Metrics, plan::Step};

/// How long a look waits for what it asks in turn.
const IN_TURN: Duration = Duration::from_secs(5);
/// How many looks wait for the same, at most. With three kinds of turns, these never hold all the places that there are
/// for looks; the others go on without.
pub(crate) const WAIT_IN_TURN: usize = 10;

/// When a call is taken from the budget.
#[derive(Debug, Clone, Copy)]
enum Pays {
    /// When it is made.
    Now(Urgency),
    /// It has been, by [`Aws::admit`].
    Before,
}

/// AWS, within our budget of calls and counted.
#[derive(Debug, Clone)]
pub struct Aws {
    clients: Clients,
    budget: Arc<Budget>,
    pays: Pays,
    hurry: CancellationToken,
    rotation: Rotation,
    fence: Fence,
    metrics: Metrics,
    definitions: definitions::Definitions,
    homes: cluster::Homes,
}

impl Aws {
    /// AWS through these clients, shared with nobody.
    pub fn new(clients: Clients, metrics: Metrics) -> Self {
        Self {
            clients,
            budget: Arc::default(),
            pays: Pays::Now(Urgency::Edit),
            hurry: CancellationToken::new(),
            rotation: Rotation::default(),
            fence: Fence::open(),
            metrics,
            definitions: definitions::Definitions::default(),
            homes: cluster::Homes::default(),
        }
    }

    /// The same, but writes to services only while `fence` is open.
    #[must_use]
    pub fn behind(self, fence: Fence) -> Self {
        Self { fence, ..self }
    }

    /// The same, for calls that are so urgent, and from `hurry` on as urgent as they can be: somebody waits for what comes
    /// after them.
    #[must_use]
    pub fn at(&self, urgency: Urgency, hurry: CancellationToken) -> Self {
        Self {
            pays: Pays::Now(urgency),
            hurry,
            ..self.clone()
        }
    }

    /// The same, for calls that are no less urgent than this.
    #[must_use]
    pub fn raised(&self, urgency: Urgency) -> Self {
        let pays = match self.pays {
            Pays::Now(before) => Pays::Now(before.min(urgency)),
            Pays::Before => Pays::Before,
        };
        Self {
            pays,
            ..self.clone()
        }
    }

    /// The same for one call of this bucket, which it takes from the budget now; `None` when that takes too long for
    /// something that may as well be asked by the next look, or others wait for it already.
    async fn in_turn(&self, bucket: Bucket) -> Option<Self> {
        if let Pays::Now(urgency) = self.pays {
            if self.budget.waiting(bucket, urgency) >= WAIT_IN_TURN {
                return None;
            }
            let began = Instant::now();
            let take = self.budget.take(bucket, urgency);
            let take = self.hurry.run_until_cancelled(take);
            let taken = timeout(IN_TURN, take).await;
            self.note_wait(bucket, began.elapsed());
            taken.ok()??;
        }
        Some(Self {
            pays: Pays::Before,
            ..self.clone()
        })
    }

    /// The same, which asks for some things only in turn.
    #[must_use]
    pub fn in_rotation(self, rotation: Rotation) -> Self {
        Self { rotation, ..self }
    }

    /// Takes the calls of these steps from the budget, and returns from when on they may be made. So a service that waits
    /// for a quota takes up no place meanwhile. The wait counts for the scarcest bucket, when it begins.
    pub fn admit(&self, steps: &[Step]) -> Instant {
        let buckets = steps
            .iter()
            .map(|step| Operation::of(step.operation).bucket);
        let times = buckets.map(|bucket| (self.budget.reserve(bucket), bucket));
        let now = Instant::now();
        let Some((at, bucket)) = times.max() else {
            return now;
        };
        self.note_wait(bucket, at.saturating_duration_since(now));
        at
    }

    fn note_wait(&self, bucket: Bucket, waited: Duration) {
        self.metrics
            .budget_wait
            .with_label_values(&[bucket.name()])
            .inc_by(waited.as_secs_f64());
    }

    /// The clock that calls are signed with.
    pub fn clock(&self) -> &Clock {
        &self.clients.clock
    }

    /// One call: waits for the budget, measures, and gives a failure its class. A write that the lease forbids is not
    /// made.
    ///
    /// Boxed: the SDK's futures are tens of kilobytes, and would be a part of everything that waits for them.
    fn call<'a, T, E>(
        &'a self,
        operation: Operation,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    ) -> Pin<Box<dyn Future<Output = Result<T, AwsError>> + Send + 'a>>
    where
        T: Send + 'a,
        E: ProvideErrorMetadata + std::error::Error + Send + 'static,
    {
        Box::pin(self.call_within_budget(operation, Box::pin(call)))
    }

    async fn call_within_budget<T, E>(
        &self,
        operation: Operation,
        call: Pin<Box<impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send>>,
    ) -> Result<T, AwsError>
    where
        T: Send,
        E: ProvideErrorMetadata + std::error::Error + Send + 'static,
    {
        if let Pays::Now(urgency) = self.pays {
            let began = Instant::now();
            let take = self.budget.take(operation.bucket, urgency);
            if self.hurry.run_until_cancelled(take).await.is_none() {
                self.budget.take(operation.bucket, Urgency::Edit).await;
            }
            self.note_wait(operation.bucket, began.elapsed());
        }
        // Last, after everything that takes time.
        if operation.is_fenced {
            self.fence.check(operation)?;
        }
        let began = Instant::now();
        let result = call.await;
        let labels = [operation.service, operation.name];
        self.metrics
            .aws_duration
            .with_label_values(&labels)
            .observe(began.elapsed().as_secs_f64());
        let result = result.map_err(|error| {
            AwsError::new(format!("{}:{}", operation.service, operation.name), &error)
        });
        let code = result.as_ref().map_or_else(AwsError::label, |_| "OK");
        self.metrics
            .aws_requests
            .with_label_values(&[operation.service, operation.name, code])
            .inc();
        result
    }
}

/// One ECS operation with a document in and a document out.
macro_rules! ecs {
    ($aws:expr, $operation:expr, $request:expr, $input:expr) => {{
        let capture = crate::aws::json::Capture::default();
        let request = $request
            .customize()
            .mutate_request(crate::aws::json::replace_body(&$input))
            .interceptor(capture.clone());
        let answered = $aws.call($operation, request.send()).await;
        answered.and_then(|_| {
            capture
                .take()
                .ok_or_else(|| crate::aws::AwsError::unreadable($operation))
        })
    }};
}
use ecs;
