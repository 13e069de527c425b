//! The HTTP client: it sends nothing, and answers at once.

use std::{
    cell::RefCell,
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
    },
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use evenkeel::aws::Clients;
use jiff::{Timestamp, fmt::rfc2822};

/// What AWS answers to every call, by the protocol.
#[derive(Debug, Clone)]
pub struct Answers {
    /// Of ECS, CloudWatch Logs and ECR: one document in which each finds its members.
    pub json: Arc<[u8]>,
    /// Of Elastic Load Balancing.
    pub xml: Arc<[u8]>,
}

/// What this thread's calls are answered with.
struct Server {
    answers: Answers,
    date: String,
    writes: usize,
}

thread_local! {
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

/// The SDK's clients, in front of this thread's answers.
pub static CLIENTS: LazyLock<Clients> = LazyLock::new(|| {
    let credentials = Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "fuzz");
    let client: SharedHttpClient = http_client_fn(|_, _| SharedHttpConnector::new(Answering));
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::disabled())
        .http_client(client)
        .build();
    Clients::new(&config)
});

/// From now on these are the answers, and nothing has been written.
pub fn answer_with(answers: Answers) {
    SERVER.set(Some(Server {
        answers,
        date: String::new(),
        writes: 0,
    }));
}

/// Sets AWS's clock to so long after the time of the seeds.
pub fn set_time(after: Duration) {
    let time = Timestamp::from_second(1_790_000_000).unwrap() + after;
    let date = rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .unwrap();
    with_server(|server| server.date = date);
}

/// How many calls have been made that change something.
pub fn writes() -> usize {
    with_server(|server| server.writes)
}

fn with_server<T>(f: impl FnOnce(&mut Server) -> T) -> T {
    SERVER.with_borrow_mut(|server| f(server.as_mut().unwrap()))
}

#[derive(Debug)]
struct Answering;

impl HttpConnector for Answering {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // The JSON protocols name the operation in a header, the query protocol in the body.
        let target = request.headers().get("x-amz-target");
        let operation = target.and_then(|target| target.rsplit('.').next());
        let response = with_server(|server| {
            let body = match operation {
                Some(operation) => {
                    let is_read = ["Describe", "List", "Get"]
                        .iter()
                        .any(|verb| operation.starts_with(verb));
                    server.writes += usize::from(!is_read);
                    Arc::clone(&server.answers.json)
                }
                None => Arc::clone(&server.answers.xml),
            };
            let status = if is_error(&body) { 400 } else { 200 };
            let response = http::Response::builder()
                .status(status)
                .header("date", &server.date)
                .body(SdkBody::from(&body[..]))
                .unwrap();
            HttpResponse::try_from(response).unwrap()
        });
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// Errors of both protocols say so in their bodies, which makes the status another byte to guess.
fn is_error(body: &[u8]) -> bool {
    [&b"__type"[..], b"ErrorResponse"]
        .iter()
        .any(|word| body.windows(word.len()).any(|window| window == *word))
}
