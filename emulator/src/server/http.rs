//! The AWS endpoint: HTTP in, a call to the actor, HTTP out.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header::{CONNECTION, HeaderValue, USER_AGENT},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, oneshot},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    actor::{Asked, Change, Outcome, Request as Asking},
    introspection,
    journal::Journal,
};
use crate::{
    balancer::Balancer,
    clock::Clock,
    core::{ApiError, Call},
    faults::{Answer, PlanError},
    wire,
};

/// ECR takes manifests of 4 MiB, which are escaped once more as a JSON string:
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>.
const MAX_BODY: usize = 10 * 1024 * 1024;
const MAX_CONNECTIONS: usize = 1_024;
/// Calls that a fault makes late, their callers gone or not.
const MAX_LATE: usize = 1_024;
/// From the end of one request to the end of the next one's head. Longer than clients keep idle connections (the Rust SDK
/// 90 s), so that it is not the server that closes one just as it is used again.
const HEAD: Duration = Duration::from_secs(300);
/// From the end of the head to the end of the body.
const BODY: Duration = Duration::from_secs(30);
/// The model answers within microseconds; this is for one that hangs.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a call that is never answered keeps its connection.
const HANG: Duration = Duration::from_secs(600);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every connection uses.
#[derive(Debug)]
pub(super) struct Web {
    pub(super) aws: SocketAddr,
    pub(super) balancer: Arc<Balancer>,
    region: String,
    pub(super) journal: Arc<Mutex<Journal>>,
    requests: mpsc::Sender<Asking>,
    late: Arc<Semaphore>,
    clock: Clock,
}

impl Web {
    pub(super) fn new(
        aws: SocketAddr,
        region: String,
        requests: mpsc::Sender<Asking>,
        clock: Clock,
        balancer: Arc<Balancer>,
    ) -> Self {
        Self {
            aws,
            region,
            balancer,
            journal: Arc::default(),
            requests,
            late: Arc::new(Semaphore::new(MAX_LATE)),
            clock,
        }
    }

    pub(super) fn journal(&self) -> Arc<Mutex<Journal>> {
        Arc::clone(&self.journal)
    }
}

/// Accepts until the end, then drops every connection.
pub(super) async fn serve(socket: TcpListener, web: Arc<Web>, ending: CancellationToken) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    let accept = async {
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                return;
            };
            match socket.accept().await {
                Ok((stream, _)) => {
                    let (web, ending) = (Arc::clone(&web), ending.clone());
                    connections.spawn(async move {
                        ending.run_until_cancelled(connection(stream, web)).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to the AWS endpoint");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    ending.run_until_cancelled(accept).await;
    connections.close();
    connections.wait().await;
}

async fn connection(stream: TcpStream, web: Arc<Web>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let web = Arc::clone(&web);
        async move { answer(&web, request).await }
    });
    // An error here is the client's: it went away, or did not speak HTTP and was told so; or a fault that was asked for.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the reply is lost, as was asked for")]
struct Lost;

async fn answer(web: &Arc<Web>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Lost> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if path == "/_emulator" || path.starts_with("/_emulator/") {
        return Ok(match read(body).await {
            Ok(body) => introspection::answer(web, &head.method, &head.uri, &body).await,
            Err(error) => introspection::refuse(error.status, &error.message),
        });
    }
    let elsewhere = path != "/" || ![Method::GET, Method::POST].contains(&head.method);
    // Only S3 has paths and other methods.
    if elsewhere && !wire::is_s3(&head.headers) {
        let text = "This is an AWS endpoint for ECS, ELBv2, CloudWatch Logs, ECR and STS: POST /\nAnd for S3, signed: /BUCKET/KEY\nFor people: GET /_emulator/\n";
        let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let body = read(body).await;
    let bytes = body.as_ref().map(|bytes| &**bytes).unwrap_or_default();
    let (protocol, decoded) = wire::decode(&head, bytes, &web.region);
    let unread = body.is_err();
    let (operation, outcome) = match body.map_err(|error| protocol.unread(error)).and(decoded) {
        Ok(call) => {
            let operation = call.operation.clone();
            match web.call(call, user_agent(&head.headers)).await {
                Answer::Reply(outcome) => (operation, outcome),
                Answer::Lost(_) | Answer::Unheard => return Err(Lost),
                Answer::Never => {
                    sleep(HANG).await;
                    return Err(Lost);
                }
            }
        }
        Err(error) => (String::new(), Err(error)),
    };
    let id = Uuid::new_v4().to_string();
    let mut response = wire::encode(&protocol, &operation, &outcome, &id, web.clock.now());
    if unread {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response)
}

impl Web {
    async fn call(self: &Arc<Self>, call: Call, user_agent: String) -> Answer {
        let asked = Asked {
            call,
            user_agent,
            fate: None,
        };
        match self.ask(asked).await {
            Some(Outcome::Answered(answer)) => answer,
            Some(Outcome::Later(delay, asked)) => {
                let Ok(place) = Arc::clone(&self.late).try_acquire_owned() else {
                    return unavailable();
                };
                let web = Arc::clone(self);
                // Apart from the connection, as a call that is late is not undone when its caller goes away.
                let late = tokio::spawn(async move {
                    sleep(delay).await;
                    drop(place);
                    web.ask(*asked).await
                });
                match late.await {
                    Ok(Some(Outcome::Answered(answer))) => answer,
                    Ok(Some(Outcome::Later(..)) | None) | Err(_) => unavailable(),
                }
            }
            None => unavailable(),
        }
    }

    /// Does something about the faults, and says how they are then. `None` when the emulator is ending.
    pub(super) async fn faults(&self, change: Change) -> Option<Result<Value, PlanError>> {
        self.send(|outcome| Asking::Faults(change, outcome)).await
    }

    async fn ask(&self, asked: Asked) -> Option<Outcome> {
        self.send(|outcome| Asking::Call(asked, outcome)).await
    }

    async fn send<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Asking) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let answered = async {
            self.requests.send(request(sender)).await.ok()?;
            receiver.await.ok()
        };
        timeout(ANSWER, answered).await.ok().flatten()
    }
}

fn unavailable() -> Answer {
    Answer::Reply(Err(ApiError {
        status: 503,
        code: "ServiceUnavailable",
        message: "the emulator is ending or overloaded".to_owned(),
    }))
}

async fn read(body: Incoming) -> Result<Bytes, ApiError> {
    let failure = |status, code, message: String| ApiError {
        status,
        code,
        message,
    };
    let too_large = || {
        failure(
            413,
            "RequestEntityTooLargeException",
            format!("the body is longer than {MAX_BODY} bytes"),
        )
    };
    // A declared length that is too long is refused before it is waited for.
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    match timeout(BODY, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(failure(
            400,
            "IncompleteBody",
            format!("the body cannot be read: {error}"),
        )),
        Err(_) => Err(failure(
            408,
            "RequestTimeout",
            format!("the body was not sent within {BODY:?}"),
        )),
    }
}

fn user_agent(headers: &HeaderMap) -> String {
    headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .map(|text| format!("{text:.256}"))
        .unwrap_or_default()
}
