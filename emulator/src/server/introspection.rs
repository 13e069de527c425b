//! `/_emulator/…`: what a test or a person wants to know of the emulator, and AWS has no call for.

use std::{collections::BTreeMap, sync::PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Response, StatusCode, Uri,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::{Value, json};

use super::http::Web;

pub(super) fn answer(web: &Web, method: &Method, uri: &Uri, route: &str) -> Response<Full<Bytes>> {
    if ![Method::GET, Method::POST].contains(method) {
        return reply(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({"error": "use GET or POST"}),
        );
    }
    match route {
        "health" => reply(StatusCode::OK, &json!({"status": "ok"})),
        "endpoints" => reply(StatusCode::OK, &endpoints(web)),
        "journal" => match since(uri) {
            Ok(since) => {
                let page = web.journal.lock().unwrap_or_else(PoisonError::into_inner);
                let page = page.since(since);
                match serde_json::to_value(page) {
                    Ok(page) => reply(StatusCode::OK, &page),
                    Err(error) => reply(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        &json!({"error": error.to_string()}),
                    ),
                }
            }
            Err(error) => reply(StatusCode::BAD_REQUEST, &json!({"error": error})),
        },
        _ => reply(
            StatusCode::NOT_FOUND,
            &json!({"error": "there are /_emulator/health, /_emulator/endpoints and /_emulator/journal"}),
        ),
    }
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

fn reply(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
