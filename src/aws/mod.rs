//! The shell around the AWS SDK: the only place that calls AWS. It has two verbs, observe and apply.

mod apply;
mod budget;
mod clients;
mod clock;
mod cluster;
mod delete;
mod error;
mod explain;
mod fence;
mod history;
mod image;
mod json;
mod logs;
mod memory;
mod objects;
mod observe;
mod operation;
mod preflight;
mod target_health;
mod tasks;

use std::{future::Future, sync::Arc};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::Instant;

pub use apply::Applied;
pub use budget::{Bucket, Budget};
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

use crate::metrics::Metrics;

/// AWS, within our budget of calls and counted.
#[derive(Debug, Clone)]
pub struct Aws {
    clients: Clients,
    budget: Arc<Budget>,
    fence: Fence,
    metrics: Metrics,
    definitions: observe::Definitions,
    homes: cluster::Homes,
}

impl Aws {
    /// AWS through these clients, shared with nobody.
    pub fn new(clients: Clients, metrics: Metrics) -> Self {
        Self {
            clients,
            budget: Arc::default(),
            fence: Fence::open(),
            metrics,
            definitions: observe::Definitions::default(),
            homes: cluster::Homes::default(),
        }
    }

    /// The same, but writes to services only while `fence` is open.
    #[must_use]
    pub fn behind(self, fence: Fence) -> Self {
        Self { fence, ..self }
    }

    /// The clock that calls are signed with.
    pub fn clock(&self) -> &Clock {
        &self.clients.clock
    }

    /// One call: waits for the budget, measures, and gives a failure its class. A write that the lease forbids is not
    /// made.
    async fn call<T, E>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let waited = self.budget.take(operation.bucket).await;
        self.metrics
            .budget_wait
            .with_label_values(&[operation.bucket.name()])
            .inc_by(waited.as_secs_f64());
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
