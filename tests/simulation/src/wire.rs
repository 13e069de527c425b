//! The HTTP client of a daemon's SDK: requests become calls of the core, without a socket.

use std::{
    future::pending,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
            http_client_fn,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    shared::IntoShared,
};
use aws_smithy_types::body::SdkBody;
use emulator::{
    core::{ApiError, Call, Reply},
    faults::Answer,
    wire,
};
use tokio::{sync::oneshot, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{cloud::Cloud, furniture::REGION, journal::Caller};

/// The wire of one daemon.
#[derive(Debug, Clone)]
pub struct Wire {
    cloud: Cloud,
    daemon: usize,
    life: Life,
}

/// Whether a daemon lives. What a dead one still sends does not arrive, and it is told nothing.
#[derive(Debug, Clone, Default)]
pub struct Life {
    over: CancellationToken,
    calls: Arc<AtomicUsize>,
    fuse: Arc<Mutex<Option<Fuse>>>,
}

/// Ends a daemon at one of its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fuse {
    /// Which call that arrives, from 0.
    pub call: usize,
    /// On which side of it.
    pub side: Side,
}

/// A side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The call does not arrive.
    Before,
    /// The call is carried out, and its reply does not arrive.
    After,
}

impl Life {
    /// One that ends by this fuse at the latest.
    #[must_use]
    pub fn with(fuse: Option<Fuse>) -> Self {
        Self {
            fuse: Arc::new(Mutex::new(fuse)),
            ..Self::default()
        }
    }

    /// Ends it at a call that has not been made yet, the next one being 0.
    pub fn end_at(&self, call: usize, side: Side) {
        let call = self.calls() + call;
        *self.fuse.lock().unwrap_or_else(PoisonError::into_inner) = Some(Fuse { call, side });
    }

    /// Ends it at no call any more.
    pub fn spare(&self) {
        *self.fuse.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Ends it now.
    pub fn end(&self) {
        self.over.cancel();
    }

    /// Waits for its end.
    pub async fn ended(&self) {
        self.over.cancelled().await;
    }

    /// How many of its calls have arrived.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn is_cut(&self, call: usize, side: Side) -> bool {
        let fuse = *self.fuse.lock().unwrap_or_else(PoisonError::into_inner);
        if fuse == Some(Fuse { call, side }) {
            self.end();
        }
        self.over.is_cancelled()
    }
}

impl Wire {
    /// The wire of the n-th daemon, which lives as long as `life`.
    #[must_use]
    pub fn new(cloud: Cloud, daemon: usize, life: Life) -> Self {
        Self {
            cloud,
            daemon,
            life,
        }
    }

    /// For a configuration of the SDK.
    #[must_use]
    pub fn client(self) -> SharedHttpClient {
        let wire = SharedHttpConnector::new(self);
        http_client_fn(move |_, _| wire.clone()).into_shared()
    }

    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request
            .try_into_http1x()
            .map_err(|error| ConnectorError::other(error.into(), None))?;
        let (mut head, body) = request.into_parts();
        if let Some(path) = with_bucket(head.uri.host(), head.uri.path_and_query()) {
            head.uri = path
                .parse()
                .map_err(|error| ConnectorError::other(Box::new(error), None))?;
        }
        let decode = || wire::decode(&head, body.bytes().unwrap_or_default(), REGION);
        let (protocol, call) = self.cloud.at_work(decode);
        let (operation, outcome) = match call {
            Ok(call) => (call.operation.clone(), self.ask(call).await?),
            Err(error) => (String::new(), Err(error)),
        };
        let now = self.cloud.clock().now();
        let encode = || wire::encode(&protocol, &operation, &outcome, "simulated", now);
        let response = self.cloud.at_work(encode);
        let response = response.map(|body| SdkBody::from(body.into_inner().unwrap_or_default()));
        HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
    }

    async fn ask(&self, call: Call) -> Result<Result<Reply, ApiError>, ConnectorError> {
        let by = Caller::Daemon(self.daemon);
        self.cloud.send(by, &call);
        sleep(self.cloud.travel()).await;
        let number = self.life.calls.fetch_add(1, Ordering::Relaxed);
        if self.life.is_cut(number, Side::Before) {
            return pending().await;
        }
        let fate = self.cloud.arrive(&call);
        let cloud = self.cloud.clone();
        let answer = if fate.delay.is_zero() {
            cloud.carry_out(by, call, fate, true)
        } else {
            let (tell, told) = oneshot::channel();
            // Apart from the caller, as a call that is late is not undone when its caller goes away.
            tokio::spawn(async move {
                sleep(fate.delay).await;
                let is_waited_for = !tell.is_closed();
                // Then nobody hears it.
                drop(tell.send(cloud.carry_out(by, call, fate, is_waited_for)));
            });
            told.await
                .map_err(|error| ConnectorError::io(error.into()))?
        };
        if self.life.is_cut(number, Side::After) {
            return pending().await;
        }
        sleep(self.cloud.travel()).await;
        match answer {
            Answer::Reply(outcome) if !self.life.over.is_cancelled() => Ok(outcome),
            Answer::Reply(_) | Answer::Never => pending().await,
            Answer::Lost(_) | Answer::Unheard => {
                Err(ConnectorError::io("the connection was closed".into()))
            }
        }
    }
}

/// The path of a request to a bucket that is named in the host's name, with the bucket in the path, which to S3 is the
/// same: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>.
fn with_bucket(host: Option<&str>, path: Option<&impl std::fmt::Display>) -> Option<String> {
    let (bucket, _) = host?.split_once(".s3.")?;
    Some(format!("/{bucket}{}", path?))
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move { wire.carry(request).await })
    }
}
