//! `/_emulator/…`: what a test or a person wants to know of the emulator or to do to it, and AWS has no call for.

use std::{collections::BTreeMap, sync::PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Response, StatusCode, Uri,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};
use serde_json::{Value, json};

use super::{actor::Change, http::Web};
use crate::faults::FaultPlan;

pub(super) async fn answer(
    web: &Web,
    method: &Method,
    uri: &Uri,
    body: &[u8],
) -> Response<Full<Bytes>> {
    let path = uri.path();
    let route = path.strip_prefix("/_emulator").unwrap_or(path);
    let route = route.trim_matches('/');
    if !["", "health", "endpoints", "journal", "faults"].contains(&route) {
        let missing = format!("there is no {path:.128}; GET /_emulator/ says what there is");
        return refuse(404, &missing);
    }
    match (route, method) {
        ("faults", &Method::GET) => faults(web, Change::None).await,
        ("faults", &Method::DELETE) => faults(web, Change::Clear).await,
        ("faults", &Method::POST) => match FaultPlan::from_json(body) {
            Ok(plan) => faults(web, Change::Replace(plan)).await,
            Err(error) => refuse(400, &error.to_string()),
        },
        ("faults", _) => not_allowed("GET, POST, DELETE"),
        (_, &Method::GET | &Method::POST) => read(web, route, uri),
        (_, _) => not_allowed("GET, POST"),
    }
}

fn read(web: &Web, route: &str, uri: &Uri) -> Response<Full<Bytes>> {
    match route {
        "health" => reply(StatusCode::OK, &json!({"status": "ok"})),
        "endpoints" => reply(StatusCode::OK, &endpoints(web)),
        "journal" => match since(uri) {
            Ok(since) => {
                let page = web.journal.lock().unwrap_or_else(PoisonError::into_inner);
                let page = page.since(since);
                match serde_json::to_value(page) {
                    Ok(page) => reply(StatusCode::OK, &page),
                    Err(error) => refuse(500, &error.to_string()),
                }
            }
            Err(error) => refuse(400, &error),
        },
        _ => index(web),
    }
}

async fn faults(web: &Web, change: Change) -> Response<Full<Bytes>> {
    match web.faults(change).await {
        Some(Ok(faults)) => reply(StatusCode::OK, &faults),
        Some(Err(error)) => refuse(400, &error.to_string()),
        None => refuse(503, "the emulator is ending or overloaded"),
    }
}

/// For a person who has found this address.
fn index(web: &Web) -> Response<Full<Bytes>> {
    let at = format!("http://{}", web.aws);
    let mut text = format!(
        "This is an emulated AWS account: ECS, ELBv2, CloudWatch Logs, ECR, STS and S3.

For AWS clients (any credentials do):

  export AWS_ENDPOINT_URL={at} AWS_ACCESS_KEY_ID=me AWS_SECRET_ACCESS_KEY=any

For people and tests:

  curl {at}/_emulator/health            is it there
  curl {at}/_emulator/endpoints         where the load balancers listen
  curl {at}/_emulator/journal           the last calls; ?since=N for those numbered N and above
  curl {at}/_emulator/faults            what goes wrong, and how often it did
  curl -X DELETE {at}/_emulator/faults  nothing goes wrong any more
  curl {at}/_emulator/faults -d '{{\"rules\":[{{\"operation\":\"Describe*\",\"probability\":0.5,\"effect\":\"throttle\"}}]}}'

Load balancers:

"
    );
    let listeners = web.balancer.listener_arns();
    if listeners.is_empty() {
        text.push_str("  none yet\n");
    }
    for (arn, address) in listeners {
        text.push_str(&format!("  http://{address}  {arn}\n"));
    }
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

fn endpoints(web: &Web) -> Value {
    let listeners: BTreeMap<String, String> = web
        .balancer
        .listeners()
        .into_iter()
        .map(|(port, address)| (port.to_string(), address.to_string()))
        .collect();
    json!({
        "aws": format!("http://{}", web.aws),
        "listeners": listeners,
        "listenerArns": web.balancer.listener_arns(),
    })
}

fn since(uri: &Uri) -> Result<u64, String> {
    let query = uri.query().unwrap_or_default();
    let parameters = form_urlencoded::parse(query.as_bytes());
    match parameters.into_iter().find(|(name, _)| name == "since") {
        None => Ok(0),
        Some((_, text)) => text
            .parse()
            .map_err(|_| format!("since={text:.64} is not a number")),
    }
}

fn not_allowed(methods: &'static str) -> Response<Full<Bytes>> {
    let mut response = refuse(405, &format!("use {methods}"));
    let methods = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, methods);
    response
}

pub(super) fn refuse(status: u16, why: &str) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply(status, &json!({"error": why}))
}

fn reply(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
